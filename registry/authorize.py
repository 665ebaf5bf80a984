"""The registry's answer for the walk: `authorize`, cached for as long as it is surely the same.

A cached answer counts while the registry's generation number is the one it was read at. The number itself is looked up at
most every `max_age` seconds; that is safe because the recording transaction compares it again (`Granted.generation`).
Within one generation an answer changes only at the dated edges of its facts, and those are in the cache beside it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import generation
from gateway.message import Decision, Denied, Granted
from registry.decide import decide, edges
from registry.facts import Facts, read_facts

NEVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Facts, and what they decide in [since, until)."""

    facts: Facts
    decision: Decision
    since: datetime
    until: datetime


class GenerationWatch:
    """The registry's generation number as last seen, looked up at most every `max_age` seconds (0: at every call)."""

    def __init__(self, engine: Engine, max_age: float = 0.5) -> None:
        self._engine = engine
        self._max_age = max_age
        self._number = -1
        self._looked_at = float("-inf")

    def number(self, fresh: bool = False) -> int:
        """The number; `fresh` looks it up now. Raises SQLAlchemyError, and then looks again at the next call."""
        if fresh or time.monotonic() - self._looked_at >= self._max_age:
            looked_at = time.monotonic()
            with self._engine.connect() as connection:
                self._number = max(self._number, generation(connection, "registry"))  # a slower thread does not set it back
            self._looked_at = looked_at
        return self._number


class DatabaseRegistry:
    """Fulfils the port `Registry` from the database. May be shared by threads."""

    def __init__(self, engine: Engine, max_age: float = 0.5, size: int = 20_000) -> None:
        """`max_age`: seconds for which the generation is taken as read. `size`: how many answers are remembered."""
        self._engine = engine
        self._watch = GenerationWatch(engine, max_age)
        self._size = size
        self._remembered: dict[tuple[int, str, str, str | None, str | None], _Remembered] = {}
        self._lock = threading.Lock()

    def refresh(self) -> int:
        """Look the generation up now, e.g. before judging again what had become stale; gives it. Raises SQLAlchemyError."""
        return self._watch.number(fresh=True)

    def authorize(
        self,
        account_id: int,
        fingerprint: str,
        permission: str,
        party: str | None,
        at: datetime,
        sender: str | None = None,
        *,
        fresh: bool = False,
    ) -> Decision:
        """May the holder of this certificate (SHA-256 of its DER, hex), calling from this account, do `permission` for the
        party with this identifier or idSISC at that aware instant, in a document that names `sender` as its sender (None: it
        names none)? `fresh` passes the cache by.

        Missing data means Denied, and so does a database that does not answer. Raises ValueError for a naive instant.
        """
        if at.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        key = (account_id, fingerprint, permission, party, sender)
        try:
            number = self._watch.number(fresh)
            known = self._remembered.get(key)
            if known is None or known.facts.generation != number or fresh:
                with self._engine.connect() as connection:
                    facts = read_facts(connection, account_id, fingerprint, party)
            elif known.since <= at < known.until and isinstance(known.decision, Granted):
                return known.decision
            else:
                facts = known.facts  # a denial names the instant, so it is worded anew
        except SQLAlchemyError:
            return Denied("authorize.registry_unavailable", {}, -1)
        decision = decide(facts, permission, party, at, sender)
        self._remember(key, facts, decision, at)
        return decision

    def _remember(self, key: tuple[int, str, str, str | None, str | None], facts: Facts, decision: Decision, at: datetime) -> None:
        dated = edges(facts)
        since = max((edge for edge in dated if edge <= at), default=NEVER)
        until = min((edge for edge in dated if edge > at), default=FOREVER)
        with self._lock:
            self._remembered.pop(key, None)
            while len(self._remembered) >= self._size:
                del self._remembered[next(iter(self._remembered))]  # the one remembered longest ago
            self._remembered[key] = _Remembered(facts, decision, since, until)
