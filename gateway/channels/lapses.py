"""The scheduler of servings: reminds addressees, and ends the wait when the period has passed.

It runs in every worker; a lease sees to it that one of them acts. Each act is one transaction with the lease's fencing
number and a compare-and-set on the serving, so a crash between any two makes no second notice and no second PND. What
time it is, is the caller's to say; days are counted by legal time (`gateway.legal_time`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from gateway import technical
from gateway.channels.leases import Lease, Leases, check
from gateway.channels.queue import LostLease
from gateway.channels.servings import described, keep, lay
from gateway.channels.tables import serving_papers, servings
from gateway.database import AnyRow, Database, StoreBusy
from gateway.legal_time import end_of_period
from gateway.ports import Signer
from gateway.storage import messages as store
from gateway.storage.tables import messages

log = structlog.get_logger("brama.servings")

LEASE = "servings"
GRACE = timedelta(minutes=5)  # a UPD received at the last moment may still be on its way into the store
AT_ONCE = 20  # acts in one run: the worker has deliveries to make, too
TRY_AGAIN = timedelta(minutes=1)  # what failed steps behind the others for so long

_OPEN = text("servings.state = 'held'")  # literally so, or SQLite does not see that the partial index serves


class Lapses:
    """Acts on what is due. `notices`: the days after which an addressee is reminded."""

    def __init__(self, database: Database, leases: Leases, signer: Signer, issuer: str, notices: Sequence[int]) -> None:
        self._database, self._leases = database, leases
        self._signer, self._issuer, self._notices = signer, issuer, tuple(notices)

    def run(self, at: datetime) -> int:
        """Do up to AT_ONCE of what is due at `at`; gives how much was done: 0 when nothing is due or another process is at it.

        Raises StoreBusy, OperationalError: then what was not done is still due.
        """
        if not self._due(at):  # an idle worker takes no write lock
            return 0
        lease = self._leases.claim(LEASE, at)
        if lease is None:
            return 0
        done = 0
        try:
            for row in self._due(at):
                done += self._tried(row, lease, at)
        except LostLease:
            log.warning("lease_lost", lease=LEASE, fence=lease.fence)
            return done
        self._leases.release(lease, at)
        return done

    def _due(self, at: datetime) -> Sequence[AnyRow]:
        query = select(servings, messages.c.sys_ref).join(messages, messages.c.id == servings.c.message)
        query = query.where(_OPEN, servings.c.next_at <= at).order_by(servings.c.next_at).limit(AT_ONCE)
        with self._database.reading() as connection:
            return connection.execute(query).all()

    def _tried(self, row: AnyRow, lease: Lease, at: datetime) -> bool:
        try:
            return self._act(row, lease, at)
        except (LostLease, StoreBusy, OperationalError):
            raise
        except Exception:
            log.exception("serving_failed", sys_ref=row.sys_ref, certificate=row.certificate_id)  # many must not keep the others waiting
            self._wait(row, lease, at + TRY_AGAIN)
            return False

    def _act(self, row: AnyRow, lease: Lease, at: datetime) -> bool:
        if at >= row.due_at:
            return self._lapse(row, lease, at) if at >= row.due_at + GRACE else self._wait(row, lease, row.due_at + GRACE)
        passed = sum(end_of_period(row.issued_at, days) <= at for days in self._notices)
        if passed > row.notices:
            return self._remind(row, passed, lease, at)
        return self._wait(row, lease, self._next(row, passed))

    def _next(self, row: AnyRow, passed: int) -> datetime:
        """When there will be something to do after notice number `passed`."""
        last: datetime = row.due_at + GRACE
        return min([last, *(end_of_period(row.issued_at, days) for days in self._notices[passed:])])

    def _remind(self, row: AnyRow, number: int, lease: Lease, at: datetime) -> bool:
        """One notice, the last that is due: after a standstill nobody is reminded twice in a minute."""
        held = described(row, row.sys_ref)
        sealed = self._signer.seal(technical.notice(held, number, at, self._issuer), technical.DOCUMENT)
        with self._database.writing() as connection:
            if not _moved(connection, row, lease, notices=number, next_at=self._next(row, number)):
                return False
            keep(connection, row.id, f"notice {number}", sealed, at)
            lay(connection, row, str(uuid4()), "Zawiadomienie", f"Zawiadomienie_{row.document_id}_{number}.xml", sealed, at)
            store.remember(connection, row.message, at, "serve", "reminded", f"notice {number} of {row.certificate_id}")
        log.info("serving_reminded", sys_ref=row.sys_ref, certificate=row.certificate_id, notice=number)
        return True

    def _lapse(self, row: AnyRow, lease: Lease, at: datetime) -> bool:
        """The PND, and the document itself: deemed served when the period ended, it must be there for its addressee to read."""
        held = described(row, row.sys_ref)
        sealed = self._signer.seal(technical.pnd(held, at, self._issuer), technical.DOCUMENT)
        with self._database.writing() as connection:
            if not _moved(connection, row, lease, state="lapsed", closed_at=at, next_at=None):
                return False
            paper = (serving_papers.c.serving == row.id) & (serving_papers.c.paper == "document")
            document = connection.execute(select(serving_papers.c.content).where(paper)).scalar_one()
            keep(connection, row.id, "PND", sealed, at)
            lay(connection, row, str(uuid4()), "PND", f"PND_{row.document_id}.xml", sealed, at)
            lay(connection, row, row.document_id, row.kind, row.filename, document, at)
            detail = f"PND for {row.certificate_id}; deemed served, {row.filename} goes into the mailbox"
            store.remember(connection, row.message, at, "serve", "lapsed", detail)
        log.info("serving_lapsed", sys_ref=row.sys_ref, certificate=row.certificate_id)
        return True

    def _wait(self, row: AnyRow, lease: Lease, until: datetime) -> bool:
        """Nothing to do before `until`: the settings had named other days when the document was held, or a try has failed."""
        with self._database.writing() as connection:
            return _moved(connection, row, lease, next_at=until)


def _moved(connection: Connection, row: AnyRow, lease: Lease, **values: object) -> bool:
    """Compare and set: False when the serving is no longer as `row` says. Raises LostLease."""
    check(connection, lease)
    same = (servings.c.id == row.id, servings.c.state == "held", servings.c.notices == row.notices, servings.c.next_at == row.next_at)
    return connection.execute(update(servings).where(*same).values(**values)).rowcount == 1
