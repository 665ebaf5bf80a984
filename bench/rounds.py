"""The order of measuring: floor and gateway by turns, so that what the neighbours on this machine do hits both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bench.floor import Bare, BareServer, Floor
from bench.gateway_under_test import Gateway, Run, gateway
from bench.messages import Signed
from bench.recording import record_cpu

WARM = 64
FLOOR_MESSAGES = 320
ROUNDS_SECONDS = 270.0  # no new round after that: everything must end within 10 minutes
DRAINED = 300  # messages of a load that a worker drains; the worker is much slower than the door


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `counts` are messages of one load by number of clients."""

    rounds: int
    counts: dict[int, int]

    @property
    def messages(self) -> int:
        """How many of each size are needed: every load of one server start takes new ones."""
        return WARM + sum(self.counts.values())


@dataclass
class Measured:
    """All figures of one size. `rounds[clients]` are pairs of a floor and the gateway's run right after it."""

    signed: Signed
    rounds: dict[int, list[tuple[Floor, Run]]] = field(default_factory=dict)
    draining: list[Run] = field(default_factory=list)
    two_processes: list[Run] = field(default_factory=list)
    record: float = 0.0

    def ratio(self, clients: int) -> float:
        """CPU of the gateway over CPU of the floor: median of the rounds."""
        return statistics.median(run.cpu / floor.total for floor, run in self.rounds[clients])

    def floor(self, clients: int) -> Floor:
        floors = [floor for floor, _ in self.rounds[clients]]
        steps = {step: statistics.median(floor.steps[step] for floor in floors) for step in floors[0].steps}
        return Floor(steps, statistics.median(floor.alone for floor in floors))

    def ratio_alone(self) -> float:
        """With one client, against a floor that commits each message for itself, as the gateway must then."""
        return statistics.median(run.cpu / floor.total_alone for floor, run in self.rounds[1])


class Measuring:
    """Takes all figures for one size after another. `tell` gets a line about each thing as it begins."""

    def __init__(self, prepared: Path, plan: Plan, tell: Callable[[str], None]) -> None:
        self._prepared, self._plan, self._tell = prepared, plan, tell
        self._started = 0

    def measure(self, sizes: dict[int, Signed]) -> dict[int, Measured]:
        """Rounds over all sizes, then the rates with a worker and with two processes. Raises Lost."""
        measured = {size: Measured(signed) for size, signed in sizes.items()}
        bare, server = Bare(self._prepared), BareServer()
        try:
            begun = time.monotonic()
            for number in range(self._plan.rounds):
                if number and time.monotonic() - begun > ROUNDS_SECONDS:
                    self._tell(f"the machine is slow: only {number} of {self._plan.rounds} rounds")
                    break
                for size, entry in measured.items():
                    self._tell(f"{size} KB: round {number + 1} of {self._plan.rounds}, workers stopped")
                    self._round(entry, bare, server)
        finally:
            server.close()
        for size, entry in measured.items():
            self._tell(f"{size} KB: one worker draining to the simulated authority")
            entry.draining = self._loads(entry.signed, worker=True)
            self._tell(f"{size} KB: two server processes")
            entry.two_processes = self._loads(entry.signed, processes=2)
        return measured

    def _round(self, entry: Measured, bare: Bare, server: BareServer) -> None:
        messages = entry.signed.read(0, FLOOR_MESSAGES)
        with self._start() as house:
            house.warm(entry.signed, WARM)
            for clients, count in self._plan.counts.items():
                steps = bare.measure(messages)
                steps["HTTP"] = server.measure(entry.signed, count, clients, self._prepared)
                entry.rounds.setdefault(clients, []).append(
                    (Floor(steps, bare.commit_alone(messages)), house.run(entry.signed, count, clients))
                )
            if not entry.record:
                entry.record = record_cpu(house.home, messages)

    def _loads(self, signed: Signed, *, processes: int = 1, worker: bool = False) -> list[Run]:
        with self._start(processes=processes, worker=worker) as house:
            house.warm(signed, WARM)
            counts = {clients: min(count, DRAINED) if worker else count for clients, count in self._plan.counts.items()}
            return [house.run(signed, count, clients) for clients, count in counts.items()]

    def _start(self, *, processes: int = 1, worker: bool = False) -> AbstractContextManager[Gateway]:
        self._started += 1
        home = self._prepared.parent / f"run-{self._started}"
        return gateway(self._prepared, home, processes=processes, worker=worker)
