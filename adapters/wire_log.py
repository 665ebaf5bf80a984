"""What a simulated system saw and did: arrivals on the wire, and effects apart from them.

Every arrival is a row, also the tenth of the same request; an effect exists once per request id. Comparing the two
counts shows whether a delivery was lost or took effect twice. The answers to be called back are planned in the same
transaction as the effect, so that a killed simulator goes on with them.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS arrivals (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, request_id TEXT NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS effects (
    request_id TEXT PRIMARY KEY, at REAL NOT NULL, sha256 TEXT NOT NULL, document TEXT NOT NULL, sender TEXT NOT NULL,
    message_id TEXT NOT NULL, lrn TEXT, mrn TEXT NOT NULL, scenario TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ix_effects_message ON effects (sender, message_id);
CREATE INDEX IF NOT EXISTS ix_effects_lrn ON effects (lrn);
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, request_id TEXT NOT NULL, name TEXT NOT NULL, pause REAL NOT NULL, content BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'planned', at REAL);
CREATE INDEX IF NOT EXISTS ix_answers_request ON answers (request_id, id);
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """A request that took effect. `sha256` is of its bytes, hex."""

    request_id: str
    sha256: str
    document: str
    sender: str
    message_id: str
    lrn: str | None
    mrn: str
    scenario: str


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """An answer to call back, `pause` seconds after the one before it; `id` is given by the log."""

    name: str
    pause: float
    content: bytes
    id: int = 0


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class WireLog:
    """The log of one simulator, in a SQLite file of its own or in memory. For one thread."""

    def __init__(self, file: Path | None) -> None:
        self._connection = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    def arrived(self, request_id: str, content: bytes, outcome: str, status: int) -> None:
        """One arrival on the wire; `status` is what it was answered with, 0 for no reply."""
        self._connection.execute(
            "INSERT INTO arrivals (at, request_id, outcome, status, sha256, size) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), request_id, outcome, status, sha256(content), len(content)),
        )

    def take(self, effect: Effect, answers: Sequence[PlannedAnswer]) -> None:
        """The effect and its planned answers, together. Raises sqlite3.IntegrityError for a request id that has its effect."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            row = (effect.request_id, time.time(), effect.sha256, effect.document, effect.sender, effect.message_id)
            self._connection.execute(
                "INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, effect.lrn, effect.mrn, effect.scenario)
            )
            self._connection.executemany(
                "INSERT INTO answers (request_id, name, pause, content) VALUES (?, ?, ?, ?)",
                [(effect.request_id, answer.name, answer.pause, answer.content) for answer in answers],
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def effect(self, request_id: str) -> str | None:
        """SHA-256 (hex) of the request that took effect under this id."""
        row = self._connection.execute("SELECT sha256 FROM effects WHERE request_id = ?", (request_id,)).fetchone()
        return str(row[0]) if row else None

    def message_known(self, sender: str, message_id: str) -> bool:
        """Has this sender used this message identification in a request that took effect?"""
        query = "SELECT 1 FROM effects WHERE sender = ? AND message_id = ?"
        return self._connection.execute(query, (sender, message_id)).fetchone() is not None

    def mrn_of(self, sender: str, lrn: str | None) -> str | None:
        """The MRN under which this sender's declaration with this LRN runs."""
        query = "SELECT mrn FROM effects WHERE sender = ? AND lrn = ? ORDER BY at LIMIT 1"
        row = self._connection.execute(query, (sender, lrn)).fetchone()
        return str(row[0]) if row else None

    def planned(self, request_id: str) -> tuple[PlannedAnswer, ...]:
        """What is still to be called back for this request, in order."""
        query = "SELECT name, pause, content, id FROM answers WHERE request_id = ? AND state = 'planned' ORDER BY id"
        return tuple(PlannedAnswer(*row) for row in self._connection.execute(query, (request_id,)))

    def unfinished(self) -> tuple[str, ...]:
        """The requests that still have answers to come, oldest first."""
        query = "SELECT request_id FROM answers WHERE state = 'planned' GROUP BY request_id ORDER BY min(id)"
        return tuple(str(row[0]) for row in self._connection.execute(query))

    def tried(self, answer: PlannedAnswer, state: str) -> None:
        """One attempt to call back: `state` planned (again later), given or refused."""
        query = "UPDATE answers SET attempts = attempts + 1, state = ?, at = ? WHERE id = ?"
        self._connection.execute(query, (state, time.time(), answer.id))

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """Everything, oldest first, without the contents."""
        return {
            "arrivals": self._rows("SELECT at, request_id, outcome, status, sha256, size FROM arrivals ORDER BY id"),
            "effects": self._rows("SELECT * FROM effects ORDER BY at, request_id"),
            "answers": self._rows("SELECT request_id, name, attempts, state, at FROM answers ORDER BY id"),
        }

    def _rows(self, query: str) -> list[dict[str, object]]:
        return [dict(row) for row in self._connection.execute(query)]

    def close(self) -> None:
        self._connection.close()
