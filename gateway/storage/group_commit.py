"""Writes that share a commit: what waits when the event loop comes round goes into one transaction.

Sixteen rows a commit cost a third of one each. All runs in line on the event loop, because a writer thread would wake for
every write and break the batches; a lock held by somebody else is waited for no longer than LOCK_LIMIT.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import structlog

from gateway.database import LOCK_LIMIT, Database, StoreBusy
from gateway.errors import Deferred, Failed

log = structlog.get_logger("brama.store")

BATCH = 64

T = TypeVar("T")


class Entry(Protocol[T]):
    """Something to be written; `name` says in the log what it was."""

    @property
    def future(self) -> asyncio.Future[T]: ...
    @property
    def name(self) -> str: ...


E = TypeVar("E", bound=Entry[Any])


class GroupCommit(Generic[E, T]):
    """The queue of one process in front of a SQLite file; used from its event loop only.

    Who inherits it says in `_write` what an entry writes, and in `_read_back` whether one whose commit failed is in the store
    after all.
    """

    def __init__(self, database: Database, *, bound: int) -> None:
        """`bound`: how many entries may wait."""
        self._database, self._bound = database, bound
        self._waiting: list[E] = []
        self._scheduled = False
        self._connection: sqlite3.Connection | None = None

    def _write(self, cursor: sqlite3.Cursor, batch: Sequence[E]) -> list[T | Exception]:
        """Write these inside the open transaction; an outcome for each. What is refused must have written nothing."""
        raise NotImplementedError

    def _read_back(self, entry: E) -> T | None:
        """What failed may yet be in the store: a commit whose answer was lost."""
        return None

    def _future(self) -> asyncio.Future[T]:
        """For an entry about to be enqueued."""
        return asyncio.get_running_loop().create_future()

    async def _enqueue(self, entry: E) -> T:
        """What became of it. Raises what `_write` refused it with, Deferred(receive.busy | record.store_unavailable),
        Failed(unexpected)."""
        if len(self._waiting) >= self._bound:
            raise Deferred("receive.busy", seconds=1)
        self._waiting.append(entry)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._gather, 1)
        outcome: T = await entry.future
        return outcome

    def _gather(self, turns: int) -> None:
        """Let calls that are being read in this turn of the loop join the batch; adds no timer and so no idle latency."""
        if turns and len(self._waiting) < BATCH:
            asyncio.get_running_loop().call_soon(self._gather, turns - 1)
            return
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._gather, 0)
        self._settle(batch, self._commit_together(batch))

    def _settle(self, batch: Sequence[E], outcomes: list[T | Exception]) -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            if entry.future.done():
                continue  # the caller went away; what was committed stays and a repeat finds it
            if isinstance(outcome, Exception):
                entry.future.set_exception(outcome)
            else:
                entry.future.set_result(outcome)

    def _commit_together(self, batch: Sequence[E]) -> list[T | Exception]:
        try:
            return self._transaction(batch)
        except Exception as error:  # whatever it was, every caller in the batch must hear of it
            if _is_busy(error):  # row by row would wait as often as there are rows, with the event loop standing still
                log.error("store_busy", batch=len(batch))
                return [Deferred("record.store_unavailable") for _ in batch]
            if len(batch) == 1:
                return [self._read_back(batch[0]) or _told(batch[0], error)]
        return [self._read_back(entry) or self._commit_together([entry])[0] for entry in batch]  # so that nobody gets another's error

    def _transaction(self, batch: Sequence[E]) -> list[T | Exception]:
        self._database.lock.acquire(LOCK_LIMIT)
        try:
            cursor = self._cursor()
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:  # for the whole batch: row by row each would wait for it again
                raise StoreBusy from error
            try:
                outcomes = self._write(cursor, batch)
                cursor.execute("COMMIT")
            except BaseException:
                self._roll_back(cursor)
                raise
            return outcomes
        finally:
            self._database.lock.release()

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        """Where even that fails, the connection is given up: left inside its transaction it could never begin another."""
        try:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
        except sqlite3.Error:
            cursor.connection.close()
            self._connection = None

    def _cursor(self) -> sqlite3.Cursor:
        if self._connection is None:
            raw: Any = self._database.engine.raw_connection()
            self._connection = raw.driver_connection
            raw.detach()  # from the pool: this connection is our own
            self._connection.execute(f"PRAGMA busy_timeout={int(LOCK_LIMIT * 1000)}")
        return self._connection.cursor()


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, StoreBusy) or code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _told(entry: Entry[Any], error: Exception) -> Exception:
    log.error("not_recorded", entry=entry.name, exc_info=error)
    return Deferred("record.store_unavailable") if isinstance(error, sqlite3.Error) else Failed("unexpected", kind=type(error).__name__)
