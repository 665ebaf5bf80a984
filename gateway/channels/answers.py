"""Where answers find their messages: by the profile's correlation, into the sender's mailbox, once.

Which look-ups are made stands in `correlation`. What matches nothing, or another system's message, is kept as a dead
letter and given to nobody. An answer that the flow does not foresee in its present state is given to the trader all
the same and leaves the state alone.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import uuid4

from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import Connection

from gateway.channels.correlation import lookups
from gateway.channels.queue import fingerprint
from gateway.channels.tables import dead_letters, deliveries
from gateway.database import AnyRow, Database
from gateway.errors import Failed, GatewayError
from gateway.message import Answer, Replied
from gateway.ports import Profiles
from gateway.storage import mailbox
from gateway.storage import messages as store
from gateway.storage.tables import messages


class AnswerDesk:
    """Attaches answers to their messages, or keeps them for a person. Waits for the store up to `patience` seconds."""

    def __init__(self, database: Database, profiles: Profiles, *, patience: float = 10.0) -> None:
        self._database, self._profiles, self._patience = database, profiles, patience

    def attach(self, answer: Answer, at: datetime) -> Replied:
        """See the port `Answers`. The same bytes for the same message are attached once. Raises StoreBusy."""
        name = answer.root.rpartition("}")[2]
        with self._database.writing(self._patience) as connection:
            message = _match(connection, answer)
            document_id = str(uuid4())
            new = mailbox.put(
                connection,
                account_id=message.account_id,
                message=message.id,
                document_id=document_id,
                kind=name,
                filename=f"{name}_{answer.keys.message_id or document_id}.xml",
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
        connection.execute(
            update(deliveries)
            .where(deliveries.c.message == message, deliveries.c.state == "due", deliveries.c.attempts > 0)
            .values(state="delivered", ended_at=at)
        )

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


_ACCEPTED = text("messages.state = 'accepted'")  # literally so, or SQLite does not see that the partial index serves
_COLUMNS = {"message_id": messages.c.business_id, "lrn": messages.c.lrn, "mrn": messages.c.mrn}


def _match(connection: Connection, answer: Answer) -> AnyRow:
    """The message this answer belongs to. Raises Failed(reply.other_system | reply.unknown_correlation)."""
    name, tries = answer.root.rpartition("}")[2], lookups(answer.keys)
    for sought in tries:
        same = select(messages).where(_ACCEPTED, _COLUMNS[sought.field] == sought.value, messages.c.sender == sought.sender)
        found = connection.execute(same.where(messages.c.system == answer.system).order_by(messages.c.id.desc()).limit(1)).first()
        if found is not None:
            return found
        other = connection.execute(same.where(messages.c.system != answer.system).limit(1)).first()
        if other is not None:
            raise Failed("reply.other_system", root=name, system=answer.system, other=other.system)
    raise Failed("reply.unknown_correlation", root=name, system=answer.system, correlation=", ".join(t.value for t in tries) or "-")
