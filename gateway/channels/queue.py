"""The durable queue in the database: claims with a fencing number, back-off, deadlines, dead letters.

A worker owns a claimed delivery until `claimed_until`; every result carries the fencing number of its claim, so a
worker that was asleep for longer than its lease changes nothing any more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import and_, case, insert, or_, select, text, update
from sqlalchemy.engine import Connection

from gateway.channels.official import OfficialReceipts
from gateway.channels.tables import dead_letters, deliveries, requests
from gateway.database import AnyRow, Database
from gateway.errors import Failed, GatewayError
from gateway.message import BusinessKeys, DocumentType, Job, Request, StepTime
from gateway.profile import RetryPolicy
from gateway.storage import messages as store
from gateway.storage.tables import contents, messages


class LostLease(Exception):
    """The claim had ended and somebody else has the delivery now: drop what was done."""


def fingerprint(system: str, code: str, detail: str) -> str:
    """Twelve hex digits shared by errors that differ only in numbers and identifiers."""
    alike = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "#", detail)
    return hashlib.sha256(f"{system}|{code}|{alike}".encode()).hexdigest()[:12]


class DatabaseChannel:
    """The queue of deliveries. `claim_seconds` is the lease; `receipts` gives the UPO of a system that gives none."""

    def __init__(self, database: Database, *, claim_seconds: float, receipts: OfficialReceipts | None = None) -> None:
        self._database, self._receipts = database, receipts
        self._lease = timedelta(seconds=claim_seconds)

    def claim(self, limit: int, at: datetime) -> list[Job]:
        """Up to `limit` deliveries that are due, or whose worker let the lease run out."""
        open_ = text("deliveries.state IN ('due', 'claimed')")  # literally so, or SQLite does not see that the partial index serves
        ready = or_(
            and_(deliveries.c.state == "due", deliveries.c.due_at <= at),
            and_(deliveries.c.state == "claimed", deliveries.c.claimed_until <= at),
        )
        with self._database.reading() as connection:  # an idle worker takes no write lock
            if connection.execute(select(deliveries.c.id).where(open_, ready, deliveries.c.due_at <= at).limit(1)).first() is None:
                return []
        with self._database.writing() as connection:
            chosen = select(deliveries.c.id).where(open_, ready, deliveries.c.due_at <= at).order_by(deliveries.c.due_at).limit(limit)
            claimed = (
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id.in_(chosen))
                    .values(
                        state="claimed",
                        fence=deliveries.c.fence + 1,
                        attempts=deliveries.c.attempts + 1,
                        lost=case((deliveries.c.state == "claimed", deliveries.c.lost + 1), else_=deliveries.c.lost),
                        claimed_until=at + self._lease,
                    )
                    .returning(deliveries.c.id)
                )
                .scalars()
                .all()
            )
            rows = connection.execute(
                select(
                    deliveries, messages, contents.c.content, requests.c.request_id, requests.c.content.label("request"), requests.c.headers
                )
                .join(messages, messages.c.id == deliveries.c.message)
                .join(contents, contents.c.message == messages.c.id)
                .outerjoin(requests, requests.c.delivery == deliveries.c.id)
                .where(deliveries.c.id.in_(claimed))
                .order_by(deliveries.c.due_at)
            ).all()
        return [job for row in rows if (job := self._with_request(row, at)) is not None]

    def _with_request(self, row: AnyRow, at: datetime) -> Job | None:
        """None when the stored request cannot be read: a person must look at that delivery, and the others of its claim go on."""
        job = _job(row)
        try:
            return replace(job, request=_request(row))
        except ValueError as error:
            self.dead(job, Failed("unexpected", kind=f"{type(error).__name__} in the stored request"), at, ())
            return None

    def store_request(self, job: Job, request: Request) -> None:
        """See the port `Deliveries`."""
        with self._database.writing() as connection:
            self._own(connection, job)
            connection.execute(
                insert(requests).values(
                    delivery=job.delivery_id,
                    request_id=request.request_id,
                    content=request.content,
                    headers=json.dumps(dict(request.headers)),
                )
            )

    def delivered(self, job: Job, at: datetime, detail: str, timeline: Sequence[StepTime], flow_state: str = "sent") -> None:
        """The target has it. Raises LostLease."""
        with self._database.writing() as connection:
            row = self._own(connection, job)
            connection.execute(
                update(deliveries)
                .where(deliveries.c.id == job.delivery_id)
                .values(state="delivered", ended_at=at, claimed_until=None, flow_state=row.flow_state or flow_state)
            )
            store.remember(connection, row.message, _begun(timeline, at), "deliver", "ok", detail, timeline)
            if self._receipts is not None:
                self._receipts.issue(connection, row.message, job.system, at)

    def later(self, job: Job, error: GatewayError, policy: RetryPolicy, at: datetime, timeline: Sequence[StepTime]) -> None:
        """Try again after the back-off (or what the target asked for, if that is longer); give up when that is past the
        deadline. Raises LostLease."""
        due_at = at + timedelta(seconds=max(policy.delay(job.attempts), asked_for(error)))
        if due_at > job.deadline_at:
            self.dead(job, error, at, timeline, why=f"the next attempt would be past the deadline {job.deadline_at:%Y-%m-%d %H:%M:%S} UTC")
            return
        with self._database.writing() as connection:
            row = self._own(connection, job)
            connection.execute(
                update(deliveries).where(deliveries.c.id == job.delivery_id).values(state="due", due_at=due_at, claimed_until=None, lost=0)
            )
            store.remember(connection, row.message, _begun(timeline, at), "deliver", error.code, error.text("en"), timeline)

    def dead(self, job: Job, error: GatewayError, at: datetime, timeline: Sequence[StepTime], why: str = "no retry would help") -> None:
        """A person must look: out of the queue, into the dead letters. Raises LostLease."""
        with self._database.writing() as connection:
            row = self._own(connection, job)
            store.remember(connection, row.message, _begun(timeline, at), "deliver", error.code, error.text("en"), timeline)
            store.remember(connection, row.message, at, "dead", error.code, why)
            connection.execute(
                update(deliveries).where(deliveries.c.id == job.delivery_id).values(state="dead", ended_at=at, claimed_until=None)
            )
            connection.execute(
                insert(dead_letters).values(
                    kind="delivery",
                    delivery=job.delivery_id,
                    system=job.system,
                    code=error.code,
                    stage=error.stage,
                    attempts=job.attempts,
                    first_error=_first_error(connection, row.message, error),
                    last_error=error.text("en"),
                    fingerprint=fingerprint(job.system, error.code, error.text("en")),
                    created_at=at,
                )
            )

    def _own(self, connection: Connection, job: Job) -> AnyRow:
        """The delivery's row, if the claim is still ours."""
        row = connection.execute(
            select(deliveries).where(deliveries.c.id == job.delivery_id, deliveries.c.fence == job.fence, deliveries.c.state == "claimed")
        ).one_or_none()
        if row is None:
            raise LostLease
        return row


