"""Polling: many readers at once share their commits, and what they cost does not grow with the store.

A poll finds the account's trays in which something waits by jumping from tray to tray in one index, looks at the oldest
document of each, and takes the oldest of those its reader may read and wants. Nonces of calls that only read are used up
here too.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.collection import Found, HandedOut, ReadingRights, Search, Wanted
from gateway.database import Database, to_micros
from gateway.errors import Deferred, Rejected
from gateway.ports import Stale
from gateway.storage import mailbox
from gateway.storage.group_commit import GroupCommit
from gateway.storage.search import LARGE, Documents

MONTH = timedelta(days=31)  # GetNextDocument looks one month back

_FREE = """
    account_id = {account} AND tray = {tray} AND collected_at IS NULL AND created_at > :since
    AND (claimed_until IS NULL OR claimed_until <= :at)"""
_OLDEST = f"SELECT created_at FROM collections AS c WHERE {_FREE} ORDER BY created_at, document LIMIT 1"  # noqa: S608  # nosec  # only names are put in, here and below
# jumps from one waiting tray to the next: what lies in between is never read
_OWN_TRAYS = f"""
    WITH RECURSIVE waiting(tray) AS (
      SELECT min(tray) FROM collections WHERE account_id = :account AND collected_at IS NULL
      UNION ALL
      SELECT (SELECT min(tray) FROM collections WHERE account_id = :account AND collected_at IS NULL AND tray > waiting.tray)
      FROM waiting WHERE waiting.tray IS NOT NULL)
    SELECT trays.id, trays.account_id, trays.person, trays.agency, trays.party, trays.system,
      ({_OLDEST.format(account=":account", tray="waiting.tray")})
    FROM waiting CROSS JOIN trays ON trays.id = waiting.tray"""  # noqa: S608  # nosec
_CONTEXTS_TRAYS = f"""
    SELECT trays.id, trays.account_id, trays.person, trays.agency, trays.party, trays.system,
      ({_OLDEST.format(account="trays.account_id", tray="trays.id")})
    FROM trays WHERE trays.party = :party AND trays.agency = :agency"""  # noqa: S608  # nosec
_TWO_OLDEST = f"""
    SELECT document FROM collections WHERE {_FREE.format(account=":account", tray=":tray")}
    ORDER BY created_at, document LIMIT 2"""  # noqa: S608  # nosec
# a large document's content is left out, and read beside the event loop
_DOCUMENT = f"""
    SELECT mailbox.document_id, mailbox.filename, CASE WHEN length(mailbox.content) <= {LARGE} THEN mailbox.content END,
      messages.sys_ref, messages.mrn, messages.lrn,
      trays.person, trays.agency, trays.party
    FROM mailbox JOIN messages ON messages.id = mailbox.message JOIN trays ON trays.id = messages.tray
    WHERE mailbox.id = ?"""  # noqa: S608  # nosec
_SPEND = "INSERT INTO nonces (account_id, nonce, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class _Work:
    """One write that shares a commit: `run` gets the cursor and the registry's generation, and decides before it writes."""

    name: str
    run: Callable[[sqlite3.Cursor, int], Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Tray:
    tray: int
    account_id: int
    person: str
    agency: str
    party: str
    system: str
    oldest: int | None  # microseconds; None: all that waits is claimed, or too old


@dataclass(frozen=True, slots=True)
class _Claimed:
    document: int
    claim: int
    has_next: bool


class Polling(GroupCommit[_Work, Any]):
    """Fulfils the promise `Mailbox` of `gateway.reading`. One instance per process, used from its event loop only."""

    def __init__(
        self,
        database: Database,
        documents: Documents,
        now: Callable[[], datetime],
        *,
        claim_seconds: float,
        token_window: float,
        bound: int,
    ) -> None:
        """`bound`: how many calls may wait for their commit."""
        super().__init__(database, bound=bound)
        self._documents, self._now = documents, now
        self._claim_for = timedelta(seconds=claim_seconds)
        self._nonce_life = timedelta(seconds=2 * token_window)

    async def next(
        self, account_id: int, rights: ReadingRights, wanted: Wanted, nonce: str | None, at: datetime, *, month: bool
    ) -> HandedOut | None:
        """Claim the oldest document that waits, fits and may be read (`month`: of the last month only); None: there is none.

        Raises Stale, Rejected(token.refused) for a used nonce, Deferred(record.store_unavailable | receive.busy).
        """

        def run(cursor: sqlite3.Cursor, generation: int) -> _Claimed | None:
            if rights.generation != generation:
                raise Stale
            self._spend(cursor, account_id, nonce, at)
            return self._claim(cursor, account_id, rights, wanted, at, to_micros(at - MONTH) if month else 0)

        claimed: _Claimed | None = await self._do("next", run)
        return None if claimed is None else await self._handed(claimed)

    async def documents(self, account_id: int, rights: ReadingRights, search: Search) -> Found:
        """See `Documents.find`."""
        return await self._documents.find(account_id, rights, search)

    async def spend(self, account_id: int, nonce: str, at: datetime) -> None:
        """Use up a nonce. Raises Rejected(token.refused) when it was used before, Deferred as `next`."""
        await self._do("spend", lambda cursor, _generation: self._spend(cursor, account_id, nonce, at))

    async def collected(self, document_id: str, claim: int) -> None:
        """See `mailbox.collect`. Raises Deferred as `next`."""
        await self._do("collected", lambda cursor, _generation: mailbox.collect(cursor, document_id, claim, self._now()))

    async def release(self, document_id: str, claim: int) -> None:
        """See `mailbox.release`. Raises Deferred as `next`."""
        await self._do("release", lambda cursor, _generation: mailbox.release(cursor, document_id, claim))

    async def _do(self, name: str, run: Callable[[sqlite3.Cursor, int], Any]) -> Any:
        return await self._enqueue(_Work(name, run, self._future()))

    def _write(self, cursor: sqlite3.Cursor, batch: Sequence[_Work]) -> list[Any]:
        row = cursor.execute("SELECT number FROM generations WHERE kind = 'registry'").fetchone()
        generation = row[0] if row else 0
        outcomes: list[Any] = []
        for work in batch:
            try:
                outcomes.append(None if work.future.cancelled() else work.run(cursor, generation))
            except (Rejected, Stale) as refusal:
                outcomes.append(refusal)
        return outcomes

    def _spend(self, cursor: sqlite3.Cursor, account_id: int, nonce: str | None, at: datetime) -> None:
        if nonce is not None and not cursor.execute(_SPEND, (account_id, nonce, to_micros(at + self._nonce_life))).rowcount:
            raise Rejected("token.refused", reason="used nonce")

    def _claim(
        self, cursor: sqlite3.Cursor, account_id: int, rights: ReadingRights, wanted: Wanted, at: datetime, since: int
    ) -> _Claimed | None:
        moment = {"at": to_micros(at), "since": since}
        found: dict[int, _Tray] = {}
        for tray in _trays(cursor, account_id, rights, wanted, moment):
            if tray.oldest is not None and wanted.fits(tray.person, tray.agency, tray.party, tray.system):
                found[tray.tray] = tray
        if not found:
            return None
        tray = min(found.values(), key=lambda one: (one.oldest, one.tray))
        documents = cursor.execute(_TWO_OLDEST, {"account": tray.account_id, "tray": tray.tray, **moment}).fetchall()
        number = mailbox.claim(cursor, documents[0][0], at, at + self._claim_for)
        assert number is not None, "it was free a moment ago, in this transaction"
        return _Claimed(documents[0][0], number, has_next=len(documents) > 1 or len(found) > 1)

    async def _handed(self, claimed: _Claimed) -> HandedOut:
        """Read after the commit: a large document is not read under the write lock."""
        try:
            row = self._cursor().execute(_DOCUMENT, (claimed.document,)).fetchone()
        except sqlite3.Error as error:  # the claim ends by itself
            raise Deferred("record.store_unavailable") from error
        if row[2] is None:
            row = (*row[:2], await self._documents.content(claimed.document), *row[3:])
        return HandedOut.of_row(row, claimed.claim, has_next=claimed.has_next)


def _trays(cursor: sqlite3.Cursor, account_id: int, rights: ReadingRights, wanted: Wanted, moment: dict[str, int]) -> Iterator[_Tray]:
    """Those that may be read."""
    own = (_Tray(*row) for row in cursor.execute(_OWN_TRAYS, {"account": account_id, **moment}).fetchall())
    yield from (tray for tray in own if rights.own(tray.person, tray.agency, tray.party))
    if wanted.all_employees:
        for agency, party in rights.all_employees:
            if wanted.agency in (None, agency) and wanted.party in (None, party):
                rows = cursor.execute(_CONTEXTS_TRAYS, {"agency": agency, "party": party, **moment}).fetchall()
                yield from (_Tray(*row) for row in rows)
