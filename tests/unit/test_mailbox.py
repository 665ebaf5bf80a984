"""Polling: oldest first, by context and system, claimed while read, collected once written, never lost."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.collection import HandedOut, ReadingRights, Wanted
from gateway.database import LOCK_LIMIT, Database, bump, writing
from gateway.errors import Deferred, Rejected
from gateway.message import BusinessKeys
from gateway.ports import Stale
from gateway.storage import mailbox
from gateway.storage.polling import Polling
from gateway.storage.search import Documents
from tests.walk import AT, accepted, put, put_answer, received, refused

CLAIM = 180
MONTH = timedelta(days=31)
CLIENT, OTHER, AGENCY = "PL852963741300000", "PL777000111100000", "PL700000001500000"
ANYTHING = Wanted()
RIGHTS = ReadingRights("Anna", frozenset({("", "PL1"), (AGENCY, CLIENT), (AGENCY, OTHER)}), frozenset(), 0)


@pytest.fixture
def box(database: Database) -> Polling:
    return new_box(database)


def new_box(database: Database, bound: int = 1000) -> Polling:
    return Polling(database, Documents(database), lambda: AT, claim_seconds=CLAIM, token_window=300, bound=bound)


def fill(database: Database, number: int, account: int = 1, **options: Any) -> list[str]:
    return put(
        database,
        *(b"<m n='%d' %d='%a'/>" % (n, account, sorted(options.values(), key=str)) for n in range(number)),
        account=account,
        **options,
    )


def poll(
    box: Polling,
    at: datetime = AT,
    account: int = 1,
    nonce: str | None = None,
    wanted: Wanted = ANYTHING,
    rights: ReadingRights = RIGHTS,
    month: bool = True,
) -> HandedOut | None:
    return asyncio.run(box.next(account, rights, wanted, nonce, at, month=month))


def test_a_large_document_is_read_and_written_beside_the_event_loop(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty polls of 10 MB at once would hold it up for two seconds."""
    fill(database, 2)
    with writing(database.engine) as connection:
        connection.execute(text("UPDATE mailbox SET content = zeroblob(200000) WHERE id = (SELECT min(id) FROM mailbox)"))
    threads: list[int] = []
    read = Documents._content

    def content(self: Documents, document: int) -> bytes:
        threads.append(threading.get_ident())
        return read(self, document)

    monkeypatch.setattr(Documents, "_content", content)
    large, small = take(new_box(database)), take(new_box(database))
    assert large.content == bytes(200_000)
    assert 0 < len(small.content) < 100_000
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def take(box: Polling, at: datetime = AT) -> HandedOut:
    handed = poll(box, at)
    assert handed is not None
    return handed


def drain(box: Polling, **options: Any) -> list[HandedOut]:
    """Everything that waits for this poll, each collected."""
    taken = []
    while (handed := poll(box, **options)) is not None:
        asyncio.run(box.collected(handed.document_id, handed.claim))
        taken.append(handed)
    return taken


def test_oldest_first_with_has_next_until_the_last(database: Database, box: Polling) -> None:
    sys_refs = fill(database, 3)
    assert [(handed.sys_ref, handed.has_next) for handed in drain(box)] == list(zip(sys_refs, (True, True, False), strict=True))


def test_two_polls_at_once_get_two_documents(database: Database, box: Polling) -> None:
    fill(database, 2)
    assert take(box).document_id != take(box).document_id
    assert poll(box) is None


def test_released_and_expired_claims_are_handed_out_again(database: Database, box: Polling) -> None:
    fill(database, 1)
    first = take(box)
    asyncio.run(box.release(first.document_id, first.claim))
    second = take(box)
    assert second.document_id == first.document_id
    assert poll(box, AT + timedelta(seconds=CLAIM - 1)) is None
    third = take(box, AT + timedelta(seconds=CLAIM))
    asyncio.run(box.collected(second.document_id, second.claim))  # the old claim: says nothing any more
    asyncio.run(box.release(third.document_id, third.claim))
    assert take(box).document_id == first.document_id


