"""Reading messages and their history, and adding to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from gateway.database import AnyRow
from gateway.message import StepTime
from gateway.storage.tables import contents, history, mailbox, messages


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a message's history; `steps` are (step, microseconds after its start, microseconds, outcome)."""

    at: datetime
    event: str
    outcome: str
    detail: str
    steps: tuple[tuple[str, int, int, str], ...]


def find(connection: Connection, sys_ref: str) -> AnyRow | None:
    """The message's row, or None."""
    return connection.execute(select(messages).where(messages.c.sys_ref == sys_ref)).one_or_none()


def latest(connection: Connection, limit: int, state: str | None = None) -> Sequence[AnyRow]:
    """The newest messages first."""
    query = select(messages).order_by(messages.c.id.desc()).limit(limit)
    return connection.execute(query if state is None else query.where(messages.c.state == state)).all()


def content(connection: Connection, message: int) -> bytes:
    """The exact bytes as they came."""
    return bytes(connection.execute(select(contents.c.content).where(contents.c.message == message)).scalar_one())


def documents(connection: Connection, message: int) -> Sequence[AnyRow]:
    """What lies in the sender's mailbox for this message, oldest first, without the bodies."""
    columns = (mailbox.c.document_id, mailbox.c.kind, mailbox.c.filename, mailbox.c.created_at)
    return connection.execute(select(*columns).where(mailbox.c.message == message).order_by(mailbox.c.id)).all()


def events(connection: Connection, message: int) -> list[Event]:
    """The whole history, oldest first."""
    rows = connection.execute(select(history).where(history.c.message == message).order_by(history.c.id)).all()
    return [Event(row.at, row.event, row.outcome, row.detail, tuple(tuple(s) for s in json.loads(row.steps))) for row in rows]


def remember(
    connection: Connection, message: int, at: datetime, event: str, outcome: str, detail: str = "", timeline: Sequence[StepTime] = ()
) -> None:
    """Add an event inside the caller's transaction."""
    connection.execute(
        insert(history).values(message=message, at=at, event=event, outcome=outcome, detail=detail, steps=steps_json(timeline))
    )


def steps_json(timeline: Sequence[StepTime]) -> str:
    """The steps as they stand in the history. Written by hand, because names of steps and codes need no escaping."""
    return "[" + ",".join([f'["{s.step}",{s.after},{s.microseconds},"{s.outcome}"]' for s in timeline]) + "]"
