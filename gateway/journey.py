"""The context manager around each step: timer, timeline, log line; anything unknown becomes Failed(unexpected)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import perf_counter_ns

import structlog

from gateway.errors import Failed, GatewayError
from gateway.message import StepTime

log = structlog.get_logger("brama.journey")


class Journey:
    """One message's walk. Times are taken from a monotonic clock, counted from `started_at`."""

    def __init__(self, sys_ref: str, started_at: datetime) -> None:
        self.sys_ref = sys_ref
        self._started_at = started_at
        self._zero = perf_counter_ns()
        self._timeline: list[StepTime] = []

    @property
    def timeline(self) -> tuple[StepTime, ...]:
        return tuple(self._timeline)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside. GatewayErrors pass with their code noted; any other becomes Failed(unexpected)."""
        begun = perf_counter_ns()
        try:
            yield
        except GatewayError as error:
            self._note(name, begun, error.code)
            log.info("step_refused", step=name, sys_ref=self.sys_ref, code=error.code)
            raise
        except Exception as error:
            self._note(name, begun, "unexpected")
            log.exception("step_failed", step=name, sys_ref=self.sys_ref)
            raise Failed("unexpected", kind=type(error).__name__) from error
        self._note(name, begun, "ok")

    def _note(self, name: str, begun: int, outcome: str) -> None:
        started_at = self._started_at + timedelta(microseconds=(begun - self._zero) // 1000)
        self._timeline.append(StepTime(name, started_at, (perf_counter_ns() - begun) // 1000, outcome))
