"""The queue of documents on their way to traders' own endpoints.

A document always lies in its mailbox first; a push is a job over it. Which documents need one is found, not told: whatever
waits in the mailbox of an account with an endpoint and has no row here gets one. New documents are found by their number,
and once a minute all that wait are compared, so nothing depends on who put a document there, or on a mark that a crash
could lose. The lease is the mailbox claim of the document: a poll and a push never have it at the same time, and every
outcome must carry the number of its claim.

Failures belong to the endpoint: it rests for longer after each in a row, is then tried with one document at a time, and is
blocked after many. A refusal belongs to the document, which then only waits in the mailbox.

What an account may not read by polling is not pushed to it either: its contexts are judged under the write lock, so that a
right withdrawn a millisecond ago does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Update, and_, exists, func, or_, select, text, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from gateway.channels.queue import LostLease, asked_for
from gateway.channels.tables import pushes
from gateway.collection import ReadingRights
from gateway.database import AnyRow, Database
from gateway.errors import GatewayError
from gateway.profile import RetryPolicy
from gateway.storage import mailbox as box
from gateway.storage import messages as store
from gateway.storage.tables import collections, mailbox, messages, trays
from registry.tables import accounts, push_endpoints

COMPARE = timedelta(minutes=1)
AT_ONCE = 500  # new rows in one transaction: the write lock is held for milliseconds
ENDPOINTS_AT_ONCE = 8  # of which documents are claimed in one transaction, for the same reason
LOOK_AHEAD = 20  # documents past those that were polled meanwhile
WITHHELD = timedelta(minutes=10)  # until it is looked again whether the account may read the document

_DUE = text("pushes.state = 'due'")  # literally so, or SQLite does not see that the partial index serves
#: idSprawy as polls tell it (`HandedOut.of_row`): the MRN once it is known, the LRN before.
_CASE = (
    select(func.coalesce(messages.c.mrn, messages.c.lrn))
    .join(mailbox, mailbox.c.message == messages.c.id)
    .where(mailbox.c.id == pushes.c.document)
    .correlate(pushes)
    .scalar_subquery()
)
#: Of a body that is not read for it: SQLite takes the length from the row's head.
_LENGTH = (
    select(func.length(mailbox.c.content)).where(mailbox.c.id == pushes.c.document).correlate(pushes).scalar_subquery().label("length")
)
#: The endpoint's own bad moments, in which nothing arrived: the same document is the next to be tried.
_KEEPS_ITS_TURN = frozenset({"push.unavailable", "push.unresolved", "push.misconfigured"})
#: What only a person can mend: no attempt more until then.
_BLOCKS = frozenset({"push.url", "push.address", "keys.secret", "keys.missing", "keys.unreadable", "keys.readable_by_others"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to, and how to prove who we are; `secret` is encrypted."""

    account_id: int
    account: str
    url: str
    login: str
    digest: str
    certificate: str | None
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Push:
    """A claimed document with its endpoint. `document` is its row in the mailbox, `document_id` its public name."""

    endpoint: Endpoint
    document: int
    claim: int
    attempts: int
    created_at: datetime
    message: int
    sys_ref: str
    document_id: str
    filename: str
    case_id: str | None
    grades: tuple[str | None, str | None, str | None]  # idSISC of person, agency and party
    content: bytes = field(repr=False)


