"""GetDocuments in the store: every criterion alone and together, the cut, the marks that stay as they are, and the indexes."""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from gateway.collection import AT_MOST, BYTES_AT_MOST, Found, ReadingRights, Search, Wanted
from gateway.database import Database, bump, writing
from gateway.message import BusinessKeys
from gateway.ports import Stale
from gateway.storage.polling import Polling
from gateway.storage.search import Documents
from tests.walk import AT, put, put_answer

CLIENT, AGENCY = "PL852963741300000", "PL700000001500000"
RIGHTS = ReadingRights("Anna", frozenset({("", "PL1"), (AGENCY, CLIENT)}), frozenset({(AGENCY, CLIENT)}), 0)
DAY = timedelta(days=1)
WHEN = {"since": AT - DAY, "until": AT + 5 * DAY}


def find(database: Database, search: Search, rights: ReadingRights = RIGHTS, account: int = 1) -> Found:
    return asyncio.run(Documents(database).find(account, rights, search))


def ids(found: Found) -> list[str]:
    return [document.document_id for document in found.documents]


@pytest.fixture
def house(database: Database) -> dict[str, Any]:
    """Two messages of account 1, one of a colleague, one of a stranger; each has a UPP and an answer a day later; the answer of
    the first is collected."""
    made: dict[str, Any] = {}
    for name, account, options in (
        ("first", 1, {"party": "PL1", "keys": BusinessKeys(message_id="A1", sender="PL1", lrn="L1")}),
        ("second", 1, {"agency": AGENCY, "party": CLIENT, "system": "AES", "keys": BusinessKeys(message_id="A2", sender="X", lrn="L2")}),
        (
            "colleague",
            2,
            {"agency": AGENCY, "party": CLIENT, "person": "Bartek", "keys": BusinessKeys(message_id="A3", sender="X", lrn="L1")},
        ),
        ("stranger", 3, {"party": "PL9", "person": "Celina", "keys": BusinessKeys(message_id="A1", sender="PL9", lrn="L1")}),
    ):
        (sys_ref,) = put(database, name.encode(), account=account, **options)
        answer = put_answer(database, sys_ref, b"<answer/>", at=AT + DAY)
        with writing(database.engine) as connection:
            receipt = connection.execute(text("SELECT document_id FROM mailbox WHERE kind = 'UPP' ORDER BY id DESC")).scalars().first()
        made[name] = {"sys_ref": sys_ref, "receipt": receipt, "answer": answer}
    with writing(database.engine) as connection:
        connection.execute(text("UPDATE messages SET mrn = '26PL1' WHERE sys_ref = :s"), {"s": made["first"]["sys_ref"]})
        row = connection.execute(text("SELECT id FROM mailbox WHERE document_id = :d"), {"d": made["first"]["answer"]}).scalar_one()
        connection.execute(text("UPDATE collections SET collected_at = 1 WHERE document = :row"), {"row": row})
    return made


