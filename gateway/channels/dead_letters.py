"""What awaits a person: listing, retrying and discarding dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.engine import Connection

from gateway.channels.tables import dead_letters, deliveries
from gateway.database import AnyRow
from gateway.storage import messages as store
from gateway.storage.tables import messages

_COLUMNS = [c for c in dead_letters.c if c.name != "content"]


def listed(connection: Connection, *, system: str | None = None, closed: bool = False) -> Sequence[AnyRow]:
    """Open dead letters (or all, with `closed`), oldest first, with the sysRef of their message where there is one."""
    query = _query()
    if not closed:
        query = query.where(dead_letters.c.closed_at.is_(None))
    if system is not None:
        query = query.where(dead_letters.c.system == system)
    return connection.execute(query.order_by(dead_letters.c.id)).all()


def shown(connection: Connection, number: int) -> AnyRow | None:
    """One dead letter, open or closed, or None."""
    return connection.execute(_query().where(dead_letters.c.id == number)).one_or_none()


def retry(connection: Connection, number: int, at: datetime) -> bool:
    """Put the delivery back into the queue with a new deadline of the same length; its stored request is sent unchanged.

    False when the letter is closed already (a double click does nothing). For an answer, which has no delivery, this only
    closes the letter: the caller has attached it.
    """
    letter = _close(connection, number, at, "retried", None)
    if letter is None:
        return False
    if letter.delivery is None:
        return True
    row = connection.execute(select(deliveries).where(deliveries.c.id == letter.delivery)).one()
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == row.id, deliveries.c.state == "dead")
        .values(state="due", due_at=at, deadline_at=at + timedelta(seconds=row.deadline_seconds), attempts=0, lost=0, ended_at=None)
    )
    store.remember(connection, row.message, at, "retried", "ok", f"dead letter {number}")
    return True


def answer(connection: Connection, number: int) -> bytes | None:
    """The bytes of an open dead letter that is an answer; None for any other."""
    query = select(dead_letters.c.content).where(
        dead_letters.c.id == number, dead_letters.c.closed_at.is_(None), dead_letters.c.kind == "answer"
    )
    return connection.execute(query).scalar()


def discard(connection: Connection, number: int, why: str, at: datetime) -> bool:
    """End it for good, with a reason. False when it is closed already."""
    letter = _close(connection, number, at, "discarded", why)
    if letter is None:
        return False
    if letter.delivery is not None:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == letter.delivery, deliveries.c.state == "dead")
            .values(state="discarded", ended_at=at)
        )
        message = connection.execute(select(deliveries.c.message).where(deliveries.c.id == letter.delivery)).scalar_one()
        store.remember(connection, message, at, "discarded", "ok", why)
    return True


def _query() -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS, messages.c.sys_ref, messages.c.root)
        .outerjoin(deliveries, deliveries.c.id == dead_letters.c.delivery)
        .outerjoin(messages, messages.c.id == deliveries.c.message)
    )


def _close(connection: Connection, number: int, at: datetime, how: str, why: str | None) -> AnyRow | None:
    query = select(*_COLUMNS).where(dead_letters.c.id == number, dead_letters.c.closed_at.is_(None))
    letter = connection.execute(query).one_or_none()
    if letter is not None:
        connection.execute(update(dead_letters).where(dead_letters.c.id == number).values(closed_at=at, closed_as=how, closed_why=why))
    return letter
