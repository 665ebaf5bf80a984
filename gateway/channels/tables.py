"""Tables of the durable queue: what is on its way to which system, and what awaits a person."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint, text

from gateway.database import Instant, metadata
from gateway.storage.tables import Id

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message", Id, ForeignKey("messages.id"), nullable=False, unique=True),
    Column("system", String(40), nullable=False),
    Column("state", String(12), nullable=False),  # due | claimed | delivered | dead | discarded
    Column("due_at", Instant, nullable=False),
    Column("deadline_at", Instant, nullable=False),
    Column("deadline_seconds", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lost", Integer, nullable=False, server_default="0"),  # claims in a row that ended without an outcome
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("claimed_until", Instant),
    Column("flow_state", String(40)),
    Column("ended_at", Instant),
    Index(
        "ix_deliveries_due",
        "due_at",
        sqlite_where=text("state IN ('due', 'claimed')"),
        postgresql_where=text("state IN ('due', 'claimed')"),
    ),
)

#: What goes to the target, stored before the first attempt and sent unchanged by every retry.
requests = Table(
    "requests",
    metadata,
    Column("delivery", Id, ForeignKey("deliveries.id"), primary_key=True),
    Column("request_id", String(80), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(12), nullable=False),  # delivery | answer
    Column("delivery", Id, ForeignKey("deliveries.id")),
    Column("system", String(40), nullable=False),
    Column("code", String(60), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("first_error", Text, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("fingerprint", String(12), nullable=False, index=True),
    Column("content", LargeBinary),  # an answer's bytes as they came
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_as", String(12)),  # retried | discarded | answered
    Column("closed_why", Text),
    Index("ix_dead_letters_open", "system", "id", sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
)

#: Official documents that are held until their addressee has signed for them, or is deemed to have received them.
servings = Table(
    "servings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("certificate_id", String(60), nullable=False, unique=True),  # of the UPD
    Column("message", Id, ForeignKey("messages.id"), nullable=False),  # the trader's message that the document answers
    Column("account_id", BigInteger, nullable=False),  # whose mailbox it goes to
    Column("system", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("document_id", String(36), nullable=False),  # in the mailbox, once it lies there
    Column("digest", LargeBinary(32), nullable=False),
    Column("addressee", String(80)),
    Column("permission", String(100), nullable=False),
    Column("state", String(12), nullable=False),  # held | signed | lapsed
    Column("issued_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),  # the end of the period, exclusive
    Column("notices", Integer, nullable=False, server_default="0"),  # the number of the last one that was sent
    Column("next_at", Instant),  # when the scheduler must look again
    Column("closed_at", Instant),
    Column("proof", Id, ForeignKey("messages.id")),  # the signed UPD, as it came
    UniqueConstraint("message", "digest"),  # an answer that comes twice is held once
    Index("ix_servings_next", "next_at", sqlite_where=text("state = 'held'"), postgresql_where=text("state = 'held'")),
)

#: The papers of a serving, each made once: `document`, `UPD`, `notice 1` ..., `PND`.
serving_papers = Table(
    "serving_papers",
    metadata,
    Column("serving", Id, ForeignKey("servings.id"), primary_key=True),
    Column("paper", String(20), primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

#: Who may do what only one process at a time may do, and until when.
leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(80), nullable=False),
    Column("until", Instant, nullable=False),
    Column("fence", BigInteger, nullable=False),
)
