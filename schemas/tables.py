"""Imported editions in the database: what they are called, when they are in force, their documents, and their files."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table, UniqueConstraint

from gateway.database import Instant, metadata

editions = Table(
    "schema_editions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("system", String(40), nullable=False),
    Column("edition", String(80), nullable=False),
    Column("starts_at", Instant),  # null: always
    Column("ends_at", Instant),  # exclusive; null: never
    Column("is_default", Boolean, nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 over the files
    Column("files", LargeBinary, nullable=False),  # a zip of the schema files as published
    Column("imported_at", Instant, nullable=False),
    UniqueConstraint("system", "edition"),
)

documents = Table(
    "schema_documents",
    metadata,
    Column("edition_id", ForeignKey("schema_editions.id", ondelete="CASCADE"), primary_key=True),
    Column("root", String(400), primary_key=True),  # Clark notation
    Column("direction", String(3), nullable=False),
    Column("role", String(40), nullable=False),
    Column("grammar", Integer, nullable=False),
    Column("signature", Boolean, nullable=False),
)