class PushQueue:
    """One instance per worker process."""

    def __init__(
        self,
        database: Database,
        retry: RetryPolicy,
        rights: Callable[[int, datetime], ReadingRights],
        *,
        lease_seconds: float,
        block_after: int,
    ) -> None:
        """`rights`: what an account may read at an instant, as the registry stands when it is asked. `lease_seconds` must be
        longer than a call may take."""
        self._database, self._retry, self._rights, self._block_after = database, retry, rights, block_after
        self._lease = timedelta(seconds=lease_seconds)
        self._seen = 0  # documents up to this number have been looked at by this process
        self._compared_at: datetime | None = None

    def find(self, at: datetime) -> int:
        """Give every waiting document of an account with an endpoint its row; how many were new. Raises StoreBusy."""
        with self._database.reading() as connection:
            if connection.execute(select(push_endpoints.c.account_id).limit(1)).first() is None:
                self._compared_at = None
                return 0
            newest: int = connection.execute(select(func.max(collections.c.document))).scalar() or 0
            whole = self._compared_at is None or not timedelta(0) <= at - self._compared_at < COMPARE  # also when the clock was set back
            found = _without_a_row(connection, None if whole else self._seen)
        if len(found) < AT_ONCE:
            self._seen, self._compared_at = newest, at if whole else self._compared_at
        elif not whole:
            self._seen = found[-1].document
        if found:
            with self._database.writing() as connection:
                rows = [{"document": r.document, "account_id": r.account_id, "created_at": r.created_at} for r in found]
                values = [{**row, "state": "due", "due_at": row["created_at"], "attempts": 0} for row in rows]
                connection.execute(insert(pushes).on_conflict_do_nothing(), values)
        return len(found)

    def claim(self, at: datetime, room: Callable[[int, bool], int], limit: int, size: int) -> list[Push]:
        """Some documents that are due, `limit` at most and few at once, so that the write lock is held for milliseconds:
        ask again until there are none. `room(account, failing)` says with how many more an endpoint may be called at once,
        `size` how many bytes of documents may come; the one that reaches it is the last.
        Raises StoreBusy, Deferred(record.store_unavailable)."""
        with self._database.reading() as connection:  # an idle worker takes no write lock
            ready = [row for row in connection.execute(_ready(at)) if room(row.account_id, row.failures > 0) > 0]
        chosen = [row.account_id for row in ready[: min(limit, ENDPOINTS_AT_ONCE)]]
        if not chosen:
            return []
        for account_id in chosen:
            self._rights(account_id, at)  # looked up now, so that under the lock they only have to be found unchanged
        taken: list[tuple[AnyRow, int, int]] = []  # endpoint, document, claim
        with self._database.writing() as connection:
            for row in connection.execute(_ready(at).where(push_endpoints.c.account_id.in_(chosen))).all():  # as it is by now
                free = min(room(row.account_id, row.failures > 0), limit - len(taken))
                for document, number, length in self._claim_for(connection, row, free, size, at):
                    taken.append((row, document, number))
                    size -= length
        return self._with_bodies(taken)

    def _claim_for(self, connection: Connection, row: AnyRow, free: int, size: int, at: datetime) -> list[tuple[int, int, int]]:
        """Document, number and bytes of each claim made for one endpoint; what somebody else has or had is set right."""
        rights = self._rights(row.account_id, at)
        query = select(pushes.c.document, pushes.c.created_at, collections.c.collected_at, collections.c.claimed_until, _LENGTH, trays)
        query = query.join(collections, collections.c.document == pushes.c.document).join(trays, trays.c.id == collections.c.tray)
        query = query.where(pushes.c.account_id == row.account_id, _DUE, pushes.c.due_at <= at)
        claimed: list[tuple[int, int, int]] = []
        for waiting in connection.execute(query.order_by(pushes.c.due_at, pushes.c.document).limit(free + LOOK_AHEAD)).all():
            own = update(pushes).where(pushes.c.document == waiting.document)
            if waiting.collected_at is not None:
                connection.execute(own.values(state="polled", ended_at=waiting.collected_at))
            elif waiting.claimed_until is not None and waiting.claimed_until > at:  # a poll has it, or another worker
                connection.execute(own.values(due_at=waiting.claimed_until))
            elif waiting.created_at < row.since:  # it came for an endpoint that was removed
                connection.execute(own.values(state="given_up", ended_at=at))
            elif not rights.own(waiting.person, waiting.agency, waiting.party):
                connection.execute(own.values(**self._withheld(waiting.created_at, at)))
            elif len(claimed) < free and size > 0 and (number := box.claim(connection, waiting.document, at, at + self._lease)) is not None:
                connection.execute(own.values(attempts=pushes.c.attempts + 1, case_id=func.coalesce(pushes.c.case_id, _CASE)))
                claimed.append((waiting.document, number, waiting.length))
                size -= waiting.length
        if claimed and row.failures:  # one careful try: nobody else's at the same time
            resting = update(push_endpoints).where(push_endpoints.c.account_id == row.account_id)
            connection.execute(resting.values(rest_until=at + self._lease))
        return claimed

    def _withheld(self, created_at: datetime, at: datetime) -> dict[str, Any]:
        """A right may come back; past the deadline the document is left to the polls, which ask the same."""
        if at > created_at + timedelta(seconds=self._retry.deadline):
            return {"state": "given_up", "ended_at": at, "code": "read.no_permission"}
        return {"due_at": at + WITHHELD, "code": "read.no_permission"}

    def _with_bodies(self, taken: Sequence[tuple[AnyRow, int, int]]) -> list[Push]:
        """Read after the lock was given back: bodies may be large."""
        if not taken:
            return []
        columns = (mailbox, messages.c.sys_ref, pushes.c.case_id, pushes.c.attempts, trays.c.person, trays.c.agency, trays.c.party)
        query = select(*columns).join(messages, messages.c.id == mailbox.c.message).join(trays, trays.c.id == messages.c.tray)
        query = query.join(pushes, pushes.c.document == mailbox.c.id)
        with self._database.reading() as connection:
            found = {row.id: row for row in connection.execute(query.where(mailbox.c.id.in_([document for _, document, _ in taken])))}
        return [_push(endpoint, found[document], claim) for endpoint, document, claim in taken]

    def done(self, push: Push, sys_ref: str, at: datetime) -> None:
        """The endpoint has it: collected, and pushed no more. Raises LostLease, StoreBusy."""
        with self._database.writing() as connection:
            self._end_claim(connection, push, collected_at=at)
            connection.execute(_row(push).values(state="done", sys_ref=sys_ref, ended_at=at, code=None))
            connection.execute(_same(push).values(failures=0, rest_until=None, last_ok_at=at))
            store.remember(connection, push.message, at, "push", "ok", f"{push.filename} -> {push.endpoint.account}: {sys_ref}")

    def refused(self, push: Push, error: GatewayError, at: datetime) -> None:
        """The endpoint will not have this document: it waits in the mailbox. Raises LostLease, StoreBusy."""
        with self._database.writing() as connection:
            self._end_claim(connection, push)
            connection.execute(_row(push).values(state="given_up", ended_at=at, code=error.code))
            connection.execute(_same(push).values(failures=0, rest_until=None, last_code=error.code, last_error=error.text("en")))
            store.remember(connection, push.message, at, "push", error.code, f"{push.filename}: {error.text('en')}")

    def failed(self, push: Push, error: GatewayError, at: datetime) -> bool:
        """It did not work: the endpoint rests; the document is tried again, or given up when that would be past its
        deadline. True when this blocked the endpoint. Raises LostLease, StoreBusy."""
        with self._database.writing() as connection:
            self._end_claim(connection, push)
            counted = _same(push).values(failures=push_endpoints.c.failures + 1, last_code=error.code, last_error=error.text("en"))
            failures = connection.execute(counted.returning(push_endpoints.c.failures)).scalar() or 1
            again_at = at + timedelta(seconds=max(self._retry.delay(failures), asked_for(error)))
            blocked = error.code in _BLOCKS or failures >= self._block_after
            connection.execute(_same(push).values(rest_until=again_at, **({"blocked_at": at} if blocked else {})))
            if again_at > push.created_at + timedelta(seconds=self._retry.deadline):
                connection.execute(_row(push).values(state="given_up", ended_at=at, code=error.code))
            elif error.code in _KEEPS_ITS_TURN or blocked:
                connection.execute(_row(push).values(code=error.code))
            else:  # perhaps it is this document: let others show whether the endpoint works
                connection.execute(_row(push).values(code=error.code, due_at=again_at))
            store.remember(connection, push.message, at, "push", error.code, f"{push.filename}: {error.text('en')}")
        return blocked

    def _end_claim(self, connection: Connection, push: Push, **values: datetime) -> None:
        """Raises LostLease when the claim is another's by now."""
        own = update(collections).where(collections.c.document == push.document, collections.c.claim == push.claim)
        if connection.execute(own.values(claimed_until=None, **values)).rowcount == 0:
            raise LostLease


