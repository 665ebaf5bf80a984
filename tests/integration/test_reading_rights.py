"""Whose documents an account may read, from the registry as it stands now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, insert, text, update
from sqlalchemy.engine import Engine

from gateway.collection import ReadingRights
from gateway.database import bump, writing
from gateway.errors import Deferred
from registry.accounts import Accounts
from registry.dates import read_moment
from registry.permissions import READ_ALL_EMPLOYEES, covers, is_granted_form
from registry.reading_rights import ReadingRegistry
from registry.tables import permissions, representations
from tests.registry_setting import AGENCY, ANNA, BARTEK, CLIENT, COMPANY, REGISTER, import_text, new_engine

AT = datetime(2026, 6, 15, 10, tzinfo=UTC)
PERSON = "80010112340000000"
DIRECT, CHAIN, FIRM = ("", AGENCY), (AGENCY, CLIENT), ("", COMPANY)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = new_engine(tmp_path)
    import_text(engine, tmp_path, REGISTER)
    return engine


@pytest.fixture
def ask(engine: Engine) -> Callable[..., ReadingRights]:
    registry = ReadingRegistry(engine, max_age=0)

    def rights(login: str = ANNA, at: datetime = AT) -> ReadingRights:
        account = Accounts(engine).find(login)
        assert account is not None
        return registry.rights(account.account_id, at)

    return rights


def change(engine: Engine, *statements: object) -> None:
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]
        bump(connection, "registry")


def test_direct_links_and_chains_are_contexts(ask: Callable[..., ReadingRights]) -> None:
    assert ask() == ReadingRights(PERSON, frozenset({DIRECT, CHAIN, FIRM}), frozenset(), 1)
    assert ask(BARTEK) == ReadingRights("75050543218000000", frozenset(), frozenset(), 1)


def test_an_unknown_or_inactive_account_acts_in_no_context(engine: Engine, ask: Callable[..., ReadingRights]) -> None:
    assert ReadingRegistry(engine).rights(999, AT) == ReadingRights(None, frozenset(), frozenset(), 1)
    change(engine, text("UPDATE accounts SET active = 0"))
    assert ask() == ReadingRights(None, frozenset(), frozenset(), 2)
    change(engine, text("UPDATE accounts SET active = 1, person_id = NULL"))
    assert ask() == ReadingRights(None, frozenset(), frozenset(), 3)


def test_what_ended_is_read_no_more_from_that_second_on(engine: Engine, ask: Callable[..., ReadingRights]) -> None:
    assert ask().contexts == {DIRECT, CHAIN, FIRM}
    change(engine, update(representations).where(representations.c.agency_id.is_not(None)).values(ended_at=AT))
    assert ask().contexts == {DIRECT, FIRM}
    assert ask(at=AT - timedelta(seconds=1)).contexts == {DIRECT, CHAIN, FIRM}
    change(engine, update(representations).where(representations.c.principal_id == 1).values(ended_at=AT))
    assert ask().contexts == {FIRM}, "without the first link the second is worth nothing"


def test_each_dated_edge_counts_without_a_change_of_the_registry(ask: Callable[..., ReadingRights]) -> None:
    """The chain's second link is valid to the end of 31 December, everything from 1 January."""
    last, first = read_moment("2027-01-01"), read_moment("2026-01-01")
    second = timedelta(seconds=1)
    assert [CHAIN in ask(at=at).contexts for at in (last - second, last, last - second, AT)] == [True, False, True, True]
    assert [len(ask(at=at).contexts) for at in (first - second, first, first - second)] == [0, 3, 0]


def test_all_employees_needs_the_permission_by_name_in_every_link(engine: Engine, ask: Callable[..., ReadingRights]) -> None:
    assert ask().all_employees == set(), "not even * includes it"

    def grant(representation: int) -> object:
        return insert(permissions).values(representation_id=representation, permission=READ_ALL_EMPLOYEES)

    change(engine, grant(1))
    assert ask().all_employees == {DIRECT}
    change(engine, grant(2), grant(3))
    assert ask().all_employees == {DIRECT, CHAIN, FIRM}
    change(engine, update(representations).where(representations.c.representation_id == 1).values(ended_at=AT))
    assert ask().all_employees == {FIRM}
    assert ask().contexts == {FIRM}


def test_the_permission_is_part_of_the_grammar_and_covers_no_document(
    engine: Engine, tmp_path: Path, ask: Callable[..., ReadingRights]
) -> None:
    assert is_granted_form("read-all-employees")
    assert not is_granted_form("read-everything")
    assert not covers({"read-all-employees"}, "NCTS2/CC015C")
    assert not covers({"*"}, "read-all-employees")
    import_text(engine, tmp_path, REGISTER.replace("[NCTS2/*]", "[NCTS2/*, read-all-employees]"))
    assert ask().all_employees == {DIRECT}


def test_answers_are_remembered_until_the_registry_moves(engine: Engine) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, cur, sql, args, ctx, many: statements.append(sql))
    registry = ReadingRegistry(engine, max_age=3600)
    before = registry.rights(1, AT)
    statements.clear()
    assert registry.rights(1, AT) is before
    assert statements == []
    change(engine, update(representations).values(ended_at=AT))
    assert registry.rights(1, AT) is before, "the door compares generations in the transaction that hands out, and asks afresh"
    assert registry.rights(1, AT, fresh=True).contexts == set()


def test_what_is_remembered_is_bounded(engine: Engine) -> None:
    registry = ReadingRegistry(engine, size=3)
    for account in (1, 2, 3, 4, 1, 2):
        registry.rights(account, AT)
    assert registry._held <= 4, "three contexts more than fit are let go, all but the newest"
    assert len(registry._remembered) <= 3


def test_a_database_that_does_not_answer_is_no_right(engine: Engine) -> None:
    registry = ReadingRegistry(engine, max_age=0)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE generations"))
    with pytest.raises(Deferred) as trouble:
        registry.rights(1, AT)
    assert trouble.value.code == "record.store_unavailable"


def test_the_links_are_found_by_indexes(engine: Engine) -> None:
    statements: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda c, cur, sql, args, ctx, many: statements.append((sql, args)))
    ReadingRegistry(engine).rights(1, AT)
    asked = [(sql, args) for sql, args in statements if "representations" in sql]
    assert len(asked) == 2
    with engine.connect() as connection:
        for sql, args in asked:
            steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", args)]  # type: ignore[arg-type]
            assert not [step for step in steps if step.startswith("SCAN")], steps
