"""The keeper of the `Schemas` port: the catalogue as it stands, and its compiled grammars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lxml.etree import _Element
from sqlalchemy.engine import Connection

from gateway.database import generation
from gateway.message import DocumentType, Violation
from schemas import store
from schemas.archive import unpack
from schemas.catalogue import Catalogue, Document, Edition
from schemas.grammar import MAX_GRAMMARS, Grammar, Grammars, compile_grammar
from schemas.package import analyse
from schemas.violations import explain, wrong_root


class SchemaReader:
    """Identifies and validates. Call `refresh` with a connection at start and when the generation `schemas` moved."""

    def __init__(self, shipped: Sequence[Edition], limit: int = MAX_GRAMMARS) -> None:
        self._shipped = tuple(shipped)
        self._generation = 0
        self.catalogue = Catalogue(self._shipped)
        self.grammars = Grammars(limit)

    def refresh(self, connection: Connection) -> bool:
        """Read the database's editions if they changed since the last call; whether they had."""
        number = generation(connection, "schemas")
        if number == self._generation:
            return False
        self.catalogue = Catalogue([*self._shipped, *store.load(connection)])
        self._generation = number
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

    def validate(self, document_type: DocumentType, root: _Element) -> tuple[Violation, ...]:
        """See `gateway.ports.Schemas`. Raises Rejected(identify.unknown) for a type that is in no edition."""
        if root.tag != document_type.root:  # a grammar has all roots of its edition: another one's must not do
            return (wrong_root(root, document_type.name),)
        grammar = self.grammar(*self.catalogue.document(document_type))
        errors = grammar.errors(root)
        return explain(root, errors, grammar.patterns) if errors else ()

    def grammar(self, edition: Edition, document: Document) -> Grammar:
        """The compiled grammar of a document. Raises Failed(schemas.package)."""
        number = document.grammar
        return self.grammars.get((edition.digest, number), lambda: compile_grammar(analyse(unpack(edition.blob)), number))
