"""Forgetting nonces whose token could not be accepted any more anyway."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from gateway.database import Database
from gateway.storage.tables import nonces

AT_ONCE = 500  # rows in one transaction: the write lock is held for some 15 ms, however many there are

_ENDED = select(nonces.c.account_id.label("account"), nonces.c.nonce.label("used")).order_by(nonces.c.expires_at).limit(AT_ONCE)
_FORGET = delete(nonces).where(nonces.c.account_id == bindparam("account"), nonces.c.nonce == bindparam("used"))


def forget(database: Database, at: datetime) -> bool:
    """Drop those that ended longest before `at`; whether there may be more. They are looked for without the write lock: what has
    ended is never renewed. Raises StoreBusy."""
    with database.reading() as connection:
        ended = [dict(row) for row in connection.execute(_ENDED.where(nonces.c.expires_at < at)).mappings()]
    if ended:
        with database.writing() as connection:
            connection.execute(_FORGET, ended)
    return len(ended) == AT_ONCE
