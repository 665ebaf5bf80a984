"""The engine, the metadata that all rooms add their tables to, and the generation numbers.

Instants are stored as integer microseconds since 1970 UTC: exact, comparable and the same on every database.
SQLite runs in WAL mode with synchronous=FULL, so a commit that returned survives a power cut.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, MetaData, Row, String, Table, create_engine, event, make_url, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

AnyRow = Row[*tuple[Any, ...]]

LOCK_LIMIT = 0.25  # seconds a server may wait for the write lock: its event loop stands still meanwhile

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Microseconds since 1970 UTC of an aware instant. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (at - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC instant of `to_micros`."""
    return EPOCH + timedelta(microseconds=micros)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as integer microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


#: One number per kind of thing that every node must know at once; it grows with each write of that kind.
generations = Table(
    "generations",
    metadata,
    Column("kind", String(20), primary_key=True),  # registry | schemas | routes | trust | doors
    Column("number", BigInteger, nullable=False),
)


def generation(connection: Connection, kind: str) -> int:
    """The present number of `kind`; 0 before the first write."""
    return connection.execute(select(generations.c.number).where(generations.c.kind == kind)).scalar() or 0


def bump(connection: Connection, kind: str) -> None:
    """Tell every node that something of `kind` changed; takes effect with the caller's commit."""
    changed = connection.execute(update(generations).where(generations.c.kind == kind).values(number=generations.c.number + 1))
    if changed.rowcount == 0:
        connection.execute(generations.insert().values(kind=kind, number=1))


class StoreBusy(Exception):
    """The write lock was not to be had within its time limit."""


class WriteLock:
    """One writer at a time on a SQLite file, over all processes of this machine.

    SQLite's own busy handler sleeps for milliseconds between tries; this lock is tried every 0.2 ms, which keeps
    commits of several server processes close together. Other databases need none: `path` is then None.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: int | None = None
        self._holder = threading.Lock()  # flock is per open file: threads of one process need their own order

    def acquire(self, limit: float) -> None:
        """Raises StoreBusy after `limit` seconds."""
        if self._path is None:
            return
        if not self._holder.acquire(timeout=limit):
            raise StoreBusy
        if self._file is None:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        give_up = time.monotonic() + limit
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up:
                    self._holder.release()
                    raise StoreBusy from None
                time.sleep(0.0002)
            else:
                return

    def release(self) -> None:
        if self._path is not None and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._holder.release()


def sqlite_path(url: str) -> str | None:
    """The file of a `sqlite:///path` URL; None for other databases and for SQLite in memory."""
    parsed = make_url(url)
    return parsed.database if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:") else None


def open_engine(url: str) -> Engine:
    """An engine for `url` (sqlite:///path); the folder of a SQLite file is made. WAL mode, synchronous=FULL."""
    path = sqlite_path(url)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True)  # parameters are documents and secrets, and errors reach the log
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def pragmas(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=5000")  # first: switching to WAL may have to wait
            cursor.execute("PRAGMA page_size=16384")  # 20 KB bodies: a third less CPU than 4 KB pages
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA wal_autocheckpoint=250")  # 4 MB: small checkpoints keep p99 low
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that takes SQLite's write lock at its start, so that what it reads stays true until it commits.

    Raises sqlalchemy.exc.OperationalError when the lock is not to be had in 5 s.
    """
    with engine.connect() as connection:  # closing without a commit rolls back
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


class Database:
    """The engine with its write lock: what everything that runs inside a server or a worker writes through."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        path = sqlite_path(url)
        self.lock = WriteLock(f"{path}.lock" if path else None)

    @contextmanager
    def writing(self, patience: float = 10.0) -> Iterator[Connection]:
        """`writing` under the write lock, waiting up to `patience` seconds for it, and as long for those who do not know it
        (a backup, a command). Raises StoreBusy."""
        self.lock.acquire(patience)
        try:
            with self.engine.connect() as connection:  # closing without a commit rolls back
                self._begin(connection, patience)
                yield connection
                connection.commit()
        finally:
            self.lock.release()

    def _begin(self, connection: Connection, patience: float) -> None:
        if self.engine.dialect.name != "sqlite":
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(patience * 1000)}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            raise StoreBusy from error

    def reading(self) -> Connection:
        """A connection for reads; close it (it is a context manager)."""
        return self.engine.connect()
