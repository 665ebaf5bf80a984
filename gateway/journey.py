"""The context manager around each step: timer, timeline, log line; anything unknown becomes Failed(unexpected)."""

from __future__ import annotations

from time import perf_counter_ns
from types import TracebackType

import structlog

from gateway.errors import Failed, GatewayError
from gateway.message import StepTime

log = structlog.get_logger("brama.journey")


class Journey:
    """One message's walk, timed by a monotonic clock from here on."""

    def __init__(self, sys_ref: str) -> None:
        self.sys_ref = sys_ref
        self._zero = perf_counter_ns()
        self._timeline: list[StepTime] = []

    @property
    def timeline(self) -> tuple[StepTime, ...]:
        return tuple(self._timeline)

    def step(self, name: str) -> Step:
        """Time what happens inside. GatewayErrors pass with their code noted; any other becomes Failed(unexpected)."""
        return Step(self, name)

    def note(self, name: str, begun: int, outcome: str) -> None:
        """Add a line to the timeline that began at `begun` (perf_counter_ns) and ends now."""
        self._timeline.append(StepTime(name, (begun - self._zero) // 1000, (perf_counter_ns() - begun) // 1000, outcome))


class Step:
    """One step while it runs. A class, because a generator for each step of each message costs three times as much."""

    __slots__ = ("_begun", "_journey", "_name")

    def __init__(self, journey: Journey, name: str) -> None:
        self._journey, self._name = journey, name

    def __enter__(self) -> None:
        self._begun = perf_counter_ns()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        journey, name = self._journey, self._name
        if error is None:
            journey.note(name, self._begun, "ok")
        elif isinstance(error, GatewayError):
            journey.note(name, self._begun, error.code)
            log.info("step_refused", step=name, sys_ref=journey.sys_ref, code=error.code)
        elif isinstance(error, Exception):
            journey.note(name, self._begun, "unexpected")
            log.error("step_failed", step=name, sys_ref=journey.sys_ref, exc_info=error)
            raise Failed("unexpected", kind=type(error).__name__) from error