def _row(push: Push) -> Update:
    return update(pushes).where(pushes.c.document == push.document)


def _same(push: Push) -> Update:
    """Its endpoint, unless it was changed meanwhile: how the old one did says nothing about the new."""
    return update(push_endpoints).where(
        push_endpoints.c.account_id == push.endpoint.account_id,
        push_endpoints.c.url == push.endpoint.url,
        push_endpoints.c.secret == push.endpoint.secret,
    )


def counts(connection: Connection) -> Mapping[int, Mapping[str, int]]:
    """How many documents of each account are in which state."""
    found: dict[int, dict[str, int]] = {}
    query = select(pushes.c.account_id, pushes.c.state, func.count()).group_by(pushes.c.account_id, pushes.c.state)
    for account_id, state, number in connection.execute(query):
        found.setdefault(account_id, {})[state] = number
    return found


def again(connection: Connection, account_id: int, at: datetime) -> int:
    """Push once more what was given up and still waits in the mailbox, inside the caller's transaction; how many.

    Its deadline does not count any more: a person has looked."""
    waiting = select(collections.c.document).where(collections.c.account_id == account_id, collections.c.collected_at.is_(None))
    since = select(push_endpoints.c.since).where(push_endpoints.c.account_id == account_id).scalar_subquery()
    mine = and_(
        pushes.c.account_id == account_id, pushes.c.state == "given_up", pushes.c.document.in_(waiting), pushes.c.created_at >= since
    )
    return connection.execute(update(pushes).where(mine).values(state="due", due_at=at, ended_at=None)).rowcount


