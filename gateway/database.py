"""The engine, the metadata that all rooms add their tables to, and the generation numbers.

Instants are stored as integer microseconds since 1970 UTC: exact, comparable and the same on every database.
SQLite runs in WAL mode with synchronous=FULL, so a commit that returned survives a power cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, MetaData, String, Table, create_engine, event, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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


def open_engine(url: str) -> Engine:
    """An engine for `url` (sqlite:///path). A SQLite file is opened in WAL mode with synchronous=FULL."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def pragmas(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA page_size=16384")  # 20 KB bodies: a third less CPU than 4 KB pages
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA busy_timeout=5000")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that takes SQLite's write lock at its start, so that what it reads stays true until it commits."""
    with engine.connect() as connection:  # closing without a commit rolls back
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()
