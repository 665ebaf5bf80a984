"""Official documents that must be served: held, with a UPD in the mailbox in their place, until the addressee has signed it.

    held --signed UPD--> signed      the recording transaction of the signed UPD (`release`, called by the committer)
    held --period over--> lapsed     the scheduler (`gateway.channels.lapses`)

In both cases the document itself then goes into the mailbox.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import exists, insert, select
from sqlalchemy.engine import Connection

from gateway import technical
from gateway.channels.tables import serving_papers, servings
from gateway.database import AnyRow, Database, from_micros, to_micros
from gateway.errors import Rejected
from gateway.legal_time import end_of_period, local
from gateway.message import Answer, Serving
from gateway.ports import Conflict, Signer
from gateway.storage import mailbox
from gateway.storage import messages as store
from gateway.storage.tables import mailbox as mailbox_table
from gateway.storage.tables import messages


class ServingDesk:
    """Holds documents and knows what is held: keeper of the port `Servings`.

    `days`: the period to sign; `notices`: after how many days the addressee is reminded.
    """

    def __init__(self, database: Database, signer: Signer, issuer: str, *, days: int, notices: Sequence[int]) -> None:
        self._database, self._signer, self._issuer = database, signer, issuer
        self._days, self._notices = days, tuple(notices)

    def find(self, certificate_id: str) -> Serving | None:
        """See the port `Servings`."""
        query = (
            select(servings, serving_papers.c.content)
            .join(serving_papers, (serving_papers.c.serving == servings.c.id) & (serving_papers.c.paper == "UPD"))
            .where(servings.c.certificate_id == certificate_id)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Serving(row.id, row.certificate_id, row.addressee, row.permission, bytes(row.content))

    def hold(self, connection: Connection, message: AnyRow, answer: Answer, document_id: str, filename: str, at: datetime) -> bool:
        """Hold this answer and lay its UPD into the mailbox, inside the caller's transaction; False when the very same is held,
        or was served, already."""
        digest = hashlib.sha256(answer.content).digest()
        lying = exists().where(mailbox_table.c.message == message.id, mailbox_table.c.digest == digest)
        if is_held(connection, message.id, digest) or connection.execute(select(lying)).scalar():
            return False
        kind = answer.root.rpartition("}")[2]
        row = {
            "certificate_id": f"UPD-{document_id}",
            "message": message.id,
            "account_id": message.account_id,
            "system": answer.system,
            "kind": kind,
            "filename": filename,
            "document_id": document_id,
            "digest": digest,
            "addressee": message.party or message.sender,
            "permission": f"{answer.system}/{kind}",
            "state": "held",
            "issued_at": at,
            "due_at": end_of_period(at, self._days),
            "next_at": end_of_period(at, min(self._notices, default=self._days)),  # later ones are the scheduler's to set
        }
        serving = connection.execute(insert(servings).values(row).returning(servings)).one()
        request = self._signer.seal(technical.upd(described(serving, message.sys_ref), self._issuer), technical.DOCUMENT)
        keep(connection, serving.id, "document", answer.content, at)
        keep(connection, serving.id, "UPD", request, at)
        lay(connection, serving, str(uuid4()), "UPD", f"UPD_{document_id}.xml", request, at)
        store.remember(connection, message.id, at, "serve", "ok", f"{filename} is held for {serving.certificate_id}")
        return True


def is_held(connection: Connection, message: int, digest: bytes) -> bool:
    """Whether these bytes are, or were, held for this message."""
    return bool(connection.execute(select(exists().where(servings.c.message == message, servings.c.digest == digest))).scalar())


def described(row: AnyRow, sys_ref: str) -> technical.Held:
    """A row of `servings` as the messages about it name it."""
    return technical.Held(
        certificate_id=row.certificate_id,
        document_id=row.document_id,
        name=row.filename,
        digest=row.digest.hex(),
        system=row.system,
        sys_ref=sys_ref,
        addressee=row.addressee or "-",
        issued_at=row.issued_at,
        due_at=row.due_at,
    )


def keep(connection: Connection, serving: int, paper: str, content: bytes, at: datetime) -> None:
    """File a paper. Raises IntegrityError when there is one of that name already: each is made once."""
    connection.execute(insert(serving_papers).values(serving=serving, paper=paper, made_at=at, content=content))


def lay(connection: Connection, serving: AnyRow, document_id: str, kind: str, filename: str, content: bytes, at: datetime) -> None:
    """Put a paper into the addressee's mailbox."""
    mailbox.put(
        connection,
        message=serving.message,
        document_id=document_id,
        kind=kind,
        filename=filename,
        digest=hashlib.sha256(content).digest(),
        content=content,
        at=at,
    )


