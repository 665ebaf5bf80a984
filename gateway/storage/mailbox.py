"""The mailbox: receipts and answers wait here until their reader collects them.

Whoever hands a document out claims it for a while in a committed update. Written out completely it is collected, a failed
write releases it, and after a crash the claim ends and it is handed out again: never lost, at worst seen twice.

`put` files a document, `claim`, `collect` and `release` are the life of one claim. They take any open transaction, so that
polling (`gateway.storage.polling`) and whatever else hands documents out share the statements.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import exists, insert, select, text
from sqlalchemy.engine import Connection

from gateway.database import to_micros
from gateway.storage.tables import mailbox, messages

Transaction = Connection | sqlite3.Cursor

#: What makes a row of `mailbox` wait for its reader: account and tray are those of its message.
WAIT = """
    INSERT INTO collections (document, account_id, tray, created_at, claim)
    SELECT :document, account_id, tray, :at, 0 FROM messages WHERE id = :message"""
# On PostgreSQL the row would be found by SELECT ... FOR UPDATE SKIP LOCKED; SQLite's one writer needs no more than this.
_CLAIM = """
    UPDATE collections SET claim = claim + 1, claimed_until = :until
    WHERE document = :document AND collected_at IS NULL AND (claimed_until IS NULL OR claimed_until <= :at)
    RETURNING claim"""
_END = """
    UPDATE collections SET claimed_until = NULL, collected_at = :collected_at
    WHERE document = (SELECT id FROM mailbox WHERE document_id = :document_id) AND claim = :claim AND collected_at IS NULL"""


def put(
    connection: Connection, *, message: int, document_id: str, kind: str, filename: str, digest: bytes, content: bytes, at: datetime
) -> bool:
    """File a document for the sender of `message`, in the tray of its context, inside the caller's transaction; False when
    the very same is there already. `digest` is unique for a message."""
    if connection.execute(select(exists().where(mailbox.c.message == message, mailbox.c.digest == digest))).scalar():
        return False
    inserted = connection.execute(
        insert(mailbox).values(
            document_id=document_id,
            account_id=select(messages.c.account_id).where(messages.c.id == message).scalar_subquery(),
            message=message,
            kind=kind,
            filename=filename,
            digest=digest,
            content=content,
            created_at=at,
        )
    )
    (document,) = inserted.inserted_primary_key or (None,)
    connection.execute(text(WAIT), {"document": document, "at": to_micros(at), "message": message})
    return True


def claim(transaction: Transaction, document: int, at: datetime, until: datetime) -> int | None:
    """Hold the document with this row id (of `mailbox`) until `until`; gives the claim's number. None: somebody holds it, or
    it has been collected."""
    values = {"document": document, "at": to_micros(at), "until": to_micros(until)}
    if isinstance(transaction, sqlite3.Cursor):
        row = transaction.execute(_CLAIM, values).fetchone()
        return None if row is None else int(row[0])
    number: int | None = transaction.execute(text(_CLAIM), values).scalar()
    return number


def collect(transaction: Transaction, document_id: str, number: int, at: datetime) -> None:
    """It was written out completely. A claim that ended meanwhile and was taken over by another is left alone."""
    _end(transaction, {"document_id": document_id, "claim": number, "collected_at": to_micros(at)})


def release(transaction: Transaction, document_id: str, number: int) -> None:
    """It could not be written: whoever asks next gets it."""
    _end(transaction, {"document_id": document_id, "claim": number, "collected_at": None})


def _end(transaction: Transaction, values: Mapping[str, object]) -> None:
    if isinstance(transaction, sqlite3.Cursor):
        transaction.execute(_END, values)
    else:
        transaction.execute(text(_END), values)