def abandon(connection: Connection, account_id: int, at: datetime) -> None:
    """Its endpoint is gone: what was due only waits in the mailbox, inside the caller's transaction."""
    mine = and_(pushes.c.account_id == account_id, _DUE)
    connection.execute(update(pushes).where(mine).values(state="given_up", ended_at=at))


def _push(row: AnyRow, document: AnyRow, claim: int) -> Push:
    return Push(
        endpoint=Endpoint(row.account_id, row.account, row.url, row.login, row.digest, row.certificate, row.secret),
        document=document.id,
        claim=claim,
        attempts=document.attempts,
        created_at=document.created_at,
        message=document.message,
        sys_ref=document.sys_ref,
        document_id=document.document_id,
        filename=document.filename,
        case_id=document.case_id,
        grades=(document.person or None, document.agency or None, document.party or None),
        content=bytes(document.content),
    )


#: CROSS JOIN keeps SQLite to this order: from the few endpoints into the index of what waits, never over all documents.
_COMPARED = text(
    "SELECT c.document, c.account_id, c.created_at FROM push_endpoints e CROSS JOIN collections c"
    " WHERE c.account_id = e.account_id AND c.collected_at IS NULL AND c.created_at >= e.since"
    " AND NOT EXISTS (SELECT 1 FROM pushes p WHERE p.document = c.document) LIMIT :limit"
).columns(collections.c.document, collections.c.account_id, collections.c.created_at)


def _without_a_row(connection: Connection, seen: int | None) -> Sequence[AnyRow]:
    """Waiting documents to be pushed that have no row yet; `seen` None: among all, else after that number in order."""
    if seen is None:
        return connection.execute(_COMPARED, {"limit": AT_ONCE}).all()
    query = select(collections.c.document, collections.c.account_id, collections.c.created_at)
    query = query.join(push_endpoints, push_endpoints.c.account_id == collections.c.account_id)
    query = query.where(collections.c.document > seen, collections.c.collected_at.is_(None))
    query = query.where(collections.c.created_at >= push_endpoints.c.since)
    query = query.where(~exists(select(pushes.c.document).where(pushes.c.document == collections.c.document)))
    return connection.execute(query.order_by(collections.c.document).limit(AT_ONCE)).all()


def _ready(at: datetime) -> Select[*tuple[Any, ...]]:
    """Endpoints that may be called and have a document due, the one longest without success first."""
    due = exists(select(pushes.c.document).where(pushes.c.account_id == push_endpoints.c.account_id, _DUE, pushes.c.due_at <= at))
    mine = accounts.c.account_id == push_endpoints.c.account_id
    return (
        select(push_endpoints, select(accounts.c.login).where(mine).scalar_subquery().label("account"))
        .where(
            push_endpoints.c.blocked_at.is_(None),
            or_(push_endpoints.c.rest_until.is_(None), push_endpoints.c.rest_until <= at),
            due,
            exists(select(accounts.c.account_id).where(mine, accounts.c.active)),
        )
        .order_by(push_endpoints.c.last_ok_at)
    )
