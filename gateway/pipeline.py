"""The whole walk of a message on one screen.

    accept    (inside the sender's call)  parse -> identify -> validate -> verify -> authorize -> receipt -> record
                                          a signed UPD:                verify -> confirm -> authorize
    dispatch  (worker, retried)           route -> deliver -> reply

Each step takes the state before it, so mypy refuses a walk without `verify` or `authorize`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from gateway import ports
from gateway.errors import Failed, Rejected
from gateway.journey import Journey
from gateway.message import Answer, Delivered, Identified, Job, Judged, Received, Recorded, Replied
from gateway.ports import Conflict, Stale
from gateway.steps import receipt
from gateway.steps.authorize import NotAuthorized, authorize
from gateway.steps.confirm import confirm
from gateway.steps.deliver import deliver
from gateway.steps.identify import identify
from gateway.steps.parse import parse
from gateway.steps.reply import reply
from gateway.steps.route import route
from gateway.steps.validate import Invalid, validate
from gateway.steps.verify import verify

LARGE = 100_000  # bytes: above, judging would hold up the event loop for more than 1.5 ms
ABREAST = 32_000  # bytes: up to this size, documents that came together are taken through the walk step by step together
JUDGEMENTS = 3  # times a message is judged again when the registry moves under it


@dataclass(frozen=True, slots=True)
class Accepting:
    """The accept walk with the ports it needs. `issuer` is the gateway's name in receipts."""

    parser: ports.Parser
    schemas: ports.Schemas
    profiles: ports.Profiles
    verifier: ports.Verifier
    registry: ports.Registry
    servings: ports.Servings
    signer: ports.Signer
    committer: ports.Committer
    issuer: str
    pool: Executor | None = None

    async def accept(self, received: Received) -> Recorded:
        """Judge and record. Raises Rejected where the sender hears a fault and nothing is stored, Deferred when the
        store cannot take it now, Failed when something is wrong with us."""
        conflict: Rejected | None = None
        for _ in range(JUDGEMENTS):
            try:
                return await self.committer.record(await self._judge(received, conflict))
            except Stale:
                self.registry.refresh()
            except Conflict as found:
                conflict = found.reason
        raise Failed("unexpected", kind="the registry never stood still")

    async def _judge(self, received: Received, conflict: Rejected | None) -> Judged:
        size = len(received.content)
        if size > ABREAST:
            if self.pool is None or size < LARGE:
                return self.judge(received, conflict)
            return await asyncio.get_running_loop().run_in_executor(self.pool, self.judge, received, conflict)
        walk = self._walk(received, conflict)
        while (judged := next(walk)) is None:  # noqa: ASYNC110  # nothing is waited for, the others only go first
            await asyncio.sleep(0)  # the others take the same step: its code is in the processor's caches then (a third less CPU)
        return judged

    def judge(self, received: Received, conflict: Rejected | None = None) -> Judged:
        """Decide, and make and sign the receipt. Synchronous, and pure but for the clock of the timeline.

        `conflict` is a reason that only the store could know. Raises Rejected for what is answered with a fault.
        """
        return next(judged for judged in self._walk(received, conflict) if judged is not None)

    def _walk(self, received: Received, conflict: Rejected | None) -> Iterator[Judged | None]:
        """The accept walk up to the receipt: None where another message may go first, and then what came of it."""
        yield None
        journey = Journey(received.sys_ref)
        with journey.step("parse"):
            parsed = parse(received, self.parser)
        with journey.step("identify"):
            identified = identify(parsed, self.schemas, self.profiles)
        yield None
        try:
            with journey.step("validate"):
                validated = validate(identified, self.schemas, self.verifier)
            yield None
            with journey.step("verify"):
                verified = verify(validated, self.verifier)
            if identified.profile.confirms:
                with journey.step("confirm"):
                    verified = confirm(verified, self.servings, self.parser)
            with journey.step("authorize"):
                authorized = authorize(verified, self.registry)
            if conflict is not None:
                raise conflict
        except Rejected as reason:
            yield self._refuse(identified, reason, journey)
            return
        yield None
        with journey.step("receipt"):
            accepted = receipt.accept(authorized, self.signer, self.issuer)
        yield accepted.with_timeline(journey.timeline)

    def _refuse(self, identified: Identified, reason: Rejected, journey: Journey) -> Judged:
        violations = reason.violations if isinstance(reason, Invalid) else ()
        generation = reason.generation if isinstance(reason, NotAuthorized) else None
        with journey.step("receipt"):
            refused = receipt.refuse(identified, reason, violations, generation, self.signer, self.issuer)
        return refused.with_timeline(journey.timeline)


@dataclass(frozen=True, slots=True)
class Dispatching:
    """The dispatch walk with the ports it needs."""

    adapters: Mapping[str, ports.Adapter]
    deliveries: ports.Deliveries
    answers: ports.Answers
    now: Callable[[], datetime]

    async def dispatch(self, job: Job, journey: Journey) -> Delivered:
        """One attempt at one claimed delivery. Raises Deferred (try again), Rejected or Failed (a person must look)."""
        with journey.step("route"):
            routed = route(job, self.adapters, self.deliveries)
        with journey.step("deliver"):
            return await deliver(routed, self.adapters)

    def take_answer(self, answer: Answer) -> Replied:
        """An authenticated system's answer finds its message and goes to the sender's mailbox. Raises Failed(reply.*)."""
        return reply(answer, self.answers, self.now())