def test_each_criterion_alone(database: Database, house: dict[str, Any]) -> None:
    first, second, colleague = house["first"], house["second"], house["colleague"]
    mine = [first["receipt"], second["receipt"], first["answer"], second["answer"]]
    expected = [
        (Search(**WHEN), mine),
        (Search(sys_ref=first["sys_ref"]), [first["receipt"], first["answer"]]),
        (Search(sys_ref=second["answer"]), [second["answer"]]),
        (Search(correlation=second["sys_ref"]), [second["receipt"], second["answer"]]),
        (Search(correlation=second["answer"]), []),
        (Search(dispatch_id=first["answer"]), [first["answer"]]),
        (Search(own_id="A1"), [first["receipt"], first["answer"]]),
        (Search(case_id="L1"), [first["receipt"], first["answer"]]),
        (Search(case_id="26PL1"), [first["receipt"], first["answer"]]),
        (Search(case_id="L3"), []),
        (Search(collected=True, **WHEN), [first["answer"]]),
        (Search(collected=False, **WHEN), [d for d in mine if d != first["answer"]]),
        (Search(since=AT, until=AT + timedelta(microseconds=1)), mine[:2]),
        (Search(since=AT + timedelta(microseconds=1), until=AT + DAY), []),
        (Search(Wanted(system="AES"), **WHEN), [second["receipt"], second["answer"]]),
        (Search(Wanted(party="PL1"), **WHEN), [first["receipt"], first["answer"]]),
        (Search(Wanted(agency=AGENCY, party=CLIENT), **WHEN), [second["receipt"], second["answer"]]),
        (
            Search(Wanted(all_employees=True), **WHEN),
            [first["receipt"], second["receipt"], colleague["receipt"], first["answer"], second["answer"], colleague["answer"]],
        ),
        (Search(Wanted(person="Bartek", all_employees=True), **WHEN), [colleague["receipt"], colleague["answer"]]),
        (Search(Wanted(all_employees=True), correlation=colleague["sys_ref"]), [colleague["receipt"], colleague["answer"]]),
        (Search(correlation=colleague["sys_ref"]), []),
        (Search(Wanted(all_employees=True), correlation=house["stranger"]["sys_ref"]), []),
        (Search(Wanted(all_employees=True), case_id="L1"), [first["receipt"], colleague["receipt"], first["answer"], colleague["answer"]]),
    ]
    for search, documents in expected:
        assert ids(find(database, search)) == documents, search


def test_every_combination_is_what_all_its_criteria_have_in_common(database: Database, house: dict[str, Any]) -> None:
    """All subsets of a criterion each that leave something, against the sets that each finds alone."""
    first = house["first"]
    parts: list[dict[str, Any]] = [
        {"sys_ref": first["sys_ref"]}, {"dispatch_id": first["answer"]}, {"own_id": "A1"}, {"case_id": "L1"},
        {"correlation": first["sys_ref"]}, {"collected": True}, {"collected": False}, {"since": AT, "until": AT + timedelta(hours=1)},
        {"wanted": Wanted(party="PL1")}, {"wanted": Wanted(system="AES")}, {"wanted": Wanted(person="Anna")},
    ]  # fmt: skip
    alone = [set(ids(find(database, Search(**({} if "since" in part else WHEN) | part)))) for part in parts]
    everything = ids(find(database, Search(**WHEN)))
    tried = 0
    for size in (2, 3, 4):
        for chosen in itertools.combinations(range(len(parts)), size):
            keys = [key for number in chosen for key in parts[number]]
            if len(keys) != len(set(keys)):
                continue
            both: dict[str, Any] = dict(WHEN)
            for number in chosen:
                both |= parts[number]
            common = set.intersection(*(alone[number] for number in chosen))
            assert ids(find(database, Search(**both))) == [document for document in everything if document in common], both
            tried += 1
    assert tried > 250


def test_nothing_is_marked_and_what_was_handed_out_is_found_again(database: Database) -> None:
    put(database, b"<a/>", party="PL1")
    box = Polling(database, Documents(database), lambda: AT, claim_seconds=180, token_window=300, bound=9)
    find(database, Search(**WHEN))
    handed = asyncio.run(box.next(1, RIGHTS, Wanted(), None, AT, month=True))
    assert handed is not None
    assert ids(find(database, Search(collected=False, **WHEN))) == [handed.document_id], "claimed is not collected"
    asyncio.run(box.collected(handed.document_id, handed.claim))
    again = find(database, Search(collected=True, **WHEN))
    assert [document.content for document in again.documents] == [handed.content]
    assert ids(find(database, Search(collected=False, **WHEN))) == []


def test_no_more_than_a_hundred_and_from_when_the_rest_is(database: Database) -> None:
    for number in range(7):
        context = {"party": "PL1"} if number % 2 else {"party": CLIENT, "agency": AGENCY}
        put(database, *(b"<a n='%d-%d'/>" % (number, n) for n in range(15)), at=AT + timedelta(minutes=number), **context)
    found = find(database, Search(**WHEN))
    assert len(found.documents) == AT_MOST
    assert (found.cut, found.rest_from) == ("count", AT + timedelta(minutes=6))
    rest = find(database, Search(since=found.rest_from, until=WHEN["until"]))
    assert rest.cut is None
    assert len(set(ids(found)) | set(ids(rest))) == 105, "nothing between the two answers is lost"
    assert find(database, Search(since=AT, until=AT + timedelta(minutes=6))).cut is None


