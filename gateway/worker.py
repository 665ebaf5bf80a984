"""The worker: claims what is due, takes it through the dispatch walk, writes down how it ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import OperationalError

from gateway.bootstrap import Workshop, open_pusher, open_workshop
from gateway.channels.queue import LostLease
from gateway.database import StoreBusy
from gateway.errors import Deferred, Failed, GatewayError
from gateway.journey import Journey
from gateway.message import Job
from gateway.settings import Settings

log = structlog.get_logger("brama.worker")

POLL = 0.2  # seconds between looks into an empty queue
AT_ONCE = 16  # deliveries in work at once
SWEEP = timedelta(minutes=1)
SERVE = timedelta(seconds=5)
LOST_CLAIMS = 5  # workers that may be lost over one message before a person must look at it


class Worker:
    """Runs until told to stop; then finishes what it has claimed."""

    def __init__(self, shop: Workshop, now: Callable[[], datetime], at_once: int = AT_ONCE) -> None:
        self._shop, self._now, self._at_once = shop, now, at_once
        self._running: set[asyncio.Task[None]] = set()
        self._swept_at: datetime | None = None
        self._served_at: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._sweep()
            self._serve()
            if not self._claim():
                await self._rest(stop)
        if self._running:
            await asyncio.wait(self._running)

    def _sweep(self) -> None:
        """Once a minute, and on while there are more, drop some nonces whose token could not be accepted any more anyway."""
        at = self._now()
        if _lately(self._swept_at, at, SWEEP):
            return
        self._swept_at = at
        try:
            if self._shop.forget_nonces(at):
                self._swept_at = None
        except (StoreBusy, OperationalError):
            log.warning("sweep_put_off")
        except Exception:
            log.exception("sweep_failed")  # deliveries go on; the next round tries again

    def _serve(self) -> None:
        """Remind of, and end, what is held too long: every few seconds, and at once again while there is more."""
        if (lapses := self._shop.lapses) is None:
            return
        at = self._now()
        if _lately(self._served_at, at, SERVE):
            return
        try:
            self._served_at = None if lapses.run(at) else at
        except (StoreBusy, OperationalError):
            log.warning("serving_put_off")
        except Exception:
            self._served_at = at
            log.exception("serving_failed")  # deliveries go on; the next round tries again

    def _claim(self) -> int:
        free = self._at_once - len(self._running)
        try:
            jobs = self._shop.channel.claim(free, self._now()) if free else []
        except (StoreBusy, OperationalError):
            log.warning("queue_unavailable")
            return 0
        except Exception:
            log.exception("queue_failed")  # a worker that died of one broken row would deliver none of the others
            return 0
        for job in jobs:
            task = asyncio.create_task(self._work(job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(jobs)

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until the next look, a finished delivery (a place is free) or the order to stop."""
        halted = asyncio.create_task(stop.wait())
        full = len(self._running) >= self._at_once
        await asyncio.wait(
            {halted, *self._running} if full else {halted}, timeout=None if full else POLL, return_when=asyncio.FIRST_COMPLETED
        )
        halted.cancel()

    async def _work(self, job: Job) -> None:
        journey = Journey(job.sys_ref)
        try:
            await self._attempt(job, journey)
        except LostLease:
            log.warning("lease_lost", sys_ref=job.sys_ref, fence=job.fence)
        except Exception:
            log.exception("result_not_written", sys_ref=job.sys_ref)  # the lease runs out and another attempt is made

    async def _attempt(self, job: Job, journey: Journey) -> None:
        channel = self._shop.channel
        if job.lost >= LOST_CLAIMS:
            channel.dead(job, Failed("deliver.abandoned", system=job.system, lost=job.lost), self._now(), journey.timeline)
            log.error("delivery_dead", sys_ref=job.sys_ref, code="deliver.abandoned")
            return
        try:
            delivered = await self._shop.dispatching.dispatch(job, journey)
        except Deferred as error:
            channel.later(job, error, self._shop.profiles.system(job.system).retry, self._now(), journey.timeline)
            log.info("delivery_deferred", sys_ref=job.sys_ref, code=error.code, attempt=job.attempts)
        except GatewayError as error:
            channel.dead(job, error, self._now(), journey.timeline)
            log.error("delivery_dead", sys_ref=job.sys_ref, code=error.code)
        except LostLease:
            raise
        except Exception as error:
            log.exception("delivery_failed", sys_ref=job.sys_ref)
            channel.dead(job, Failed("unexpected", kind=type(error).__name__), self._now(), journey.timeline)
        else:
            channel.delivered(job, self._now(), delivered.taken.detail, journey.timeline)
            log.info("delivered", sys_ref=job.sys_ref, duplicate=delivered.taken.duplicate)


def _lately(done: datetime | None, at: datetime, span: timedelta) -> bool:
    """Whether that was less than `span` ago; a clock that was set back since then proves nothing."""
    return done is not None and timedelta(0) <= at - done < span


async def work(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_workshop(settings) as shop:
        log.info("worker_started", systems=sorted(shop.dispatching.adapters))
        with open_pusher(settings, shop.database) as pusher:
            await asyncio.gather(Worker(shop, shop.now).run(stop), pusher.run(stop))
        log.info("worker_stopped")
