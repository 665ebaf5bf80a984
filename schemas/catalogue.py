"""The catalogue of document types: which system, root, edition and direction, in force from when to when.

A `Catalogue` never changes; `reader.SchemaReader` replaces it when the database has moved on. How one edition is chosen:

* Within a system: of the editions that declare the root and are in force (from <= at < to), the default one; an imported
  default outranks one that Brama ships. Importing refuses what would leave two without a default.
* Between systems that know the same root: the one whose edition is a default; if that leaves several, the one whose edition
  Brama ships; if that still leaves several, nobody: `identify.ambiguous`. Give the system to ask about that one only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from gateway.errors import Failed, Rejected
from gateway.message import Direction, DocumentType

ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
WARSAW = ZoneInfo("Europe/Warsaw")


def midnight(day: date) -> datetime:
    """The first instant of a day in Poland, in UTC: editions begin and end then."""
    return datetime.combine(day, time.min, WARSAW).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Document:
    """One root in one edition. `role` is its part in the flow (declaration, acknowledgement...), empty when not known.

    `grammar` numbers the grammar of the package that has it, `signature` says whether ds:Signature has a place in it.
    """

    root: str
    direction: Direction
    role: str
    grammar: int
    signature: bool


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of a system's documents, in force in [starts_at, ends_at). `digest` is over its files, packed in `blob`."""

    system: str
    name: str
    starts_at: datetime
    ends_at: datetime
    default: bool
    shipped: bool
    documents: Mapping[str, Document]
    digest: str
    blob: bytes

    def in_force(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at

    @property
    def grammars(self) -> int:
        """How many grammars it takes."""
        return len({document.grammar for document in self.documents.values()})

    @property
    def _rank(self) -> tuple[bool, bool]:
        return (not self.default, self.shipped)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the index by root; lines stand in order of preference."""

    starts_at: datetime
    ends_at: datetime
    document_type: DocumentType
    edition: Edition


class Catalogue:
    """All editions, with an index by root. Immutable; safe to share between threads."""

    def __init__(self, editions: Iterable[Edition]) -> None:
        self.editions = tuple(sorted(editions, key=lambda e: (e.system, e.starts_at, e.name)))
        self._named = {(edition.system, edition.name): edition for edition in self.editions}
        by_root: dict[str, list[_Entry]] = {}
        latest_first = self.editions[::-1]
        for edition in sorted(latest_first, key=lambda e: e._rank):  # a stable sort: among equals the latest begun stays first
            for root, document in edition.documents.items():
                kind = DocumentType(edition.system, edition.name, root, document.direction)
                by_root.setdefault(root, []).append(_Entry(edition.starts_at, edition.ends_at, kind, edition))
        self._by_root = {root: tuple(entries) for root, entries in by_root.items()}
        self._shared = {root for root, entries in by_root.items() if len({entry.document_type.system for entry in entries}) > 1}

    def identify(self, root: str, at: datetime) -> DocumentType:
        """The type of a document that a trader hands in at `at`. `root` is in Clark notation.

        Raises Rejected(identify.unknown | identify.administration_only | identify.edition_retired | identify.ambiguous).
        """
        document_type = self.find(root, at)
        if document_type.direction == "out":
            raise Rejected("identify.administration_only", root=document_type.name)
        return document_type

    def find(self, root: str, at: datetime, system: str | None = None) -> DocumentType:
        """The type in force, whoever sends it, of one system or of any. Raises Rejected as `identify` does."""
        entries = self._by_root.get(root, ())
        if system is None and root in self._shared:
            return self._of_any(root, at)
        for entry in entries:
            if entry.starts_at <= at < entry.ends_at and (system is None or entry.document_type.system == system):
                return entry.document_type
        raise self._none(root, at, system)

    def _of_any(self, root: str, at: datetime) -> DocumentType:
        firsts: dict[str, _Entry] = {}
        for entry in self._by_root[root]:
            if entry.starts_at <= at < entry.ends_at:
                firsts.setdefault(entry.document_type.system, entry)
        found = list(firsts.values())
        if len(found) > 1:
            found = [entry for entry in found if entry.edition.default] or found
        if len(found) > 1:
            found = [entry for entry in found if entry.edition.shipped] or found
        if not found:
            raise self._none(root, at, None)
        if len(found) > 1:
            name = found[0].document_type.name
            raise Rejected("identify.ambiguous", root=name, systems=", ".join(entry.document_type.system for entry in found))
        return found[0].document_type

    def _none(self, root: str, at: datetime, system: str | None) -> Rejected:
        """Why there is no type: the root is unknown, or no edition with it is in force."""
        known = [entry for entry in self._by_root.get(root, ()) if system is None or entry.document_type.system == system]
        namespace, _, name = root[1:].rpartition("}") if root.startswith("{") else ("", "", root)
        if not known:
            return Rejected("identify.unknown", root=name, namespace=namespace)
        past = [entry for entry in known if entry.ends_at <= at]
        last = max(past, key=lambda entry: entry.ends_at) if past else min(known, key=lambda entry: entry.starts_at)
        systems = {entry.document_type.system for entry in known}
        current = [edition.name for edition in self.editions if edition.system in systems and edition.in_force(at)]
        return Rejected(
            "identify.edition_retired",
            edition=last.document_type.edition,
            root=name,
            date=at.astimezone(WARSAW).date().isoformat(),
            current=", ".join(current) or "-",
        )

    def edition(self, system: str, name: str) -> Edition | None:
        """The edition of this name, in force or not."""
        return self._named.get((system, name))

    def of_system(self, system: str) -> tuple[Edition, ...]:
        """The editions of a system, oldest first."""
        return tuple(edition for edition in self.editions if edition.system == system)

    def document(self, document_type: DocumentType) -> tuple[Edition, Document]:
        """The edition and document that a pinned type means. Raises Rejected(identify.unknown) if it is gone."""
        edition = self._named.get((document_type.system, document_type.edition))
        document = edition.documents.get(document_type.root) if edition else None
        if edition is None or document is None:
            raise Rejected("identify.unknown", root=document_type.name, namespace=document_type.namespace)
        return edition, document

    def contested(self, root: str, system: str) -> set[str]:
        """The other systems that know this root."""
        return {entry.document_type.system for entry in self._by_root.get(root, ())} - {system}


def check_overlap(new: Edition, others: Iterable[Edition], same: Callable[[Edition, Edition, str], bool] = lambda *_: False) -> None:
    """Refuse `new` if at some instant nothing would say which edition counts for a root that it shares with another.

    `same` says of two editions and a root whether the root means the same in both; then it does not matter which counts.
    Raises Failed(schemas.overlap | schemas.dates).
    """
    if new.ends_at <= new.starts_at:
        raise Failed("schemas.dates", edition=new.name, start=new.starts_at.isoformat(), end=new.ends_at.isoformat())
    peers = [other for other in others if other.system == new.system and other.name != new.name]
    for other in peers:
        shared = [root for root in new.documents if root in other.documents]
        clash = _undecided(new, other, shared, [new, *peers]) if shared else None
        if clash is not None:
            shared = [root for root in shared if not same(new, other, root)]
            clash = _undecided(new, other, shared, [new, *peers])
        if clash is not None:
            raise Failed(
                "schemas.overlap",
                edition=new.name,
                other=other.name,
                system=new.system,
                date="always" if clash == ALWAYS else clash.astimezone(WARSAW).date().isoformat(),
                roots=", ".join(sorted(root.rpartition("}")[2] for root in shared)[:5]) + (" ..." if len(shared) > 5 else ""),
            )


def _undecided(new: Edition, other: Edition, shared: Iterable[str], editions: list[Edition]) -> datetime | None:
    """The first instant at which both are in force and not exactly one default of the highest rank decides for a shared root."""
    start, end = max(new.starts_at, other.starts_at), min(new.ends_at, other.ends_at)
    if start >= end:
        return None
    edges = {start} | {edge for edition in editions for edge in (edition.starts_at, edition.ends_at) if start < edge < end}
    for instant in sorted(edges):  # what is in force changes only there
        for root in shared:
            defaults = [e for e in editions if e.default and e.in_force(instant) and root in e.documents]
            imported = [e for e in defaults if not e.shipped]
            if len(imported or defaults) != 1:
                return instant
    return None
