"""The transactional outbox: message, receipt, history, outbox row, repeat key and nonce in ONE transaction.

The commits are shared (`group_commit`). The statements are those of the tables, compiled once; SQLAlchemy's per-call
cost would be more than all XML and crypto work of a message together.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import uuid4

from sqlalchemy import Table, insert
from sqlalchemy.dialects import sqlite

from gateway.channels import servings
from gateway.channels.tables import deliveries
from gateway.database import MICROSECOND, Database, to_micros
from gateway.errors import Rejected
from gateway.message import (
    Accepted,
    BusinessKeys,
    DocumentType,
    Granted,
    Judged,
    Receipt,
    Received,
    Recorded,
    Serving,
    SignatureReport,
    Signer,
    StepTime,
)
from gateway.ports import Conflict, Profiles, Stale
from gateway.storage.group_commit import GroupCommit
from gateway.storage.mailbox import WAIT
from gateway.storage.messages import steps_json
from gateway.storage.tables import attachments, contents, history, mailbox, messages
from gateway.storage.trays import Trays


def _sql(table: Table, *columns: str) -> str:
    statement = insert(table).values(dict.fromkeys(columns or [c.name for c in table.c if c.name != "id"]))
    return str(statement.compile(dialect=sqlite.dialect()))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A judged message reduced to what is written; `code` is None for an accepted one.

    It does not hold the tree: those of a whole batch, kept until its commit, would push each other out of the
    processor's cache, which costs every message a tenth more.
    """

    received: Received
    document_type: DocumentType
    keys: BusinessKeys
    generation: int | None
    granted: Granted | None
    code: str | None
    detail: str
    evidence: str
    receipt: Receipt
    timeline: tuple[StepTime, ...]
    judged_at: datetime
    serving: Serving | None
    future: asyncio.Future[Recorded]

    @property
    def name(self) -> str:
        return self.received.sys_ref

    @classmethod
    def of(cls, judged: Judged, judged_at: datetime, future: asyncio.Future[Recorded]) -> _Waiting:
        identified = judged.identified
        return cls(
            received=identified.parsed.received,
            document_type=identified.document_type,
            keys=judged.authorized.verified.keys if isinstance(judged, Accepted) else BusinessKeys(),
            generation=judged.generation,
            granted=judged.authorized.decision if isinstance(judged, Accepted) else None,
            code=None if isinstance(judged, Accepted) else judged.reason.code,
            detail="" if isinstance(judged, Accepted) else judged.reason.text("en"),
            evidence=_evidence(judged),
            receipt=judged.receipt,
            timeline=judged.timeline,
            judged_at=judged_at,
            serving=judged.authorized.verified.serving if isinstance(judged, Accepted) else None,
            future=future,
        )


