"""Compiled grammars: made when first needed, kept while used, safe under threads.

A compiled schema keeps the errors of its last validation inside itself, so two threads that share it can read each
other's errors (16 % of the calls in a test, verdicts stayed right). Each grammar has a lock around validating and
reading. A server process validates in one thread, so the lock is never waited for there.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from lxml.etree import _Element

from schemas import large, patterns, wellknown, xsd
from schemas.archive import refused
from schemas.package import Member, Package

FILE = "brama:/file/"
SPACE = "brama:/namespace/"
WELL_KNOWN = "brama:/well-known/"
PATTERN = "SCHEMAV_CVC_PATTERN_VALID"
TOO_COMPLEX = "BRAMA_TOO_COMPLEX"
MAX_GRAMMARS = 64
Key = tuple[str, int, bool]  # digest of the package, number of the grammar, exact


@dataclass(frozen=True, slots=True)
class RawError:
    """One error as the engine reports it. `path` is the engine's own, below the validated root."""

    line: int
    path: str
    kind: str
    message: str


@dataclass(slots=True, eq=False)
class Grammar:
    """One compiled grammar. `memory` is the bytes its compilation took, `patterns` maps rewritten patterns to the published ones.

    `doubtful` says that a refusal by a pattern may be wrong (see `patterns`) and the exact grammar must be asked; `used`
    is the number of its last use among those of all grammars.
    """

    schema: etree.XMLSchema
    memory: int
    patterns: dict[str, str]
    doubtful: bool = False
    used: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def errors(self, root: _Element) -> list[RawError]:
        """All errors of the tree below `root`; empty means valid."""
        with self.lock:
            try:
                if self.schema(root):
                    return []
            except etree.XMLSchemaValidateError:
                # libxml2 gives a value up when its pattern needs more than 10 million steps: never taken for valid
                known = [error for error in self._log() if error.kind != "SCHEMAV_INTERNAL"]
                return [*known, RawError(xsd.line_of(root), "", TOO_COMPLEX, "")]
            return self._log()

    def narrowed(self, root: _Element) -> _Element | None:
        """For a large tree: the part to look for errors in, None if it is valid. See `large`."""
        with self.lock:
            return large.narrow(self.schema, root)

    def _log(self) -> list[RawError]:
        entries: Any = self.schema.error_log  # the type stubs do not know that it can be iterated
        return [RawError(entry.line, entry.path or "", entry.type_name, entry.message) for entry in entries]