def listed(connection: Connection, *, message: int | None = None, everything: bool = False) -> Sequence[AnyRow]:
    """Servings with the sysRefs of their message and of the signed UPD; those that are held, unless `everything` or a message's."""
    proof = messages.alias("proof")
    query = (
        select(servings, messages.c.sys_ref, proof.c.sys_ref.label("proof_sys_ref"))
        .join(messages, messages.c.id == servings.c.message)
        .outerjoin(proof, proof.c.id == servings.c.proof)
        .order_by(servings.c.id)
    )
    if message is not None:
        query = query.where(servings.c.message == message)
    elif not everything:
        query = query.where(servings.c.state == "held")
    return connection.execute(query).all()


def papers(connection: Connection, certificate_id: str) -> Sequence[AnyRow]:
    """The papers of a serving, oldest first."""
    query = select(serving_papers).join(servings, servings.c.id == serving_papers.c.serving)
    return connection.execute(query.where(servings.c.certificate_id == certificate_id).order_by(serving_papers.c.made_at)).all()


# --- inside the recording transaction, which does without SQLAlchemy -------------------------------------------------------


def check_open(cursor: sqlite3.Cursor, serving: Serving, account_id: int, received_at: datetime) -> None:
    """Raises Conflict(confirm.repeated | confirm.too_late) unless a UPD that this account sent at that time may still release
    the document. Another account's sysRef is not told."""
    state, due_at, proof = cursor.execute(
        "SELECT state, due_at, (SELECT CASE account_id WHEN ? THEN sys_ref ELSE '-' END FROM messages WHERE id = servings.proof)"
        " FROM servings WHERE id = ?",
        (account_id, serving.serving_id),
    ).fetchone()
    if state == "signed":
        raise Conflict(Rejected("confirm.repeated", certificate=serving.certificate_id, sys_ref=proof))
    if state != "held" or to_micros(received_at) >= due_at:
        raise Conflict(Rejected("confirm.too_late", certificate=serving.certificate_id, due=local(from_micros(due_at))))


@dataclass(frozen=True, slots=True)
class Released:
    """The document that a signed UPD sets free. `lies_there`: it is in the mailbox already."""

    message: int
    account_id: int
    document_id: str
    kind: str
    filename: str
    digest: bytes
    content: bytes
    lies_there: bool


def release(cursor: sqlite3.Cursor, serving: Serving, proof: int | None, received_at: datetime) -> Released:
    """The serving is signed, by the message with the number `proof`; `check_open` was asked in the same transaction."""
    cursor.execute(
        "UPDATE servings SET state = 'signed', proof = ?, closed_at = ?, next_at = NULL WHERE id = ?",
        (proof, to_micros(received_at), serving.serving_id),
    )
    row = cursor.execute(
        "SELECT s.message, s.account_id, s.document_id, s.kind, s.filename, s.digest, p.content,"
        " EXISTS (SELECT 1 FROM mailbox m WHERE m.message = s.message AND m.digest = s.digest)"
        " FROM servings s JOIN serving_papers p ON p.serving = s.id AND p.paper = 'document' WHERE s.id = ?",
        (serving.serving_id,),
    ).fetchone()
    return Released(*row)
