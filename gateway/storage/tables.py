"""Tables of the message store. Bodies stand in tables of their own, so that changing a state never rewrites them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint, text

from gateway.database import Instant, metadata

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only for INTEGER

#: The trays of an account's mailbox: one for each context (the three idSISC grades) and system that its messages had. A grade
#: that is not known is the empty text. A poll looks through trays, never through documents, so it costs the same in a full house.
trays = Table(
    "trays",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("person", String(50), nullable=False),  # 1st grade: who sent it
    Column("agency", String(50), nullable=False),  # 2nd: the intermediary
    Column("party", String(50), nullable=False),  # 3rd: the represented entity
    Column("system", String(40), nullable=False),
    UniqueConstraint("account_id", "party", "agency", "person", "system"),
    Index("ix_trays_context", "party", "agency"),  # all employees' trays of one context
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sys_ref", String(36), nullable=False, unique=True),
    Column("account_id", BigInteger, nullable=False),
    Column("tray", Id, ForeignKey("trays.id"), nullable=False),  # where its receipt and its answers go
    Column("door", String(20), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),  # accepted | refused
    Column("system", String(40), nullable=False),
    Column("edition", String(80), nullable=False),
    Column("root", String(400), nullable=False),  # Clark notation
    Column("filename", String(255)),
    Column("digest", LargeBinary(32), nullable=False),
    Column("message_id", String(255)),  # the door's: wsa:MessageID
    Column("business_id", String(80)),  # the document's own identifier
    Column("sender", String(80)),
    Column("party", String(80)),
    Column("lrn", String(80)),
    Column("mrn", String(80)),
    Column("code", String(60)),  # why refused
    Column("evidence", Text, nullable=False),  # JSON: signature report, permission decision, violations
    # a repeat is not an error: the same bytes from the same account are the same message
    Index(
        "uq_messages_repeat",
        "account_id",
        "digest",
        unique=True,
        sqlite_where=text("state = 'accepted'"),
        postgresql_where=text("state = 'accepted'"),
    ),
    # answers are matched by these, so no two accepted messages may share them
    Index(
        "uq_messages_business",
        "business_id",
        "sender",
        "system",
        unique=True,
        sqlite_where=text("state = 'accepted' AND business_id IS NOT NULL"),
        postgresql_where=text("state = 'accepted' AND business_id IS NOT NULL"),
    ),
    Index("ix_messages_lrn", "lrn", "system"),
    Index("ix_messages_mrn", "mrn", "system", sqlite_where=text("mrn IS NOT NULL"), postgresql_where=text("mrn IS NOT NULL")),
)

contents = Table(
    "contents",
    metadata,
    Column("message", Id, ForeignKey("messages.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    Column("message", Id, ForeignKey("messages.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("filename", String(255)),
    Column("mime", String(80), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

#: The same MessageID with other content is refused, also after a refusal.
message_ids = Table(
    "message_ids",
    metadata,
    Column("account_id", BigInteger, primary_key=True),
    Column("message_id", String(255), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

#: Used token nonces; rows leave after twice the window.
nonces = Table(
    "nonces",
    metadata,
    Column("account_id", BigInteger, primary_key=True),
    Column("nonce", String(100), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message", Id, ForeignKey("messages.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("event", String(40), nullable=False),
    Column("outcome", String(60), nullable=False),  # ok or a code
    Column("detail", Text, nullable=False, server_default=""),
    Column("steps", Text, nullable=False, server_default="[]"),  # JSON: [[step, start offset us, us, outcome], ...]
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("document_id", String(36), nullable=False, unique=True),
    Column("account_id", BigInteger, nullable=False),
    Column("message", Id, ForeignKey("messages.id"), nullable=False),
    Column("kind", String(40), nullable=False),  # UPP, NPP or the answer's root name
    Column("filename", String(255), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("message", "digest"),  # an answer that comes twice is attached once
)

#: Who is reading what: apart from the bodies, one small row per document. `account_id` and `tray` are those of its message.
collections = Table(
    "collections",
    metadata,
    Column("document", Id, ForeignKey("mailbox.id"), primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("tray", Id, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("claimed_until", Instant),
    Column("claim", BigInteger, nullable=False, server_default="0"),
    Column("collected_at", Instant),
    # polling: from the account to the trays in which something waits, in each the oldest first
    Index(
        "ix_collections_waiting",
        "account_id",
        "tray",
        "created_at",
        "document",
        sqlite_where=text("collected_at IS NULL"),
        postgresql_where=text("collected_at IS NULL"),
    ),
    # GetDocuments by time; what is not collected yet it finds by the index above
    Index(
        "ix_collections_collected",
        "tray",
        "created_at",
        "document",
        sqlite_where=text("collected_at IS NOT NULL"),
        postgresql_where=text("collected_at IS NOT NULL"),
    ),
)
