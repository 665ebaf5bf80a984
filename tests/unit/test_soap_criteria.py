"""The criteria of the reading operations as they stand on the wire, and what the door does with a nonce."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.collection import Search, Wanted
from gateway.endpoints.soap.contract import SYSTEMS
from gateway.errors import Deferred, Rejected
from tests.soap_requests import (
    Gate,
    Token,
    accept_body,
    addressing,
    content,
    documents_body,
    envelope,
    next_body,
    security,
    sisc_body,
    told,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def asked(body: str) -> Wanted | Search:
    gate = Gate()
    reply = gate.post(envelope(body))
    assert reply.status == 200, reply.body
    return gate.asked[0]


def fault(body: str) -> tuple[str, str, str | None, str | None, str | None]:
    gate = Gate()
    found = told(gate.post(envelope(body)))
    assert gate.asked == []
    return found


def period(first: str | None, last: str | None) -> tuple[str | None, str | None]:
    """What is searched, in UTC; [since, until)."""
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in (("dataOd", first), ("dataDo", last)) if value is not None)
    search = asked(documents_body(inner))
    assert isinstance(search, Search)
    since, until = (None if at is None else at.isoformat().removesuffix("+00:00") for at in (search.since, search.until))
    return since, until


def test_every_criterion_of_both_editions_arrives() -> None:
    inner = (
        "<idSiscROF>80010112340000000</idSiscROF><idSiscROP>PL700000001500000</idSiscROP><idSiscP> PL852963741300000 </idSiscP>"
        "<sysRef>s</sysRef><idWysylki>w</idWysylki><idDocSysZew>z</idDocSysZew><idSprawy>c</idSprawy><pobrany>0</pobrany>"
        "<dataOd>2026-03-01</dataOd><dataDo>2026-03-02</dataDo><korelacjaSysref>k</korelacjaSysref>"
        "<allEmployees>true</allEmployees><targetSystem>TAX FREE</targetSystem>"
    )
    wanted = Wanted("TAX-FREE", "80010112340000000", "PL700000001500000", "PL852963741300000", all_employees=True)
    since, until = datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert asked(documents_body(inner)) == Search(wanted, "s", "w", "z", "c", "k", False, since, until)
    assert asked(sisc_body(inner)) == wanted
    assert asked(next_body(inner)) == Wanted("TAX-FREE"), "GetNextDocument knows one filter"


def test_absent_and_empty_ask_for_nothing() -> None:
    empty = "".join(
        f"<{name}/>" for name in ("idSiscROF", "sysRef", "pobrany", "dataOd", "dataDo", "allEmployees", "targetSystem", "unknown")
    )
    assert asked(documents_body()) == asked(documents_body(empty)) == Search()
    assert asked(sisc_body(empty)) == asked(next_body(empty)) == asked(next_body()) == Wanted()


@pytest.mark.parametrize("system", [*SYSTEMS, "PODMIOT"])
def test_every_system_of_the_wire_is_taken(system: str) -> None:
    wanted = asked(next_body(f"<targetSystem>{system}</targetSystem>"))
    assert wanted == Wanted(SYSTEMS.get(system)), "PODMIOT is the trader: every document towards him carries it"


@pytest.mark.parametrize("body", [next_body, sisc_body, documents_body])
def test_an_unknown_system_is_named_and_the_known_ones_are_listed(body: Any) -> None:
    code, text, detail, _, _ = fault(body("<targetSystem>NCTS3</targetSystem>"))
    assert code.endswith("}Client")
    assert detail is None
    for part in ("NCTS3", "SENT", "TAX FREE", "ISZTAR4"):
        assert part in text


@pytest.mark.parametrize(
    ("inner", "names"),
    [
        ("<pobrany>2</pobrany>", "pobrany"),
        ("<pobrany>true</pobrany>", "pobrany"),
        ("<allEmployees>yes</allEmployees>", "allEmployees"),
        ("<dataOd>01.03.2026</dataOd>", "dataOd"),
        ("<dataOd>2026-02-30</dataOd>", "dataOd"),
        ("<dataDo>2026-03-01T25:00:00</dataDo>", "dataDo"),
        ("<dataDo>2026-03-01T24:00:01</dataDo>", "dataDo"),
        ("<dataDo>2026-03-01 10:00:00</dataDo>", "dataDo"),
        ("<dataDo>0001-01-01</dataDo>", "dataDo"),
        ("<dataDo>9999-12-31</dataDo>", "dataDo"),
        ("<dataDo>2026-03-01T10:00:00+15:00</dataDo>", "dataDo"),
        ("<sysRef>" + "x" * 256 + "</sysRef>", "sysRef"),
        ("<sysRef>1</sysRef><sysRef>2</sysRef>", "sysRef"),
    ],
)
def test_what_means_nothing_is_refused_and_not_dropped(inner: str, names: str) -> None:
    code, text, _, _, _ = fault(documents_body(inner))
    assert code.endswith("}Client")
    assert names in text


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-03-01", "2026-03-01", ("2026-02-28T23:00:00", "2026-03-01T23:00:00")),
        ("2026-03-01", "2026-03-11", ("2026-02-28T23:00:00", "2026-03-11T23:00:00")),
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00", ("2026-07-01T10:00:00", "2026-07-01T10:00:00.000001")),
        ("2026-07-01T12:00:00Z", "2026-07-02T12:00:00.5+02:00", ("2026-07-01T12:00:00", "2026-07-02T10:00:00.500001")),
        ("2026-03-01+05:00", "2026-03-01Z", ("2026-02-28T19:00:00", "2026-03-02T00:00:00")),
        ("2026-03-01", "2026-03-01T24:00:00", ("2026-02-28T23:00:00", "2026-03-01T23:00:00.000001")),
        # ten days of the clock, of 239 and of 241 hours, where it is set forward and back; the day itself has 23 and 25
        ("2026-03-20T12:00:00", "2026-03-30T12:00:00", ("2026-03-20T11:00:00", "2026-03-30T10:00:00.000001")),
        ("2026-10-20T12:00:00", "2026-10-30T12:00:00", ("2026-10-20T10:00:00", "2026-10-30T11:00:00.000001")),
        ("2026-03-29", "2026-03-29", ("2026-03-28T23:00:00", "2026-03-29T22:00:00")),
        ("2026-10-25", "2026-10-25", ("2026-10-24T22:00:00", "2026-10-25T23:00:00")),
        # the hour that comes twice belongs to the period whole
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00", ("2026-10-25T00:30:00", "2026-10-25T01:30:00.000001")),
        # and what stands on the clock of an hour that is skipped loses nothing either side of the skip
        ("2026-03-29T02:20:00", "2026-03-29T03:20:00", ("2026-03-29T00:20:00", "2026-03-29T01:20:00.000001")),
        ("2026-03-29T01:45:00", "2026-03-29T02:30:00", ("2026-03-29T00:45:00", "2026-03-29T01:30:00.000001")),
        (None, None, (None, None)),
        ("2026-03-01", None, ("2026-02-28T23:00:00", None)),
    ],
)
def test_days_and_times_of_warsaw(first: str | None, last: str | None, expected: tuple[str | None, str | None]) -> None:
    assert period(first, last) == expected


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-01", "2026-03-12"),
        ("2026-03-02", "2026-03-01"),
        ("2026-03-01T00:00:00", "2026-03-11T00:00:01"),
        ("2026-03-01T12:00:00", "2026-03-01T11:59:59"),
        ("2026-03-01T00:00:00Z", "2026-03-11T02:00:00"),
    ],
)
def test_more_than_ten_days_or_backwards_is_b006(first: str, last: str) -> None:
    told_ = fault(documents_body(f"<dataOd>{first}</dataOd><dataDo>{last}</dataDo>"))
    assert told_[1:4] == ("DataOd and DataDo must be defined and must be limited up to 10 days period", "businessErrorFault", "B006")


# --- the nonce of a call that came to nothing ---------------------------------------------------------------------------


def call(token: Token, body: str) -> bytes:
    return envelope(body, addressing() + security(token.xml()))


FAILING = {
    "no operation": "<Nothing xmlns='urn:x'/>",
    "bad Base64": accept_body(content("QUJ")),
    "unknown system": next_body("<targetSystem>X</targetSystem>"),
    "bad period": documents_body("<dataOd>2026-03-02</dataOd><dataDo>2026-03-01</dataDo>"),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_fault_after_the_token_was_proven_spends_the_nonce(name: str) -> None:
    gate, token = Gate(), Token()
    first = told(gate.post(call(token, FAILING[name])))
    assert "SecurityError" not in first[0]
    assert len(gate.spent) == 1
    assert "SecurityError" in told(gate.post(call(token, FAILING[name])))[0], "the same call again is a replay"
    assert told(gate.post(call(Token(), FAILING[name]))) == first


@pytest.mark.parametrize(
    "error", [Rejected("identify.unknown", root="R", namespace="N"), Deferred("receive.busy", seconds=1), RuntimeError()]
)
def test_so_does_one_that_the_walk_refuses_or_breaks_on(error: Exception) -> None:
    gate = Gate()
    gate.error = error
    assert "SecurityError" not in told(gate.post(call(Token(), accept_body())))[0]
    assert len(gate.spent) == 1


@pytest.mark.parametrize("token", [Token(login="x@y.example"), Token(password="wrong"), Token(created="2026-03-01T11:00:00Z")])
def test_who_was_not_proven_spends_nothing(token: Token) -> None:
    gate = Gate()
    assert "SecurityError" in told(gate.post(call(token, next_body())))[0]
    assert gate.spent == set()


def test_nothing_is_spent_where_the_store_took_nothing_or_the_call_was_answered() -> None:
    gate = Gate()
    assert gate.post(call(Token(), next_body())).status == 200
    gate.error = Deferred("record.store_unavailable")
    assert told(gate.post(call(Token(), next_body())))[3] == "E001"
    gate.error = Rejected("token.refused")
    assert "SecurityError" in told(gate.post(call(Token(), next_body())))[0]
    assert gate.spent == set()


def test_a_store_that_cannot_take_the_nonce_is_what_the_sender_hears() -> None:
    gate = Gate()

    async def busy(account_id: int, nonce: str, at: datetime) -> None:
        raise Deferred("record.store_unavailable")

    gate.spend = busy  # type: ignore[method-assign]
    assert told(gate.post(call(Token(), FAILING["bad Base64"])))[3] == "E001"
