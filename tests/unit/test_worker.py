"""The dispatch walk and the worker around it: what a target's word means, and what a worker survives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.bootstrap import Workshop
from gateway.channels.answers import AnswerDesk
from gateway.channels.committer import SqliteCommitter
from gateway.channels.queue import DatabaseChannel
from gateway.channels.tables import dead_letters, deliveries
from gateway.database import Database
from gateway.errors import Deferred, GatewayError
from gateway.message import Job, Request, Taken
from gateway.pipeline import Dispatching
from gateway.worker import Worker
from tests.walk import AT, FixedProfiles, accepted, received


@dataclass
class Target:
    """An adapter whose target says these things, one an attempt."""

    says: list[Taken | GatewayError]
    profile: Any = None

    def request(self, job: Job) -> Request:
        return Request(job.sys_ref, job.content)

    async def deliver(self, request: Request) -> Taken:
        said = self.says.pop(0)
        if isinstance(said, GatewayError):
            raise said
        return said


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        self.at += timedelta(seconds=1.5)
        return self.at


def work(database: Database, target: Target, channel: DatabaseChannel | None = None) -> None:
    """Until the target has said everything."""
    clock, profiles = Clock(), FixedProfiles()
    channel = channel or DatabaseChannel(database, claim_seconds=60)
    adapters: Mapping[str, Any] = {"NCTS2": target}
    dispatching = Dispatching(adapters, channel, AnswerDesk(database, profiles), clock.now)
    worker = Worker(Workshop(profiles, channel, dispatching, database), clock.now)  # type: ignore[arg-type]

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(5):
            while target.says and not running.done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stop.set()
        await running

    asyncio.run(run())


def put(database: Database) -> None:
    async def one() -> None:
        await SqliteCommitter(database, FixedProfiles(), lambda: AT, bound=9, token_window=300).record(accepted(received()))

    asyncio.run(one())


HAD_IT = Taken(duplicate=True, detail="HTTP 409")


def test_a_target_that_has_what_was_never_sent_means_another_message(database: Database) -> None:
    put(database)
    work(database, Target([HAD_IT]))
    with database.reading() as connection:
        assert connection.execute(select(dead_letters.c.code)).scalars().all() == ["deliver.never_sent"]
        assert connection.execute(select(deliveries.c.state)).scalar_one() == "dead"


def test_a_target_that_has_what_was_in_doubt_means_delivered(database: Database) -> None:
    put(database)
    work(database, Target([Deferred("deliver.in_doubt", system="NCTS2", detail="reset"), HAD_IT]))
    with database.reading() as connection:
        assert connection.execute(select(deliveries.c.state)).scalar_one() == "delivered"


def test_a_worker_survives_a_queue_that_breaks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put(database)
    channel = DatabaseChannel(database, claim_seconds=60)
    claim, broken = channel.claim, [ValueError("a row that cannot be read")]

    def once_broken(limit: int, at: datetime) -> list[Job]:
        if broken:
            raise broken.pop()
        return claim(limit, at)

    monkeypatch.setattr(channel, "claim", once_broken)
    work(database, Target([Taken(duplicate=False, detail="HTTP 202")]), channel)
    with database.reading() as connection:
        assert connection.execute(select(deliveries.c.state)).scalar_one() == "delivered"


def test_a_clock_that_is_set_back_does_not_hold_up_sweeping_and_serving(database: Database) -> None:
    ran: list[str] = []

    class Lapses:
        def run(self, at: datetime) -> int:
            ran.append("served")
            return 0

    class Shop:
        lapses = Lapses()

        def forget_nonces(self, at: datetime) -> None:
            ran.append("swept")

    at = [AT + timedelta(days=1)]
    worker = Worker(Shop(), lambda: at[0])  # type: ignore[arg-type]
    worker._sweep()
    worker._serve()
    at[0] = AT
    worker._sweep()
    worker._serve()
    assert ran == ["swept", "served"] * 2
    worker._sweep()
    worker._serve()
    assert ran == ["swept", "served"] * 2


def test_a_worker_survives_a_sweep_that_breaks(database: Database) -> None:
    class Shop:
        def forget_nonces(self, at: datetime) -> None:
            raise OSError("the lock file cannot be opened")

    Worker(Shop(), lambda: AT)._sweep()  # type: ignore[arg-type]
