"""The keeper of the `Schemas` port: the catalogue as it stands, and its compiled grammars."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from lxml.etree import _Element
from sqlalchemy.engine import Connection, Engine

from gateway.database import generation
from gateway.message import DocumentType, Violation
from schemas import store
from schemas.archive import unpack
from schemas.catalogue import Catalogue, Document, Edition
from schemas.grammar import MAX_GRAMMARS, PATTERN, Grammar, Grammars, RawError, compile_grammar
from schemas.large import is_large
from schemas.package import analyse
from schemas.position import locate
from schemas.violations import explain, wrong_root

SMALL = 32 * 1024  # bytes: too few for errors to become costly


class SchemaReader:
    """Identifies and validates. Call `refresh` with a connection at start and when the generation `schemas` moved."""

    def __init__(self, shipped: Sequence[Edition], limit: int = MAX_GRAMMARS) -> None:
        self._shipped = tuple(shipped)
        self._generation = 0
        self.catalogue = Catalogue(self._shipped)
        self.grammars = Grammars(limit)
        # by root, for the type seen last: hashing a whole DocumentType would cost as much as all the rest of `validate`
        self._ready: dict[str, tuple[DocumentType, Grammar]] = {}

    def refresh(self, connection: Connection) -> bool:
        """Read the database's editions if they changed since the last call; whether they had."""
        number = generation(connection, "schemas")
        if number == self._generation:
            return False
        self.catalogue = Catalogue([*self._shipped, *store.load(connection)])
        self._generation = number
        self._ready = {}
        return True

    def warm(self, at: datetime) -> None:
        """Compile what traders may send by the default editions in force at `at`, so that the first message does not wait for it."""
        for edition in self.catalogue.editions:
            if edition.default and edition.in_force(at):
                for document in edition.documents.values():
                    if document.direction == "in":
                        self.grammar(edition, document)

    def identify(self, root: str, at: datetime) -> DocumentType:
        """See `gateway.ports.Schemas`."""
        return self.catalogue.identify(root, at)

    def foresees_signature(self, document_type: DocumentType) -> bool:
        """See `gateway.ports.Schemas`."""
        return self.catalogue.document(document_type)[1].signature

    def validate(self, document_type: DocumentType, root: _Element, content: bytes | None = None) -> tuple[Violation, ...]:
        """See `gateway.ports.Schemas`. Raises Rejected(identify.unknown) for a type that is in no edition.

        `content` is the document as it came. With it, violations have columns, and a small tree need not be measured.
        """
        if root.tag != document_type.root:  # a grammar has all roots of its edition: another one's must not do
            return (wrong_root(root, document_type.name),)
        known, grammar = self._ready.get(document_type.root) or self._prepare(document_type)
        if known is not document_type and known != document_type:
            grammar = self._prepare(document_type)[1]
        grammar.used = next(self.grammars.uses)
        if (content is None or len(content) > SMALL) and is_large(root):
            found = self._validate_large(document_type, grammar, root)
        else:
            errors = grammar.errors(root)
            if not errors:
                return ()
            found = self._explain(document_type, grammar, root, errors)
        return found if content is None else locate(content, found)

    def _explain(self, document_type: DocumentType, grammar: Grammar, root: _Element, errors: list[RawError]) -> tuple[Violation, ...]:
        if grammar.doubtful and any(error.kind == PATTERN for error in errors):
            grammar = self.grammar(*self.catalogue.document(document_type), exact=True)
            errors = grammar.errors(root)
        return explain(root, errors, grammar.patterns)

    def _validate_large(self, document_type: DocumentType, grammar: Grammar, root: _Element) -> tuple[Violation, ...]:
        part = grammar.narrowed(root)
        if part is not None and grammar.doubtful:
            grammar = self.grammar(*self.catalogue.document(document_type), exact=True)
            part = grammar.narrowed(root)
        return () if part is None else explain(part, grammar.errors(part), grammar.patterns)

    def _prepare(self, document_type: DocumentType) -> tuple[DocumentType, Grammar]:
        ready = document_type, self.grammar(*self.catalogue.document(document_type))
        held = {root: kept for root, kept in self._ready.items() if self.grammars.holds(kept[1])}
        self._ready = held | {document_type.root: ready}
        return ready

    def grammar(self, edition: Edition, document: Document, exact: bool = False) -> Grammar:
        """The compiled grammar of a document. Raises Failed(schemas.package)."""
        number = document.grammar
        return self.grammars.get((edition.digest, number, exact), lambda: compile_grammar(analyse(unpack(edition.blob)), number, exact))


class LiveSchemas(SchemaReader):
    """A reader that sees what is imported while it runs, at most `max_age` seconds later.

    The version number is looked up, not the editions, and only when a document is identified.
    """

    def __init__(self, shipped: Sequence[Edition], engine: Engine, *, max_age: float = 0.5) -> None:
        super().__init__(shipped)
        self._engine, self._max_age = engine, max_age
        self._looked_at = float("-inf")

    def identify(self, root: str, at: datetime) -> DocumentType:
        """See `gateway.ports.Schemas`. Raises SQLAlchemyError when the database does not answer."""
        if time.monotonic() - self._looked_at >= self._max_age:
            self._looked_at = time.monotonic()
            with self._engine.connect() as connection:
                self.refresh(connection)
        return super().identify(root, at)
