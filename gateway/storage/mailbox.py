"""The sender's mailbox: receipts and answers wait here until he collects them.

A poll claims a document for a while in a committed update; written out completely it is collected, a failed write
releases it, and after a crash the claim ends and it is handed out again: never lost, at worst seen twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, insert, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.database import LOCK_LIMIT, Database, StoreBusy
from gateway.errors import Deferred, Rejected
from gateway.storage.tables import collections, mailbox, messages, nonces

MONTH = timedelta(days=31)  # GetNextDocument looks one month back (facts/seap-channel 1.5)


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A document under a claim, which `collected` or `release` must end.

    `sys_ref` names the message it belongs to; dispatch and case ids and the three idSISC are None until the documents
    of an entity can be read by its representatives.
    """

    document_id: str
    claim: int
    sys_ref: str
    filename: str
    content: bytes
    has_next: bool
    mime: str = "application/xml"
    dispatch_id: str | None = None
    case_id: str | None = None
    person_sisc: str | None = None
    middle_sisc: str | None = None
    end_sisc: str | None = None


class Mailbox:
    """Polling, over SQLite in line: each call is one or two short statements."""

    def __init__(self, database: Database, now: Callable[[], datetime], *, claim_seconds: float, token_window: float) -> None:
        self._database, self._now = database, now
        self._claim_for = timedelta(seconds=claim_seconds)
        self._nonce_life = timedelta(seconds=2 * token_window)

    async def next(self, account_id: int, nonce: str | None, at: datetime) -> HandedOut | None:
        """Claim the oldest document of the last month that nobody has collected.

        Raises Rejected(token.refused) for a used nonce, Deferred(record.store_unavailable).
        """
        with self._writing() as connection:
            self._use_nonce(connection, account_id, nonce, at)
            free = and_(
                collections.c.account_id == account_id,
                collections.c.collected_at.is_(None),
                collections.c.created_at > at - MONTH,
                or_(collections.c.claimed_until.is_(None), collections.c.claimed_until <= at),
            )
            waiting = (
                connection.execute(select(collections.c.document).where(free).order_by(collections.c.document).limit(2)).scalars().all()
            )
            if not waiting:
                return None
            document = waiting[0]
            claim = connection.execute(
                update(collections)
                .where(collections.c.document == document)
                .values(claim=collections.c.claim + 1, claimed_until=at + self._claim_for)
                .returning(collections.c.claim)
            ).scalar_one()
            row = connection.execute(
                select(mailbox, messages.c.sys_ref).join(messages, messages.c.id == mailbox.c.message).where(mailbox.c.id == document)
            ).one()
        return HandedOut(row.document_id, claim, row.sys_ref, row.filename, row.content, has_next=len(waiting) > 1)

    async def collected(self, document_id: str, claim: int) -> None:
        """It was written out completely. A claim that ended meanwhile and was taken by another poll is left alone."""
        self._end_claim(document_id, claim, collected_at=self._now(), claimed_until=None)

    async def release(self, document_id: str, claim: int) -> None:
        """It could not be written: the next poll gets it."""
        self._end_claim(document_id, claim, claimed_until=None)

    def _end_claim(self, document_id: str, claim: int, **values: datetime | None) -> None:
        document = select(mailbox.c.id).where(mailbox.c.document_id == document_id).scalar_subquery()
        with self._writing() as connection:
            connection.execute(update(collections).where(collections.c.document == document, collections.c.claim == claim).values(**values))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._database.writing(LOCK_LIMIT) as connection:
                yield connection
        except (StoreBusy, OperationalError) as error:
            raise Deferred("record.store_unavailable") from error

    def _use_nonce(self, connection: Connection, account_id: int, nonce: str | None, at: datetime) -> None:
        if nonce is None:
            return
        try:
            connection.execute(insert(nonces).values(account_id=account_id, nonce=nonce, expires_at=at + self._nonce_life))
        except IntegrityError:
            raise Rejected("token.refused") from None


def put(
    connection: Connection,
    *,
    account_id: int,
    message: int,
    document_id: str,
    kind: str,
    filename: str,
    digest: bytes,
    content: bytes,
    at: datetime,
) -> bool:
    """Put a document into a mailbox, inside the caller's transaction; False when the very same is there already."""
    if connection.execute(select(exists().where(mailbox.c.message == message, mailbox.c.digest == digest))).scalar():
        return False
    inserted = connection.execute(
        insert(mailbox).values(
            document_id=document_id,
            account_id=account_id,
            message=message,
            kind=kind,
            filename=filename,
            digest=digest,
            content=content,
            created_at=at,
        )
    )
    document = inserted.inserted_primary_key
    connection.execute(
        insert(collections).values(document=document[0] if document else None, account_id=account_id, created_at=at, claim=0)
    )
    return True
