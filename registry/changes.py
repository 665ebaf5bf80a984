"""Single changes to the registry that are in force at once on every node."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from gateway.database import bump
from registry.tables import certificates, representations


def end_representation(connection: Connection, representation_id: int, at: datetime) -> datetime | None:
    """End a representation at `at`; gives the instant it ended, the earlier one if it had been ended before; None if
    there is no such representation. Takes effect with the caller's commit."""
    row = connection.execute(
        select(representations.c.ended_at).where(representations.c.representation_id == representation_id)
    ).one_or_none()
    if row is None:
        return None
    if row.ended_at is not None and row.ended_at <= at:
        ended_at: datetime = row.ended_at
        return ended_at
    own = representations.c.representation_id == representation_id
    connection.execute(update(representations).where(own).values(ended_at=at))
    bump(connection, "registry")
    return at


def revoke_certificate(connection: Connection, fingerprint: str, at: datetime) -> datetime | None:
    """Revoke a certificate in the registry at `at`; gives the instant, the earlier one if it had been revoked before;
    None if it is not registered. Takes effect with the caller's commit."""
    own = certificates.c.fingerprint == fingerprint.lower()
    row = connection.execute(select(certificates.c.revoked_at).where(own)).one_or_none()
    if row is None:
        return None
    if row.revoked_at is not None and row.revoked_at <= at:
        revoked_at: datetime = row.revoked_at
        return revoked_at
    connection.execute(update(certificates).where(own).values(revoked_at=at))
    bump(connection, "registry")
    return at
