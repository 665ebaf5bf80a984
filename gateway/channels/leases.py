"""Leases: what only one process at a time may do, agreed on through the database.

A lease is claimed by a committed compare-and-set and ends by itself, so whoever dies holding it is followed by another.
Each claim raises the fencing number; `check` inside a transaction makes sure that the claim is still the last one, so a
process that slept past its end changes nothing. The processes' clocks must agree to a fraction of the lease; one that ends
later than any claim of now could is left from a clock that was wrong, and holds nobody up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, or_, select, update
from sqlalchemy.engine import Connection

from gateway.channels.queue import LostLease
from gateway.channels.tables import leases
from gateway.database import Database


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim that was granted."""

    name: str
    holder: str
    fence: int


class Leases:
    """The leases as one process sees them. `holder` names the process, `seconds` is how long a claim lasts."""

    def __init__(self, database: Database, holder: str, seconds: float) -> None:
        self._database, self._holder, self._life = database, holder, timedelta(seconds=seconds)

    def claim(self, name: str, at: datetime) -> Lease | None:
        """The lease from `at` on, or None while another holds it. Raises StoreBusy."""
        with self._database.writing() as connection:
            until = at + self._life
            taken = connection.execute(
                update(leases)
                .where(
                    leases.c.name == name, or_(leases.c.until <= at, leases.c.until > at + 2 * self._life, leases.c.holder == self._holder)
                )
                .values(holder=self._holder, until=until, fence=leases.c.fence + 1)
                .returning(leases.c.fence)
            ).scalar()
            if taken is not None:
                return Lease(name, self._holder, taken)
            if connection.execute(select(leases.c.name).where(leases.c.name == name)).first() is not None:
                return None
            connection.execute(insert(leases).values(name=name, holder=self._holder, until=until, fence=1))
        return Lease(name, self._holder, 1)

    def release(self, lease: Lease, at: datetime) -> None:
        """Let others claim it from `at` on. A lease that has gone to another is left alone. Raises StoreBusy."""
        with self._database.writing() as connection:
            connection.execute(update(leases).where(leases.c.name == lease.name, leases.c.fence == lease.fence).values(until=at))


def check(connection: Connection, lease: Lease) -> None:
    """Inside a transaction: is the claim still the last one? Raises LostLease."""
    if connection.execute(select(leases.c.fence).where(leases.c.name == lease.name)).scalar() != lease.fence:
        raise LostLease
