"""Imported editions: into the database and out of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection

from gateway.database import bump
from gateway.errors import Failed
from schemas import tables
from schemas.archive import unpack
from schemas.catalogue import ALWAYS, NEVER, Document, Edition, check_overlap
from schemas.package import Package, analyse


def load(connection: Connection) -> tuple[Edition, ...]:
    """All imported editions."""
    documents: dict[int, dict[str, Document]] = {}
    for row in connection.execute(select(tables.documents)):
        document = Document(row.root, row.direction, row.role, row.grammar, row.signature)
        documents.setdefault(row.edition_id, {})[row.root] = document
    return tuple(
        Edition(
            system=row.system,
            name=row.edition,
            starts_at=row.starts_at or ALWAYS,
            ends_at=row.ends_at or NEVER,
            default=row.is_default,
            shipped=False,
            documents=documents.get(row.id, {}),
            digest=row.digest,
            blob=row.files,
        )
        for row in connection.execute(select(tables.editions).order_by(tables.editions.c.id))
    )


def save(connection: Connection, edition: Edition, shipped: Iterable[Edition], at: datetime, replace: bool = False) -> None:
    """Keep an edition and tell every node. The same files again change dates, default and directions only.

    Call it inside `gateway.database.writing`, so that what is checked stays true until the commit.
    Raises Failed(schemas.overlap | schemas.dates | schemas.taken).
    """
    others = [*shipped, *load(connection)]
    for other in others:
        same = (other.system, other.name) == (edition.system, edition.name)
        if same and (other.shipped or (other.digest != edition.digest and not replace)):
            raise Failed("schemas.taken", edition=edition.name, system=edition.system)
    check_overlap(edition, others, _Sameness())
    known = select(tables.editions.c.id).where(tables.editions.c.system == edition.system, tables.editions.c.edition == edition.name)
    row_id = connection.execute(known).scalar()
    if row_id is not None:
        connection.execute(delete(tables.documents).where(tables.documents.c.edition_id == row_id))
        connection.execute(delete(tables.editions).where(tables.editions.c.id == row_id))
    inserted = connection.execute(
        tables.editions.insert().values(
            system=edition.system,
            edition=edition.name,
            starts_at=None if edition.starts_at == ALWAYS else edition.starts_at,
            ends_at=None if edition.ends_at == NEVER else edition.ends_at,
            is_default=edition.default,
            digest=edition.digest,
            files=edition.blob,
            imported_at=at,
        )
    )
    assert inserted.inserted_primary_key is not None
    edition_id = inserted.inserted_primary_key[0]
    connection.execute(
        tables.documents.insert(),
        [
            {
                "edition_id": edition_id,
                "root": document.root,
                "direction": document.direction,
                "role": document.role,
                "grammar": document.grammar,
                "signature": document.signature,
            }
            for document in edition.documents.values()
        ],
    )
    bump(connection, "schemas")


class _Sameness:
    """Whether a document means the same in two editions. Official packages repeat some (a technical answer stands in the
    departure and in the destination package); every package is analysed once."""

    def __init__(self) -> None:
        self._packages: dict[str, Package] = {}

    def __call__(self, one: Edition, other: Edition, root: str) -> bool:
        return self._package(one).made_of(root) == self._package(other).made_of(root)

    def _package(self, edition: Edition) -> Package:
        if edition.digest not in self._packages:
            self._packages[edition.digest] = analyse(unpack(edition.blob))
        return self._packages[edition.digest]