def test_a_late_release_does_not_undo_a_collection(database: Database, box: Polling) -> None:
    fill(database, 1)
    handed = take(box)
    asyncio.run(box.collected(handed.document_id, handed.claim))
    asyncio.run(box.release(handed.document_id, handed.claim))
    assert poll(box) is None


def test_another_accounts_documents_stay_out_of_sight(database: Database, box: Polling) -> None:
    fill(database, 1, account=1)
    assert poll(box, account=2) is None


def test_older_than_a_month_is_not_handed_out_unless_by_idsisc(database: Database, box: Polling) -> None:
    fill(database, 1)
    late = AT + timedelta(days=31, seconds=1)
    assert poll(box, late) is None
    assert poll(box, AT + timedelta(days=30)) is not None
    old = poll(box, late + timedelta(days=1000), month=False, wanted=Wanted(party="PL1"))
    assert old is not None


def test_used_nonce_gets_nothing_and_claims_nothing(database: Database, box: Polling) -> None:
    fill(database, 1)
    assert poll(box, account=9, nonce="n") is None
    with pytest.raises(Rejected) as refusal:
        poll(box, account=9, nonce="n")
    assert refusal.value.code == "token.refused"
    assert poll(box, nonce="n") is not None, "another account's nonce"
    asyncio.run(box.spend(1, "m", AT))
    for again in (box.spend(1, "m", AT), box.spend(1, "n", AT)):
        with pytest.raises(Rejected):
            asyncio.run(again)


def test_documents_come_with_bytes_grades_dispatch_and_case(database: Database, box: Polling) -> None:
    (sys_ref,) = fill(database, 1, agency=AGENCY, party=CLIENT, keys=BusinessKeys(lrn="L1"))
    receipt = take(box)
    assert (receipt.filename, receipt.content, receipt.mime) == ("UPP.xml", b"<UPP/>", "application/xml")
    assert (receipt.person_sisc, receipt.middle_sisc, receipt.end_sisc) == ("Anna", AGENCY, CLIENT)
    assert (receipt.dispatch_id, receipt.case_id, receipt.sys_ref) == (receipt.document_id, "L1", sys_ref)
    with writing(database.engine) as connection:
        connection.execute(text("UPDATE messages SET mrn = '26PL1'"))
    answer = put_answer(database, sys_ref, b"<CC028C/>")
    handed = take(box)
    assert (handed.document_id, handed.case_id) == (answer, "26PL1")
    assert (handed.person_sisc, handed.middle_sisc, handed.end_sisc) == ("Anna", AGENCY, CLIENT)


def test_a_refusal_carries_the_person_alone_as_far_as_the_account_names_one(database: Database, box: Polling) -> None:
    with writing(database.engine) as connection:
        connection.execute(text("INSERT INTO persons VALUES (5, '80010112340000000', 'Anna', 'P')"))
        connection.execute(text("INSERT INTO accounts (account_id, login, person_id, active) VALUES (2, 'a@x', 5, 1)"))
    from tests.unit.test_committer import record

    record(database, refused(received(b"<x/>", account=1)), refused(received(b"<x/>", account=2)))
    nobody = poll(box)
    known = poll(box, account=2, rights=replace(RIGHTS, person="80010112340000000", contexts=frozenset()))
    assert nobody is not None
    assert known is not None
    assert (nobody.person_sisc, nobody.middle_sisc, nobody.end_sisc) == (None, None, None)
    assert (known.person_sisc, known.middle_sisc, known.end_sisc) == ("80010112340000000", None, None)


# --- contexts, filters, rights ------------------------------------------------------------------------------------------


@pytest.fixture
def full(database: Database) -> dict[str, str]:
    """One document each: name -> sysRef."""
    contexts: dict[str, dict[str, Any]] = {
        "own company": {"party": "PL1"},
        "client": {"agency": AGENCY, "party": CLIENT},
        "client in AES": {"agency": AGENCY, "party": CLIENT, "system": "AES"},
        "other client": {"agency": AGENCY, "party": OTHER},
        "colleague for the client": {"agency": AGENCY, "party": CLIENT, "account": 2, "person": "Bartek"},
        "colleague for the other": {"agency": AGENCY, "party": OTHER, "account": 2, "person": "Bartek"},
        "client's own": {"party": CLIENT, "account": 3, "person": "Celina"},
    }
    return {name: fill(database, 1, **options)[0] for name, options in contexts.items()}


