"""The real server under load: `brama serve` (and `brama worker`, and the simulated authority) in a folder of its own.

Every run is checked against the database: as many accepted messages as accepted replies, the same sysRefs, a receipt and
a delivery for each, and the last receipt verifies. A run that does not add up is no figure but an error.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.load import Generator, Load
from bench.messages import Signed
from bench.processes import cpu_seconds, machine_busy, peak_memory
from gateway.demo.house import House, running
from gateway.security.keys import load_trust
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Verifier
from gateway.security.xml import HardenedParser

DRAIN_SECONDS = 90.0
JUDGED = ("parse", "identify", "validate", "verify", "authorize", "receipt")


class Lost(Exception):
    """Replies and database do not tell the same story."""


@dataclass(frozen=True, slots=True)
class Run:
    """One load and what it cost. CPU in microseconds per accepted message, memory in bytes, times in seconds.

    `steps` are medians of the timelines in the history table; `others` is the share of the machine that neither server,
    worker, authority nor generator used.
    """

    clients: int
    accepted: int
    rate: float
    p50: float
    p99: float
    cpu: float
    worker_cpu: float
    generator_cpu: float
    steps: dict[str, float]
    memory: int
    others: float
    drained: float | None = None  # deliveries per second, until the queue was empty


class Gateway:
    """A running set-up that takes loads one after another, each with messages it has not seen."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._used = 0
        self._host = house.url.removeprefix("http://")
        self.home = house.home

    def warm(self, signed: Signed, count: int = 64) -> None:
        """The first messages compile the grammar and fill the caches; they are not measured."""
        Generator(signed, self._used, count, 8, self._host, self.home).go()
        self._used += count

    def run(self, signed: Signed, count: int, clients: int) -> Run:
        """`count` messages by `clients`. Raises Lost."""
        generator = Generator(signed, self._used, count, clients, self._host, self.home)
        self._used += count
        last = self._last_message()
        before, busy = self._cpu(), machine_busy()
        load = generator.go()
        after, busy = self._cpu(), machine_busy() - busy
        self._check(load, count, last)
        drained = self._drain(last, count, load) if "worker" in self._house.started else None
        spent = {name: after[name] - before[name] for name in after}
        others = max(0.0, busy - sum(spent.values()) - load.cpu) / load.seconds / (os.cpu_count() or 1)
        per_message = 1e6 / count
        return Run(
            clients=clients,
            accepted=len(load.sys_refs),
            rate=load.rate,
            p50=load.latency(0.5),
            p99=load.latency(0.99),
            cpu=spent["serve"] * per_message,
            worker_cpu=spent.get("worker", 0.0) * per_message,
            generator_cpu=load.cpu * per_message,
            steps=self._steps(last),
            memory=peak_memory(self._house.started["serve"].pid),
            others=others,
            drained=drained,
        )

    def _cpu(self) -> dict[str, float]:
        return {name: cpu_seconds(process.pid) for name, process in self._house.started.items()}

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.home / 'brama.db'}?mode=ro", uri=True)

    def _last_message(self) -> int:
        with self._database() as database:
            return int(database.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0])

    def _check(self, load: Load, count: int, last: int) -> None:
        if load.refused or len(load.sys_refs) != count:
            raise Lost(f"{count} sent, {len(load.sys_refs)} accepted; first odd reply: {load.refused[:1]}")
        with self._database() as database:
            stored = [row[0] for row in database.execute("SELECT sys_ref FROM messages WHERE id > ? AND state = 'accepted'", (last,))]
            for table in ("contents", "deliveries", "history", "mailbox"):
                rows = database.execute(f"SELECT count(DISTINCT message) FROM {table} WHERE message > ?", (last,)).fetchone()[0]
                if rows != count:
                    raise Lost(f"{rows} messages in {table}, {count} were accepted")
            receipt = database.execute("SELECT content FROM mailbox WHERE kind = 'UPP' ORDER BY id DESC LIMIT 1").fetchone()[0]
        if sorted(stored) != sorted(load.sys_refs):
            raise Lost(f"{len(stored)} rows, {len(load.sys_refs)} sysRefs in the replies, and they are not the same")
        verifier = Verifier(load_trust(self.home / "keys"), NoRevocation())
        verifier.verify(verifier.set_aside(HardenedParser().parse(receipt)), datetime.now(UTC))

    def _steps(self, last: int) -> dict[str, float]:
        with self._database() as database:
            timelines = database.execute("SELECT steps FROM history WHERE event = 'accept' AND message > ?", (last,)).fetchall()
        found: dict[str, list[int]] = {}
        for (timeline,) in timelines:
            for step, _offset, microseconds, _outcome in json.loads(timeline):
                found.setdefault(step, []).append(microseconds)
        return {step: statistics.median(values) for step, values in found.items()}

    def _drain(self, last: int, count: int, load: Load) -> float:
        """Deliveries per second from the first call to the moment when the worker has delivered them all."""
        begun = time.monotonic() - load.seconds
        while time.monotonic() - begun < DRAIN_SECONDS:
            with self._database() as database:
                states = dict(database.execute("SELECT state, count(*) FROM deliveries WHERE message > ? GROUP BY 1", (last,)))
            if states == {"delivered": count}:
                return count / (time.monotonic() - begun)
            time.sleep(0.1)
        raise Lost(f"the worker did not deliver them all in {DRAIN_SECONDS:.0f} s: {states}")


@contextmanager
def gateway(prepared: Path, home: Path, *, processes: int = 1, worker: bool = False) -> Iterator[Gateway]:
    """A gateway with an empty database in `home`, with the keys and people of `prepared`."""
    shutil.copytree(prepared, home, ignore=shutil.ignore_patterns("*.pickle", "*.db*"))
    try:
        unlimited = {"BRAMA_CALLS_PER_SECOND": "1000000"}  # all calls are one account's here
        with running(home, processes=processes, worker=worker, settings=unlimited) as house:
            yield Gateway(house)
    finally:
        shutil.rmtree(home, ignore_errors=True)