class SqliteCommitter(GroupCommit[_Waiting, Recorded]):
    """Group commit on SQLite. One instance per process, used from its event loop only."""

    def __init__(self, database: Database, profiles: Profiles, now: Callable[[], datetime], *, bound: int, token_window: float) -> None:
        super().__init__(database, bound=bound)
        self._profiles, self._now = profiles, now
        self._nonce_life = timedelta(seconds=2 * token_window)
        self._trays = Trays()
        self._insert = {
            "messages": _sql(messages),
            "contents": _sql(contents),
            "attachments": _sql(attachments),
            "history": _sql(history),
            "mailbox": _sql(mailbox),
            "deliveries": _sql(
                deliveries, "message", "system", "state", "due_at", "deadline_at", "deadline_seconds", "attempts", "fence", "flow_state"
            ),
        }

    async def record(self, judged: Judged) -> Recorded:
        """See the port `Committer`."""
        entry = _Waiting.of(judged, self._now(), self._future())
        del judged
        return await self._enqueue(entry)

    def _read_back(self, entry: _Waiting) -> Recorded | None:
        """What failed may yet be in the store: a commit whose answer was lost."""
        sys_ref = entry.received.sys_ref
        try:
            found = self._cursor().execute("SELECT 1 FROM messages WHERE sys_ref = ?", (sys_ref,)).fetchone()
        except sqlite3.Error:
            return None  # then nothing is promised
        return Recorded(sys_ref) if found else None

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        self._trays.forget()
        super()._roll_back(cursor)

    def _write(self, cursor: sqlite3.Cursor, batch: Sequence[_Waiting]) -> list[Recorded | Exception]:
        row = cursor.execute("SELECT number FROM generations WHERE kind = 'registry'").fetchone()
        generation = row[0] if row else 0
        outcomes: list[Recorded | Exception] = []
        for entry in batch:
            try:
                outcomes.append(self._write_one(cursor, entry, generation))
            except (Rejected, Stale, Conflict) as refusal:  # each of these is found before the row writes anything
                outcomes.append(refusal)
        return outcomes

    def _write_one(self, cursor: sqlite3.Cursor, entry: _Waiting, generation: int) -> Recorded:
        received, keys = entry.received, entry.keys
        if entry.generation is not None and entry.generation != generation:
            raise Stale
        nonce_used, digest_of_id, first, same_key = self._known(cursor, entry)
        if nonce_used:
            raise Rejected("token.refused")
        if digest_of_id not in (None, received.digest):
            raise Rejected("receive.message_id_reused")
        if first is None and same_key is not None:
            raise Conflict(Rejected("validate.duplicate_key", key=keys.message_id, sender=keys.sender, sys_ref=same_key))
        if first is None and entry.serving is not None:
            servings.check_open(cursor, entry.serving, received.caller.account_id, received.received_at)
        self._use_nonce(cursor, received)
        if first is not None:
            return Recorded(first, repeat=True)
        self._insert_message(cursor, entry)
        return Recorded(received.sys_ref)

    def _known(self, cursor: sqlite3.Cursor, entry: _Waiting) -> tuple[int | None, bytes | None, str | None, str | None]:
        """Whether the nonce was used; the digest that came with this MessageID; the sysRef of the accepted message with
        the same bytes, and of the one with the same business key (another account's is not told). What is absent (NULL)
        equals nothing."""
        received, keys = entry.received, entry.keys
        account, system = received.caller.account_id, entry.document_type.system
        found: tuple[int | None, bytes | None, str | None, str | None] = cursor.execute(
            "SELECT (SELECT 1 FROM nonces WHERE account_id = ? AND nonce = ?),"
            " (SELECT digest FROM message_ids WHERE account_id = ? AND message_id = ?),"
            " (SELECT sys_ref FROM messages WHERE account_id = ? AND digest = ? AND state = 'accepted'),"
            " (SELECT CASE account_id WHEN ? THEN sys_ref ELSE '-' END"
            "  FROM messages WHERE system = ? AND sender = ? AND business_id = ? AND state = 'accepted')",
            (
                *(account, received.nonce),
                *(account, received.message_id),
                *(account, received.digest),
                *(account, system, keys.sender, keys.message_id),
            ),
        ).fetchone()
        return found

    def _use_nonce(self, cursor: sqlite3.Cursor, received: Received) -> None:
        account = received.caller.account_id
        if received.nonce:
            cursor.execute(
                "INSERT INTO nonces VALUES (?, ?, ?)", (account, received.nonce, to_micros(received.received_at + self._nonce_life))
            )
        if received.message_id:
            cursor.execute(
                "INSERT INTO message_ids VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (account, received.message_id, received.digest)
            )

    def _insert_message(self, cursor: sqlite3.Cursor, entry: _Waiting) -> None:
        received, document_type, keys = entry.received, entry.document_type, entry.keys
        accepted = entry.code is None
        received_at = to_micros(received.received_at)
        account = received.caller.account_id
        cursor.execute(
            self._insert["messages"],
            (
                received.sys_ref,
                account,
                self._tray(cursor, entry),
                received.door,
                received_at,
                "accepted" if accepted else "refused",
                document_type.system,
                document_type.edition,
                document_type.root,
                received.filename,
                received.digest,
                received.message_id,
                keys.message_id,
                keys.sender,
                keys.party,
                keys.lrn,
                keys.mrn,
                entry.code,
                entry.evidence,
            ),
        )
        message = cursor.lastrowid
        cursor.execute(self._insert["contents"], (message, received.content))
        for position, attachment in enumerate(received.attachments):
            cursor.execute(self._insert["attachments"], (message, position, attachment.filename, attachment.mime, attachment.content))
        steps = self._steps(entry, received)
        cursor.execute(self._insert["history"], (message, received_at, "accept", entry.code or "ok", entry.detail, steps))
        now = to_micros(self._now())
        receipt = entry.receipt  # its digest is the message's: one receipt a message, whatever its bytes
        self._insert_mail(
            cursor, (str(uuid4()), account, message, receipt.kind, f"{receipt.kind}.xml", received.digest, receipt.content, now)
        )
        if entry.serving is not None:
            self._release(cursor, entry.serving, message, received, now)
        elif accepted:
            deadline = self._profiles.system(document_type.system).retry.deadline
            cursor.execute(
                self._insert["deliveries"], (message, document_type.system, "due", now, now + int(deadline * 1e6), deadline, 0, 0, None)
            )

    def _tray(self, cursor: sqlite3.Cursor, entry: _Waiting) -> int:
        account, system, granted = entry.received.caller.account_id, entry.document_type.system, entry.granted
        if granted is None:
            return self._trays.of_nobody(cursor, account, system)
        return self._trays.find(cursor, (account, granted.party, granted.agency or "", granted.person, system))

    def _insert_mail(self, cursor: sqlite3.Cursor, mail: tuple[object, ...]) -> None:
        """`mail` is a row of the mailbox: its third value is the message, its last one the time."""
        cursor.execute(self._insert["mailbox"], mail)
        cursor.execute(WAIT, {"document": cursor.lastrowid, "at": mail[-1], "message": mail[2]})

    def _release(self, cursor: sqlite3.Cursor, serving: Serving, proof: int | None, received: Received, now: int) -> None:
        """A signed UPD sets the document free that was held for it."""
        free = servings.release(cursor, serving, proof, received.received_at)
        detail = f"{serving.certificate_id} is signed (sysRef {received.sys_ref}); {free.filename} goes into the mailbox"
        cursor.execute(self._insert["history"], (free.message, now, "serve", "signed", detail, "[]"))
        if not free.lies_there:
            mail = (free.document_id, free.account_id, free.message, free.kind, free.filename, free.digest, free.content)
            self._insert_mail(cursor, (*mail, now + 1))  # behind the UPP, which came in the same transaction

    def _steps(self, entry: _Waiting, received: Received) -> str:
        waited = (self._now() - entry.judged_at) // MICROSECOND
        record = StepTime("record", (entry.judged_at - received.received_at) // MICROSECOND, waited, "ok")
        return steps_json((*entry.timeline, record))


def _evidence(judged: Judged) -> str:
    """What the verdict rests on, as JSON, for operators and for later proof."""
    if isinstance(judged, Accepted):
        report = judged.authorized.verified.report
        before, after = _evidence_around(tuple([getattr(report, name) for name in _STEADY]), judged.authorized.decision)
        return before + _json(report.claimed_at) + after
    return _json({"refused": judged.reason.code, "violations": [_fields(v) for v in judged.violations]})


_STEADY = tuple(name for name in SignatureReport.__slots__ if name != "claimed_at")


@lru_cache(maxsize=2_000)
def _evidence_around(report: tuple[object, ...], decision: Granted) -> tuple[str, str]:
    """The evidence of an acceptance before and after the claimed time, the one thing in it that each message of a signer
    has for himself; making all of it takes longer than writing a row."""
    signature = {name: _fields(value) if isinstance(value, Signer) else value for name, value in zip(_STEADY, report, strict=True)}
    granted = _json({"granted": _fields(decision)})
    return '{"signature":' + _json(signature)[:-1] + ',"claimed_at":', "}," + granted[1:]


def _fields(value: object) -> dict[str, object]:
    """A dataclass with slots as a dict; unlike `asdict` it copies nothing, which took 0.1 ms a message."""
    return {name: getattr(value, name) for name in value.__slots__}  # type: ignore[attr-defined]


_json = json.JSONEncoder(default=str, ensure_ascii=False, separators=(",", ":")).encode
