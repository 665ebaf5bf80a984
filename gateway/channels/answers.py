"""Where answers find their messages: by the profile's correlation, into the sender's mailbox, once.

Which look-ups are made stands in `correlation`. What matches nothing, or another system's message, is kept as a dead
letter and given to nobody. So is what matches messages that two accounts sent for different parties: messageSender is
a text in the document, and whoever writes another's name there must not get his answers. An answer that the flow does
not foresee in its present state is given to the trader all the same and leaves the state alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, and_, insert, select, text, update
from sqlalchemy.engine import Connection

from gateway.channels.correlation import Lookup, lookups
from gateway.channels.queue import fingerprint
from gateway.channels.tables import dead_letters, deliveries
from gateway.database import LOCK_LIMIT, AnyRow, Database
from gateway.errors import Failed, GatewayError
from gateway.message import Answer, Replied
from gateway.ports import Profiles
from gateway.storage import mailbox
from gateway.storage import messages as store
from gateway.storage.tables import mailbox as mailbox_table
from gateway.storage.tables import messages


class AnswerDesk:
    """Attaches answers to their messages, or keeps them for a person."""

    def __init__(self, database: Database, profiles: Profiles, *, patience: float = LOCK_LIMIT) -> None:
        """`patience`: seconds to wait for the write lock; every method raises StoreBusy after it."""
        self._database, self._profiles, self._patience = database, profiles, patience

    def attach(self, answer: Answer, at: datetime) -> Replied:
        """See the port `Answers`. The same bytes for the same message are attached once."""
        name = answer.root.rpartition("}")[2]
        with self._database.writing(self._patience) as connection:
            message = _match(connection, answer)
            document_id = str(uuid4())
            new = mailbox.put(
                connection,
                message=message.id,
                document_id=document_id,
                kind=name,
                filename=f"{name}_{_UNSAFE.sub('-', answer.keys.message_id or document_id)}.xml",
                digest=hashlib.sha256(answer.content).digest(),
                content=answer.content,
                at=at,
            )
            if new:
                self._follow(connection, message.id, answer, at)
                store.remember(connection, message.id, at, "answer", "ok", f"{name} -> {answer.state or 'no change of state'}")
        return Replied(message.sys_ref, document_id, repeat=not new)

    def _follow(self, connection: Connection, message: int, answer: Answer, at: datetime) -> None:
        """The flow state; an answer also proves that a delivery in doubt had arrived."""
        if answer.keys.mrn:
            connection.execute(update(messages).where(messages.c.id == message, messages.c.mrn.is_(None)).values(mrn=answer.keys.mrn))
        flow_state = connection.execute(select(deliveries.c.flow_state).where(deliveries.c.message == message)).scalar_one()
        moves = self._profiles.system(answer.system).flow.get(flow_state or "sent", ())
        if answer.state is not None and answer.root.rpartition("}")[2] in moves:
            connection.execute(update(deliveries).where(deliveries.c.message == message).values(flow_state=answer.state))
        arrived = connection.execute(
            update(deliveries)
            .where(deliveries.c.message == message, deliveries.c.state.in_(("due", "dead")), deliveries.c.attempts > 0)
            .values(state="delivered", ended_at=at)
            .returning(deliveries.c.id)
        ).scalar()
        if arrived is not None:
            open_letters = and_(dead_letters.c.delivery == arrived, dead_letters.c.closed_at.is_(None))
            connection.execute(update(dead_letters).where(open_letters).values(closed_at=at, closed_as="answered"))

    def keep(self, system: str, content: bytes, error: GatewayError, at: datetime) -> None:
        """An answer that nobody can be given: a dead letter with its bytes."""
        text = error.text("en")
        with self._database.writing(self._patience) as connection:
            connection.execute(
                insert(dead_letters).values(
                    kind="answer",
                    system=system,
                    code=error.code,
                    stage=error.stage,
                    attempts=1,
                    first_error=text,
                    last_error=text,
                    fingerprint=fingerprint(system, error.code, text),
                    content=content,
                    created_at=at,
                )
            )


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")  # in a file name that somebody else's identifier enters
_ACCEPTED = text("messages.state = 'accepted'")  # literally so, or SQLite does not see that the partial index serves
_COLUMNS = {"message_id": messages.c.business_id, "lrn": messages.c.lrn, "mrn": messages.c.mrn}


def _match(connection: Connection, answer: Answer) -> AnyRow:
    """The message this answer belongs to. Raises Failed(reply.ambiguous | reply.other_system | reply.unknown_correlation)."""
    name, tries = answer.root.rpartition("}")[2], lookups(answer.keys)
    for sought in tries:
        found = connection.execute(_candidates(sought).where(messages.c.system == answer.system)).all()
        if len({row.account_id for row in found}) > 1 and len({row.party for row in found}) > 1:
            raise Failed("reply.ambiguous", root=name, system=answer.system, correlation=sought.value)
        if found:
            return _already_given(connection, answer, [row.id for row in found]) or found[0]
    for sought in tries:
        other = connection.execute(_candidates(sought).where(messages.c.system != answer.system).limit(1)).first()
        if other is not None:
            raise Failed("reply.other_system", root=name, system=answer.system, other=other.system)
    raise Failed("reply.unknown_correlation", root=name, system=answer.system, correlation=", ".join(t.value for t in tries) or "-")


def _candidates(sought: Lookup) -> Select[*tuple[Any, ...]]:
    """The accepted messages this look-up finds, the last accepted first."""
    return (
        select(messages)
        .where(_ACCEPTED, _COLUMNS[sought.field] == sought.value, messages.c.sender == sought.sender)
        .order_by(messages.c.id.desc())
    )


def _already_given(connection: Connection, answer: Answer, candidates: Sequence[int]) -> AnyRow | None:
    """The message that has these very bytes: an answer sent again belongs there, also when a later message shares its LRN."""
    digest = hashlib.sha256(answer.content).digest()
    given = select(messages).join(mailbox_table, mailbox_table.c.message == messages.c.id)
    return connection.execute(given.where(messages.c.id.in_(candidates), mailbox_table.c.digest == digest).limit(1)).first()
