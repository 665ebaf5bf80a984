"""Polling: oldest first, claimed while read, collected once written, never lost."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from datetime import datetime, timedelta

import pytest

from gateway.database import LOCK_LIMIT, Database
from gateway.errors import Deferred, Rejected
from gateway.storage.mailbox import HandedOut, Mailbox
from tests.walk import AT, put

CLAIM = 180


@pytest.fixture
def box(database: Database) -> Mailbox:
    return Mailbox(database, lambda: AT, claim_seconds=CLAIM, token_window=300)


def fill(database: Database, number: int, account: int = 1) -> list[str]:
    return put(database, *(b"<m n='%d'/>" % n for n in range(number)), account=account)


def poll(box: Mailbox, at: datetime = AT, account: int = 1, nonce: str | None = None) -> HandedOut | None:
    return asyncio.run(box.next(account, nonce, at))


def take(box: Mailbox, at: datetime = AT) -> HandedOut:
    handed = poll(box, at)
    assert handed is not None
    return handed


def test_oldest_first_with_has_next_until_the_last(database: Database, box: Mailbox) -> None:
    sys_refs = fill(database, 3)
    seen = []
    while (handed := poll(box)) is not None:
        seen.append((handed.sys_ref, handed.has_next))
        asyncio.run(box.collected(handed.document_id, handed.claim))
    assert seen == [(sys_refs[0], True), (sys_refs[1], True), (sys_refs[2], False)]


def test_two_polls_at_once_get_two_documents(database: Database, box: Mailbox) -> None:
    fill(database, 2)
    assert take(box).document_id != take(box).document_id
    assert poll(box) is None


def test_released_and_expired_claims_are_handed_out_again(database: Database, box: Mailbox) -> None:
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


def test_another_accounts_documents_stay_out_of_sight(database: Database, box: Mailbox) -> None:
    fill(database, 1, account=1)
    assert poll(box, account=2) is None


def test_older_than_a_month_is_not_handed_out_here(database: Database, box: Mailbox) -> None:
    fill(database, 1)
    assert poll(box, AT + timedelta(days=31, seconds=1)) is None
    assert poll(box, AT + timedelta(days=30)) is not None


def test_used_nonce_gets_nothing_and_claims_nothing(database: Database, box: Mailbox) -> None:
    fill(database, 1)
    assert poll(box, account=9, nonce="n") is None
    with pytest.raises(Rejected) as refusal:
        poll(box, account=9, nonce="n")
    assert refusal.value.code == "token.refused"
    poll(box, nonce="n")  # another account's nonce


def test_receipts_and_bytes_come_out_as_they_went_in(database: Database, box: Mailbox) -> None:
    fill(database, 1)
    handed = take(box)
    assert (handed.filename, handed.content, handed.mime) == ("UPP.xml", b"<UPP/>", "application/xml")


def test_a_locked_store_holds_up_a_poll_no_longer_than_the_lock_may_be_waited_for(database: Database, box: Mailbox) -> None:
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
