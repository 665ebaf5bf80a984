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
from gateway.channels.official import OfficialReceipts
from gateway.channels.queue import fingerprint
from gateway.channels.servings import ServingDesk, is_held
from gateway.channels.tables import dead_letters, deliveries, servings
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

    def __init__(
        self,
        database: Database,
        profiles: Profiles,
        servings: ServingDesk | None = None,
        receipts: OfficialReceipts | None = None,
        *,
        patience: float = LOCK_LIMIT,
    ) -> None:
        """`servings` holds what must be served (without it such an answer is refused), `receipts` gives the UPO of a system that
        gives none. `patience`: seconds to wait for the write lock; every method raises StoreBusy after it."""
        self._database, self._profiles, self._patience = database, profiles, patience
        self._servings, self._receipts = servings, receipts

    def attach(self, answer: Answer, at: datetime) -> Replied:
        """See the port `Answers`. The same bytes for the same message are attached once. What must be served is held, and its UPD
        goes into the mailbox in its place."""
        name = answer.root.rpartition("}")[2]
        with self._database.writing(self._patience) as connection:
            message = _match(connection, answer)
            if self._receipts is not None:  # an answer proves that the system has the message: its receipt goes first
                self._receipts.issue(connection, message.id, answer.system, at)
            document_id = str(uuid4())
            filename = f"{name}_{_UNSAFE.sub('-', answer.keys.message_id or document_id)}.xml"
            new = (self._hold if answer.served else _put)(connection, message, answer, document_id, filename, at)
            if new:
                self._follow(connection, message.id, answer, at)
                store.remember(connection, message.id, at, "answer", "ok", f"{name} -> {answer.state or 'no change of state'}")
        return Replied(message.sys_ref, document_id, repeat=not new)

    def _hold(self, connection: Connection, message: AnyRow, answer: Answer, document_id: str, filename: str, at: datetime) -> bool:
        if self._servings is None:  # given without a UPD it would be served to nobody's knowledge
            raise Failed("reply.not_servable", root=answer.root.rpartition("}")[2], system=answer.system)
        return self._servings.hold(connection, message, answer, document_id, filename, at)

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


def _put(connection: Connection, message: AnyRow, answer: Answer, document_id: str, filename: str, at: datetime) -> bool:
    digest = hashlib.sha256(answer.content).digest()
    return not is_held(connection, message.id, digest) and mailbox.put(
        connection,
        message=message.id,
        document_id=document_id,
        kind=answer.root.rpartition("}")[2],
        filename=filename,
        digest=digest,
        content=answer.content,
        at=at,
    )


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")  # in a file name that somebody else's identifier enters
_ACCEPTED = text("messages.state = 'accepted'")  # literally so, or SQLite does not see that the partial index serves
_COLUMNS = {"message_id": messages.c.business_id, "lrn": messages.c.lrn, "mrn": messages.c.mrn, "sys_ref": messages.c.sys_ref}


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
    found = select(messages).where(_ACCEPTED, _COLUMNS[sought.field] == sought.value).order_by(messages.c.id.desc())
    return found if sought.sender is None else found.where(messages.c.sender == sought.sender)


def _already_given(connection: Connection, answer: Answer, candidates: Sequence[int]) -> AnyRow | None:
    """The message that has these very bytes: an answer sent again belongs there, also when a later message shares its LRN."""
    digest = hashlib.sha256(answer.content).digest()
    lying = select(mailbox_table.c.message).where(mailbox_table.c.message.in_(candidates), mailbox_table.c.digest == digest)
    held = select(servings.c.message).where(servings.c.message.in_(candidates), servings.c.digest == digest)
    return connection.execute(select(messages).where(messages.c.id.in_(lying.union_all(held))).limit(1)).first()
