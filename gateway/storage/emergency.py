"""Emergency mode: an operator closes the channel, and every server process knows it within a second.

Closed means that no document is accepted. Documents may still be collected unless the operator closes that too: in an
emergency of the administration's systems the answers that are here already are worth most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import bump, generation
from gateway.errors import Rejected
from gateway.storage.tables import channel_states

KIND = "doors"

log = structlog.get_logger("brama.emergency")


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Whether the channel is closed, whether documents may be collected meanwhile, why, and since when (None: always)."""

    closed: bool = False
    reading: bool = True
    reason_pl: str = ""
    reason_en: str = ""
    since: datetime | None = None


def read_state(connection: Connection) -> ChannelState:
    """The present state. Raises SQLAlchemyError."""
    columns = (channel_states.c[name] for name in ("closed", "reading", "reason_pl", "reason_en", "at"))
    row = connection.execute(select(*columns).order_by(channel_states.c.id.desc()).limit(1)).one_or_none()
    return ChannelState() if row is None else ChannelState(*row)


def write_state(connection: Connection, state: ChannelState) -> None:
    """Close or open the channel; takes effect on all nodes with the caller's commit. `since` must be set."""
    connection.execute(
        channel_states.insert().values(
            at=state.since, closed=state.closed, reading=state.reading, reason_pl=state.reason_pl, reason_en=state.reason_en
        )
    )
    bump(connection, KIND)


class Emergency:
    """The state as this process knows it: at most `max_age` seconds old, without a query for each call."""

    def __init__(self, engine: Engine, max_age: float = 0.5, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._max_age, self._clock = engine, max_age, clock
        self._state = ChannelState()
        self._number = -1
        self._looked_at = float("-inf")

    def check(self, *, reading: bool) -> None:
        """Raises Rejected(receive.emergency) when a call that collects (`reading`) or hands in documents is not served now."""
        if self._clock() - self._looked_at >= self._max_age:
            self._look()
        state = self._state
        if state.closed and not (reading and state.reading):
            raise Rejected("receive.emergency", reason_pl=state.reason_pl, reason_en=state.reason_en)

    def _look(self) -> None:
        """A database that does not answer changes nothing here: whoever needs it will say so."""
        self._looked_at = self._clock()
        try:
            with self._engine.connect() as connection:
                number = generation(connection, KIND)
                if number != self._number:
                    self._state, self._number = read_state(connection), number
        except SQLAlchemyError as error:
            log.warning("channel_state_unknown", kind=type(error).__name__, closed=self._state.closed)