def status(connection: Connection, message: int) -> AnyRow | None:
    """The delivery of a message; None for one that was refused."""
    return connection.execute(select(deliveries).where(deliveries.c.message == message)).one_or_none()


def asked_for(error: GatewayError) -> float:
    """Seconds of a Retry-After header (RFC 9110, section 10.2.3), at most an hour; 0 for a date or none."""
    asked = str(error.context.get("retry_after") or "")
    return float(min(int(asked), 3600)) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0.0


def _begun(timeline: Sequence[StepTime], at: datetime) -> datetime:
    """When an attempt began that ended at `at`."""
    return at - timedelta(microseconds=timeline[-1].after + timeline[-1].microseconds) if timeline else at


def _first_error(connection: Connection, message: int, error: GatewayError) -> str:
    events = [e for e in store.events(connection, message) if e.event == "deliver" and e.outcome != "ok"]
    return events[0].detail if events else error.text("en")


def _job(row: AnyRow) -> Job:
    fields = row._mapping
    return Job(
        delivery_id=fields[deliveries.c.id],
        sys_ref=fields[messages.c.sys_ref],
        system=fields[deliveries.c.system],
        document_type=DocumentType(fields[deliveries.c.system], fields[messages.c.edition], fields[messages.c.root], "in"),
        content=bytes(fields[contents.c.content]),
        keys=BusinessKeys(
            message_id=fields[messages.c.business_id],
            sender=fields[messages.c.sender],
            lrn=fields[messages.c.lrn],
            mrn=fields[messages.c.mrn],
            party=fields[messages.c.party],
        ),
        attempts=fields[deliveries.c.attempts],
        lost=fields[deliveries.c.lost],
        fence=fields[deliveries.c.fence],
        deadline_at=fields[deliveries.c.deadline_at],
    )


def _request(row: AnyRow) -> Request | None:
    """What was stored before the first attempt. Raises ValueError when its headers are no JSON."""
    fields = row._mapping
    if fields[requests.c.request_id] is None:
        return None
    return Request(fields[requests.c.request_id], bytes(fields["request"]), json.loads(fields[requests.c.headers]))
