"""The tables of the registry, on the metadata of the house; the same on SQLite and PostgreSQL.

A representation goes from a representative, a person or an entity (then called an agency), to a principal, an entity.
Person -> entity alone is a direct representation; person -> agency and agency -> entity together make a chain.
Validity is [valid_from, valid_to) in instants; `ended_at` cuts it short and is never taken back.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.database import Instant, metadata

#: 64-bit keys; SQLite numbers rows by itself only for a column typed INTEGER
Key = BigInteger().with_variant(Integer, "sqlite")

FORMS = ("employee", "power_of_attorney")

persons = Table(
    "persons",
    metadata,
    Column("person_id", Key, primary_key=True),
    Column("id_sisc", String(17), nullable=False, unique=True),
    Column("given_names", String(200), nullable=False),
    Column("family_name", String(200), nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Key, primary_key=True),
    Column("login", String(254), nullable=False, unique=True),  # e-mail address, lower case
    Column("person_id", Key, ForeignKey("persons.person_id"), nullable=True, index=True),
    Column("active", Boolean, nullable=False),
    Column("channel_secret", LargeBinary, nullable=True),  # encrypted; the digest of the token needs the password itself
    Column("former_secret", LargeBinary, nullable=True),  # the one before it, encrypted, which counts too
    Column("former_until", Instant, nullable=True),  # up to here
)

#: Where an account wants its documents handed to, and how that goes; `registry.push` says what the columns mean.
push_endpoints = Table(
    "push_endpoints",
    metadata,
    Column("account_id", Key, ForeignKey("accounts.account_id"), primary_key=True),
    Column("url", String(2000), nullable=False),
    Column("login", String(254), nullable=False),
    Column("secret", LargeBinary, nullable=False),  # encrypted; the digest of the token needs the password itself
    Column("digest", String(1), nullable=False),  # a | b
    Column("certificate", Text, nullable=True),  # PEM, the only anchors of its TLS; NULL: the usual authorities
    Column("since", Instant, nullable=False),  # documents from then on are pushed
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("rest_until", Instant, nullable=True),
    Column("blocked_at", Instant, nullable=True),
    Column("last_code", String(60), nullable=True),
    Column("last_error", Text, nullable=True),
    Column("last_ok_at", Instant, nullable=True),
    CheckConstraint("digest IN ('a', 'b')", name="ck_push_endpoints_digest"),
)

certificates = Table(
    "certificates",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # SHA-256 of the DER, lower-case hex
    Column("person_id", Key, ForeignKey("persons.person_id"), nullable=False, index=True),
    Column("subject", String(1000), nullable=False),
    Column("valid_from", Instant, nullable=False),
    Column("valid_to", Instant, nullable=False),
    Column("revoked_at", Instant, nullable=True),
)

entities = Table(
    "entities",
    metadata,
    Column("entity_id", Key, primary_key=True),
    Column("id_sisc", String(17), nullable=False, unique=True),
    Column("name", String(500), nullable=False),
)

identifiers = Table(
    "identifiers",
    metadata,
    # unique without its kind: a document names a party by the value alone, so one value names one entity
    Column("value", String(35), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("entity_id", Key, ForeignKey("entities.entity_id"), nullable=False, index=True),
)

representations = Table(
    "representations",
    metadata,
    Column("representation_id", Key, primary_key=True),
    Column("person_id", Key, ForeignKey("persons.person_id"), nullable=True),
    Column("agency_id", Key, ForeignKey("entities.entity_id"), nullable=True),
    Column("principal_id", Key, ForeignKey("entities.entity_id"), nullable=False),
    Column("form", String(20), nullable=False),
    Column("valid_from", Instant, nullable=False),
    Column("valid_to", Instant, nullable=True),
    Column("ended_at", Instant, nullable=True),
    CheckConstraint("(person_id IS NULL) <> (agency_id IS NULL)", name="ck_representations_one_representative"),
    CheckConstraint("agency_id IS NULL OR agency_id <> principal_id", name="ck_representations_not_itself"),
    CheckConstraint("form IN ('employee', 'power_of_attorney')", name="ck_representations_form"),
    UniqueConstraint("person_id", "principal_id", "valid_from"),
    UniqueConstraint("agency_id", "principal_id", "valid_from"),
    # from the party to its agencies alone: a party has few of them, but may have thousands of people
    Index(
        "ix_representations_agencies_of_principal",
        "principal_id",
        sqlite_where=text("agency_id IS NOT NULL"),
        postgresql_where=text("agency_id IS NOT NULL"),
    ),
)

permissions = Table(
    "permissions",
    metadata,
    Column("representation_id", Key, ForeignKey("representations.representation_id"), primary_key=True),
    Column("permission", String(100), primary_key=True),  # the grammar is in registry.permissions
)