class _Loader(etree.Resolver):
    """Hands the engine the texts of one package and nothing else; keeps them for the line numbers of an error."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        self.texts = texts

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]
        return self.resolve_string(self.texts.get(system_url, b""), context, base_url=system_url)


def compile_grammar(package: Package, number: int, exact: bool = False) -> Grammar:
    """Compile grammar `number` of the package. Raises Failed(schemas.package) naming the file and the line.

    With `exact` its patterns use no category tables of the engine: slower, and right for letters newer than those.
    """
    members = package.grammars[number]
    rewritten: dict[str, str] = {}
    doubtful = False

    def rewrite(pattern: str) -> str:
        nonlocal doubtful
        changed = patterns.rewrite(pattern, exact)
        doubtful |= patterns.uses_categories(changed)
        if changed != pattern:
            rewritten[changed] = pattern
        return changed

    texts = _texts(package, members, rewrite)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    loader = _Loader(texts)
    parser.resolvers.add(loader)
    before = allocated()
    try:
        schema = etree.XMLSchema(etree.fromstring(texts["brama:/driver"], parser))
    except etree.XMLSchemaParseError as error:
        raise _located(package, texts, error) from error
    loader.texts = {}  # the schema holds its parser for good, and so would hold the texts
    return Grammar(schema, max(allocated() - before, 0), rewritten, doubtful)


def _texts(package: Package, members: frozenset[Member], rewrite: Callable[[str], str]) -> dict[str, bytes]:
    """Every text of the grammar by address: a driver that imports one sub-driver a namespace, which includes its files.

    Packages import a namespace now by this file, now by that; libxml2 loads only the first. Pointing all of them at the
    sub-driver makes every declaration of the namespace known to all.
    """
    spaces = {namespace: f"{SPACE}{number}" for number, namespace in enumerate(sorted({namespace for namespace, _ in members}))}

    def imported(namespace: str) -> str:
        return WELL_KNOWN + wellknown.FILES[namespace] if namespace in wellknown.FILES else spaces.get(namespace, "")

    texts: dict[str, bytes] = {}
    wanted = [reference.namespace for _, path in members for reference in package.files[path].references]
    while wanted:
        namespace = wanted.pop()
        address = imported(namespace)
        if namespace in wellknown.FILES and address not in texts:
            ours = xsd.read(address, wellknown.content(namespace))
            texts[address] = xsd.text_for_engine(ours, str, imported, rewrite)
            wanted.extend(reference.namespace for reference in ours.references)
    for _, path in members:
        if FILE + path not in texts:
            texts[FILE + path] = xsd.text_for_engine(package.files[path], lambda target: FILE + target, imported, rewrite)
    for namespace, address in spaces.items():
        texts[address] = _driver(namespace, [("include", "", FILE + path) for path in _tops(package, members, namespace)])
    texts["brama:/driver"] = _driver("urn:brama:driver", [("import", namespace, address) for namespace, address in spaces.items()])
    return texts


def _tops(package: Package, members: frozenset[Member], namespace: str) -> list[str]:
    """The files of a namespace that no other of them includes; of a ring, the first by name."""
    own = sorted(path for space, path in members if space == namespace)
    includes = {path: [r.target for r in package.files[path].references if r.kind == "include" and r.target != path] for path in own}
    included = {target for targets in includes.values() for target in targets}
    tops: list[str] = []
    reached: set[str | None] = set()
    for path in [path for path in own if path not in included] + own:
        if path in reached:
            continue
        tops.append(path)
        waiting: list[str | None] = [path]
        while waiting:
            current = waiting.pop()
            if current not in reached:
                reached.add(current)
                waiting.extend(includes.get(str(current), []))
    return tops


def _driver(namespace: str, references: list[tuple[str, str, str]]) -> bytes:
    root = etree.Element(xsd.XS + "schema")
    if namespace:
        root.set("targetNamespace", namespace)
    for kind, space, address in references:
        child = etree.SubElement(root, xsd.XS + kind)
        if kind == "import" and space:
            child.set("namespace", space)
        child.set("schemaLocation", address)
    return etree.tostring(root)


def _located(package: Package, texts: dict[str, bytes], error: etree.XMLSchemaParseError) -> Exception:
    for entry in error.error_log:
        address = entry.filename or ""
        if address.startswith(FILE):
            path = address.removeprefix(FILE)
            line = xsd.original_line(package.files[path], texts[address], entry.line) if path in package.files else 0
            return refused(path, entry.message, line)
    return refused(", ".join(sorted(package.files))[:80], str(error))


class Grammars:
    """The grammars in use; the least recently used one is dropped when there are more than `limit`.

    Whoever validates sets `grammar.used = next(grammars.uses)`: cheaper than keeping a list in order.
    """

    def __init__(self, limit: int = MAX_GRAMMARS) -> None:
        self.limit = limit
        self.uses = itertools.count(1)
        self._kept: dict[Key, Grammar] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Grammar]) -> Grammar:
        """The grammar of this key, compiled once by whichever thread comes first."""
        with self._lock:
            grammar = self._kept.get(key)
            if grammar is None:
                grammar = make()
                while len(self._kept) >= self.limit:
                    del self._kept[min(self._kept, key=lambda kept: self._kept[kept].used)]
                self._kept[key] = grammar
            grammar.used = next(self.uses)
            return grammar

    def holds(self, grammar: Grammar) -> bool:
        """Whether it has not been dropped."""
        return any(kept is grammar for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def memory(self) -> int:
        """Bytes of all kept grammars together."""
        return sum(grammar.memory for grammar in list(self._kept.values()))


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc's malloc.h."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    )


def allocated() -> int:
    """Bytes that native code (libxml2 among it) has allocated, by glibc's mallinfo2; 0 where there is none.

    The resident set would not do: a second grammar often fits into what the first one's making gave back.
    """
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return 0
    mallinfo2.restype = _MallInfo
    info = mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)
