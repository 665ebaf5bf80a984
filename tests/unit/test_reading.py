"""Reading: what is judged before the mailbox is asked, and again when the registry moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.collection import Found, ReadingRights, Search, Wanted
from gateway.errors import Failed, Rejected
from gateway.ports import Stale
from gateway.reading import Reading
from tests.walk import AT

AGENCY, CLIENT, COMPANY = "PL700000001500000", "PL852963741300000", "PL777000111100000"
RIGHTS = ReadingRights("ANNA", frozenset({("", AGENCY), (AGENCY, CLIENT), ("", COMPANY)}), frozenset({(AGENCY, CLIENT)}), 1)


@dataclass
class House:
    """A registry and a mailbox that remember how they were asked."""

    rights_: ReadingRights = RIGHTS
    stale: int = 0
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def rights(self, account_id: int, at: Any, *, fresh: bool = False) -> ReadingRights:
        self.asked.append(("rights", fresh))
        return self.rights_

    def _maybe_stale(self, name: str, value: object) -> None:
        self.asked.append((name, value))
        if self.stale:
            self.stale -= 1
            raise Stale

    async def next(self, account_id: int, rights: Any, wanted: Wanted, nonce: str, at: Any, *, month: bool) -> None:
        self._maybe_stale("next", month)

    async def documents(self, account_id: int, rights: Any, search: Search) -> Found:
        self._maybe_stale("documents", search)
        return Found()

    async def spend(self, account_id: int, nonce: str, at: Any) -> None:
        self.asked.append(("spend", nonce))

    async def collected(self, document_id: str, claim: int) -> None: ...
    async def release(self, document_id: str, claim: int) -> None: ...


def sisc(house: House, **wanted: Any) -> Awaitable[object]:
    return Reading(house, house).next_sisc(1, Wanted(**wanted), "n", AT)


def documents(house: House, **search: Any) -> Awaitable[object]:
    return Reading(house, house).documents(1, Search(**search), "n", AT)


def code(call: Awaitable[object]) -> str | None:
    async def run() -> None:
        await call

    try:
        asyncio.run(run())
    except Rejected as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ({"person": "ANNA"}, True),
        ({"person": "BARTEK"}, False),
        ({"agency": AGENCY}, True),
        ({"agency": COMPANY}, False),
        ({"party": CLIENT}, True),
        ({"party": COMPANY}, True),
        ({"party": "PL000000000000000"}, False),
        ({"agency": AGENCY, "party": CLIENT}, True),
        ({"agency": AGENCY, "party": COMPANY}, False),
        ({"person": "ANNA", "agency": AGENCY, "party": CLIENT, "system": "AES"}, True),
        ({"person": "BARTEK", "party": CLIENT}, False),
        ({"person": "BARTEK", "all_employees": True}, True),
        ({"party": CLIENT, "all_employees": True}, True),
        ({"party": COMPANY, "all_employees": True}, False),
    ],
)
def test_a_grade_must_be_one_of_the_accounts_contexts(wanted: dict[str, Any], allowed: bool) -> None:
    calls: tuple[Callable[[House], Awaitable[object]], ...] = (
        lambda house: sisc(house, **wanted),
        lambda house: documents(house, wanted=Wanted(**wanted), sys_ref="x"),
    )
    for call in calls:
        house = House()
        assert code(call(house)) == (None if allowed else "read.no_permission")
        asked = {name for name, _ in house.asked}
        assert ("next" in asked or "documents" in asked) is allowed, "who has no right does not reach the mailbox"
        assert "spend" not in asked or allowed


def test_all_employees_without_the_right_is_refused() -> None:
    without = House(replace(RIGHTS, all_employees=frozenset()))
    assert code(documents(without, wanted=Wanted(all_employees=True), sys_ref="x")) == "read.no_permission"
    assert code(documents(House(), wanted=Wanted(all_employees=True), sys_ref="x")) is None


def test_sisc_needs_a_grade_and_knows_no_month() -> None:
    assert code(sisc(House())) == "read.no_sisc"
    assert code(sisc(House(), system="AES", all_employees=True)) == "read.no_sisc"
    house = House()
    assert code(sisc(house, party=CLIENT)) is None
    assert ("next", False) in house.asked
    assert code(Reading(house, house).next(1, Wanted(), "n", AT)) is None
    assert house.asked[-1] == ("next", True)


def test_documents_need_a_period_or_names() -> None:
    period = {"since": AT, "until": AT + timedelta(days=10)}
    assert code(documents(House())) == "read.period"
    assert code(documents(House(), collected=False)) == "read.period"
    assert code(documents(House(), since=AT, sys_ref="x")) == "read.period"
    assert code(documents(House(), until=AT)) == "read.period"
    assert code(documents(House(), **period)) is None
    for name in ("sys_ref", "dispatch_id", "own_id", "case_id", "correlation"):
        assert code(documents(House(), **{name: "x"})) is None
        assert code(documents(House(), **{name: "x"}, **period)) is None


def test_the_nonce_of_a_search_is_spent_after_it() -> None:
    house = House()
    assert code(documents(house, sys_ref="x")) is None
    assert [name for name, _ in house.asked] == ["rights", "documents", "spend"]


def test_when_the_registry_moves_rights_are_looked_up_afresh_and_the_refusal_counts() -> None:
    house = House(stale=2)
    assert code(sisc(house, party=CLIENT)) is None
    assert [value for name, value in house.asked if name == "rights"] == [False, True, True]
    restless = House(stale=9)
    with pytest.raises(Failed):
        asyncio.run(documents(restless, sys_ref="x"))  # type: ignore[arg-type]
    assert "spend" not in {name for name, _ in restless.asked}


def test_a_right_that_goes_meanwhile_is_gone() -> None:
    class Moving(House):
        def rights(self, account_id: int, at: Any, *, fresh: bool = False) -> ReadingRights:
            return replace(RIGHTS, contexts=frozenset()) if fresh else RIGHTS

    assert code(sisc(Moving(stale=1), party=CLIENT)) == "read.no_permission"