ALL = replace(RIGHTS, all_employees=frozenset({(AGENCY, CLIENT)}))
FILTERS: dict[str, tuple[Wanted, set[str]]] = {
    "nothing": (Wanted(), {"own company", "client", "client in AES", "other client"}),
    "system": (Wanted(system="AES"), {"client in AES"}),
    "another system": (Wanted(system="EMCSPL2"), set()),
    "person": (Wanted(person="Anna"), {"own company", "client", "client in AES", "other client"}),
    "agency": (Wanted(agency=AGENCY), {"client", "client in AES", "other client"}),
    "party": (Wanted(party=CLIENT), {"client", "client in AES"}),
    "party and system": (Wanted(party=CLIENT, system="NCTS2"), {"client"}),
    "agency and party": (Wanted(agency=AGENCY, party=OTHER), {"other client"}),
    "person, agency and party": (Wanted(person="Anna", agency=AGENCY, party=OTHER), {"other client"}),
    "person and strange party": (Wanted(person="Bartek", party=CLIENT), set()),
    "all employees": (
        Wanted(all_employees=True),
        {"own company", "client", "client in AES", "other client", "colleague for the client"},
    ),
    "all employees, one person": (Wanted(person="Bartek", all_employees=True), {"colleague for the client"}),
    "all employees, one party": (Wanted(party=CLIENT, all_employees=True), {"client", "client in AES", "colleague for the client"}),
    "all employees, party without the right": (Wanted(party=OTHER, all_employees=True), {"other client"}),
    "all employees, one system": (Wanted(system="AES", all_employees=True), {"client in AES"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_and_has_next_under_the_same_filter(database: Database, box: Polling, full: dict[str, str], name: str) -> None:
    wanted, expected = FILTERS[name]
    names = {sys_ref: name for name, sys_ref in full.items()}
    taken = drain(box, wanted=wanted, rights=ALL, month=False)
    assert {names[handed.sys_ref] for handed in taken} == expected
    assert [handed.has_next for handed in taken] == [True] * (len(expected) - 1) + [False] * bool(expected)


def test_all_employees_is_nothing_without_being_asked_for_or_without_the_right(
    database: Database, box: Polling, full: dict[str, str]
) -> None:
    own = {full[name] for name in ("own company", "client", "client in AES", "other client")}
    assert {handed.sys_ref for handed in drain(box, rights=RIGHTS, wanted=Wanted(all_employees=True))} == own
    assert poll(box, rights=ALL, wanted=Wanted()) is None


def test_without_the_representation_not_even_what_one_sent_oneself(database: Database, box: Polling, full: dict[str, str]) -> None:
    ended = replace(RIGHTS, contexts=RIGHTS.contexts - {(AGENCY, CLIENT)})
    assert {handed.sys_ref for handed in drain(box, rights=ended)} == {full["own company"], full["other client"]}
    assert {handed.sys_ref for handed in drain(box)} == {full["client"], full["client in AES"]}, "it waits until the right is back"


def test_an_account_that_passes_to_another_person_shows_him_nothing(database: Database, box: Polling, full: dict[str, str]) -> None:
    assert drain(box, rights=replace(RIGHTS, person="Bartek")) == []


def test_the_registry_moved_so_rights_are_stale_and_nothing_is_claimed_or_spent(database: Database, box: Polling) -> None:
    fill(database, 1)
    with writing(database.engine) as connection:
        bump(connection, "registry")
    with pytest.raises(Stale):
        poll(box, nonce="n")
    assert poll(box, nonce="n", rights=replace(RIGHTS, generation=1)) is not None


# --- many at once -------------------------------------------------------------------------------------------------------


def test_polls_that_wait_together_share_one_commit_and_no_document(database: Database, box: Polling) -> None:
    fill(database, 40)
    commits: list[str] = []

    async def together() -> list[HandedOut | None]:
        box._cursor().connection.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
        return await asyncio.gather(*(box.next(1, RIGHTS, Wanted(), f"n{n}", AT, month=True) for n in range(32)))

    handed = asyncio.run(together())
    assert len(commits) == 1
    assert len({one.document_id for one in handed if one is not None}) == 32


def test_one_used_nonce_in_a_batch_harms_no_other(database: Database, box: Polling) -> None:
    fill(database, 3)

    async def together() -> list[HandedOut | BaseException | None]:
        calls = (box.next(1, RIGHTS, Wanted(), nonce, AT, month=True) for nonce in ("a", "a", "b"))
        return await asyncio.gather(*calls, return_exceptions=True)

    first, again, other = asyncio.run(together())
    assert isinstance(first, HandedOut)
    assert isinstance(again, Rejected)
    assert isinstance(other, HandedOut)
    assert first.document_id != other.document_id


def test_whoever_went_away_before_his_turn_holds_nothing(database: Database, box: Polling) -> None:
    fill(database, 1)

    async def gone() -> None:
        call = asyncio.ensure_future(box.next(1, RIGHTS, Wanted(), "n", AT, month=True))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.01)

    asyncio.run(gone())
    assert poll(box, nonce="n") is not None


def test_past_the_bound_the_door_is_told(database: Database) -> None:
    box = new_box(database, bound=2)

    async def together() -> list[HandedOut | BaseException | None]:
        return await asyncio.gather(*(box.next(1, RIGHTS, Wanted(), f"{n}", AT, month=True) for n in range(3)), return_exceptions=True)

    outcomes = asyncio.run(together())
    assert outcomes[:2] == [None, None]
    assert isinstance(outcomes[2], Deferred)
    assert outcomes[2].code == "receive.busy"


def test_a_locked_store_holds_up_a_poll_no_longer_than_the_lock_may_be_waited_for(database: Database, box: Polling) -> None:
    """The poll runs on the event loop: with SQLite's own patience of 5 s every caller of the process would stand still."""
    other = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    with pytest.raises(Deferred) as busy:
        poll(box)
    taken = time.monotonic() - begun
    other.execute("ROLLBACK")
    assert busy.value.code == "record.store_unavailable"
    assert taken < 4 * LOCK_LIMIT


# --- for whoever else hands documents out ---------------------------------------------------------------------------------


def test_one_document_is_claimed_collected_and_released_by_its_row(database: Database, box: Polling) -> None:
    fill(database, 1)
    until = AT + timedelta(seconds=60)
    with writing(database.engine) as connection:
        number = mailbox.claim(connection, 1, AT, until)
        assert number == 1
        assert mailbox.claim(connection, 1, AT, until) is None, "somebody holds it"
        document_id = connection.execute(text("SELECT document_id FROM mailbox")).scalar_one()
    assert poll(box) is None, "a poll does not take it either"
    with writing(database.engine) as connection:
        mailbox.release(connection, document_id, number)
        second = mailbox.claim(connection, 1, AT, until)
        assert second == 2
        mailbox.collect(connection, document_id, number, AT)  # an older claim ends nothing
        assert mailbox.claim(connection, 1, until, until + MONTH) == 3, "it ended by itself"
        mailbox.collect(connection, document_id, 3, AT)
        assert mailbox.claim(connection, 1, until + 2 * MONTH, until + 3 * MONTH) is None


def test_the_trays_of_a_transaction_that_failed_are_not_remembered(database: Database) -> None:
    from gateway.channels.committer import SqliteCommitter
    from tests.walk import FixedProfiles

    async def broken_then_good() -> list[object]:
        keeper = SqliteCommitter(database, FixedProfiles(), lambda: AT, bound=10, token_window=300)
        broken = accepted(received(b"<x/>"))
        object.__setattr__(broken.receipt, "content", object())  # sqlite3 cannot store it, and finds out after the tray was made
        first = await asyncio.gather(keeper.record(broken), return_exceptions=True)
        return [*first, await keeper.record(accepted(received(b"<y/>")))]

    first, second = asyncio.run(broken_then_good())
    assert isinstance(first, Deferred)
    with database.reading() as connection:
        rows = connection.execute(text("SELECT m.sys_ref, t.party FROM messages m JOIN trays t ON t.id = m.tray")).all()
    assert rows == [(second.sys_ref, "PL1")]  # type: ignore[attr-defined]