def test_no_more_than_ten_megabytes_but_one_in_any_case(database: Database) -> None:
    (sys_ref,) = put(database, b"<a/>", party="PL1")
    for number, size in enumerate((BYTES_AT_MOST // 2, BYTES_AT_MOST // 2 - 6, 1, BYTES_AT_MOST + 1, 1)):
        put_answer(database, sys_ref, bytes([number]) * size, at=AT + timedelta(minutes=1 + number))

    def sizes(since: datetime) -> tuple[list[int], str | None, datetime | None]:
        found = find(database, Search(since=since, until=WHEN["until"]))
        return [len(document.content) for document in found.documents], found.cut, found.rest_from

    assert sizes(AT) == ([6, BYTES_AT_MOST // 2, BYTES_AT_MOST // 2 - 6], "bytes", AT + timedelta(minutes=3))
    assert sizes(AT + timedelta(minutes=3)) == ([1], "bytes", AT + timedelta(minutes=4))
    assert sizes(AT + timedelta(minutes=4)) == ([BYTES_AT_MOST + 1], "bytes", AT + timedelta(minutes=5))
    assert sizes(AT + timedelta(minutes=5)) == ([1], None, None)


def test_rights_of_another_generation_are_stale(database: Database, house: dict[str, Any]) -> None:
    with writing(database.engine) as connection:
        bump(connection, "registry")
    with pytest.raises(Stale):
        find(database, Search(**WHEN))
    assert find(database, Search(**WHEN), rights=replace(RIGHTS, generation=1)).documents


def test_every_statement_is_served_by_an_index(database: Database, house: dict[str, Any]) -> None:
    """No statement of a poll or a search reads a whole table, and none sorts what a tray holds."""
    statements: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda c, cur, sql, values, ctx, many: statements.append((sql, values)))
    criteria: dict[str, Any] = {"sys_ref": "x", "dispatch_id": "x", "own_id": "x", "case_id": "x", "correlation": "x"}
    for wanted in (Wanted(), Wanted(all_employees=True)):
        for collected in (None, True, False):
            find(database, Search(wanted, collected=collected, **WHEN))
            for name, value in criteria.items():
                find(database, Search(wanted, collected=collected, **{name: value}))
    box = Polling(database, Documents(database), lambda: AT, claim_seconds=180, token_window=300, bound=9)
    cursor = box._cursor()
    traced: list[str] = []
    cursor.connection.set_trace_callback(traced.append)
    for wanted in (Wanted(), Wanted(all_employees=True)):
        assert asyncio.run(box.next(1, RIGHTS, wanted, f"n{wanted.all_employees}", AT, month=True)) is not None
    cursor.connection.set_trace_callback(None)
    plans = 0
    for sql, values in [*statements, *((sql, ()) for sql in traced)]:
        if "collections" not in sql and "mailbox" not in sql:
            continue
        steps = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
        for step in steps:
            assert not re.match(r"SCAN (collections|mailbox|messages|trays|c|m)\b", step), (step, sql, steps)
            assert " IN (SELECT" in sql or "TEMP B-TREE FOR ORDER BY" not in step, (step, sql, steps)
        if " IN (SELECT" in sql and "collections AS c" in sql:
            assert "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)" in steps, (sql, steps)
        elif "collections AS c" in sql:
            found = [step for step in steps if re.match("SEARCH c ", step)]
            assert found, steps
            assert all(
                re.search(r"ix_collections_(waiting \(account_id=\? AND tray|collected \(tray)=\? AND created_at>", s) for s in found
            ), found
        plans += 1
    assert plans > 30
