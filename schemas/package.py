"""A package of schema files as one whole: which roots it declares, and which files make one grammar.

All files of a package go into one grammar, whatever their namespaces: a grammar for each file of one NCTS edition takes
285 MB, one for all of them 2 MB; the 29 namespaces of EMCS share most of their types and take 31 MB apart and 3 MB
together. Only files that declare the same component in different ways (phase 4 of NCTS: every message has a type of its
own under a shared name) are kept in separate grammars, because no engine could load them together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from schemas import wellknown, xsd
from schemas.archive import refused
from schemas.content import Content
from schemas.xsd import SchemaFile

Member = tuple[str, str]  # the namespace a file is read under, and its path; a chameleon file may be a member twice


@dataclass(frozen=True, slots=True)
class Root:
    """A top-level element: where it stands, the number of its grammar, and whether ds:Signature has a place in it."""

    file: str
    line: int
    grammar: int
    signature: bool


@dataclass(frozen=True, slots=True)
class Package:
    """Analysed files. `grammars` lists the members of each grammar, `roots` the roots by Clark name."""

    files: Mapping[str, SchemaFile]
    contents: Mapping[str, bytes]
    grammars: tuple[frozenset[Member], ...]
    roots: Mapping[str, Root]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all files with their paths."""
        whole = hashlib.sha256()
        for path in sorted(self.contents):
            whole.update(path.encode() + b"\0" + hashlib.sha256(self.contents[path]).digest())
        return whole.hexdigest()

    def made_of(self, root: str) -> frozenset[bytes]:
        """SHA-256 of every file that this root's meaning depends on. Two packages that agree here mean the same by it."""
        path = self.roots[root].file
        return frozenset(
            hashlib.sha256(self.contents[used]).digest() for _, used in _closure(self.files, (self.files[path].namespace, path))
        )


def analyse(contents: Mapping[str, bytes], select: Collection[str] = ()) -> Package:
    """Read all files and find roots and grammars. Raises Failed(schemas.package).

    `select` are globs over paths or file names, `!GLOB` leaves out: only the chosen files and what they refer to remain.
    """
    files = {}
    for path, content in sorted(contents.items()):
        if b"<!DOCTYPE" in content and xsd.is_well_known(content):
            continue  # ours stands in for it
        file = xsd.read(path, content)
        if file.namespace not in wellknown.FILES:
            files[path] = file
    _check_references(files)
    chosen = _chosen(files, select)
    closures = {member: _closure(files, member) for member in _entries(files, chosen)}
    kept = {path for closure in closures.values() for _, path in closure}
    contents = {path: contents[path] for path in sorted(kept)}
    _check_roots(files, closures)
    groups = _groups(files, closures)
    roots = _roots(files, groups)
    if not roots:
        raise refused(", ".join(contents)[:80], "no document is declared here, only types; add the files that declare the elements")
    return Package({path: files[path] for path in contents}, contents, tuple(groups), roots)


def _check_references(files: Mapping[str, SchemaFile]) -> None:
    for file in files.values():
        for reference in file.references:
            if reference.target is None:
                continue
            target = files.get(reference.target)
            if target is None:
                detail = f"{reference.kind} of '{reference.target}', which is not in the package; add the file"
                raise refused(file.path, detail, reference.line)
            allowed = {reference.namespace} if reference.kind == "import" else {reference.namespace, ""}
            if target.namespace not in allowed:
                detail = f"{reference.kind} of '{reference.target}' for '{reference.namespace}', but it declares '{target.namespace}'"
                raise refused(file.path, detail, reference.line)


def _chosen(files: Mapping[str, SchemaFile], select: Collection[str]) -> set[str]:
    if not select:
        return set(files)
    wanted = [glob for glob in select if not glob.startswith("!")] or ["*"]
    unwanted = [glob[1:] for glob in select if glob.startswith("!")]
    chosen = {path for path in files if _matches(path, wanted) and not _matches(path, unwanted)}
    if not chosen:
        raise refused(", ".join(select), "no schema file matches this selection")
    return chosen


def _matches(path: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(path, glob) or fnmatchcase(path.rpartition("/")[2], glob) for glob in globs)


def _entries(files: Mapping[str, SchemaFile], chosen: set[str]) -> list[Member]:
    """The files to start from: those that no other chosen file includes; of a ring of includes, the first by name."""
    included = {r.target for path in chosen for r in files[path].references if r.kind == "include" and r.target != path}
    entries = [(files[path].namespace, path) for path in sorted(chosen) if path not in included]
    reached = {path for entry in entries for _, path in _closure(files, entry)}
    for path in sorted(chosen):
        if path not in reached:
            entries.append((files[path].namespace, path))
            reached |= {name for _, name in _closure(files, entries[-1])}
    return entries


def _closure(files: Mapping[str, SchemaFile], entry: Member) -> frozenset[Member]:
    """Everything that a file brings along. A file without a namespace takes on its includer's (XSD part 1, 4.2.1)."""
    seen: set[Member] = set()
    waiting = [entry]
    while waiting:
        member = waiting.pop()
        if member in seen:
            continue
        seen.add(member)
        namespace, path = member
        for reference in files[path].references:
            if reference.target is not None:
                waiting.append((namespace if reference.kind == "include" else reference.namespace, reference.target))
    return frozenset(seen)


def _declared(files: Mapping[str, SchemaFile], members: Iterable[Member]) -> dict[tuple[str, str, str], Member]:
    """(kind, namespace, name) of every component -> the member that declares it."""
    return {(kind, namespace, name): (namespace, path) for namespace, path in members for kind, name, _ in files[path].components}


def _check_roots(files: Mapping[str, SchemaFile], closures: Mapping[Member, frozenset[Member]]) -> None:
    """One root, one place. Redefinitions do not touch elements, so two declarations are always two meanings."""
    places: dict[tuple[str, str], tuple[str, int]] = {}
    for namespace, path in sorted(set().union(*closures.values()) if closures else ()):
        for kind, name, line in files[path].components:
            if kind != "element":
                continue
            first = places.setdefault((namespace, name), (path, line))
            if first != (path, line):
                raise refused(
                    path,
                    f"element {name} of namespace '{namespace}' is declared here and in {first[0]}, line {first[1]}; "
                    "if these are two editions, choose the files of one with --select",
                    line,
                )


def _groups(files: Mapping[str, SchemaFile], closures: Mapping[Member, frozenset[Member]]) -> list[frozenset[Member]]:
    """As few grammars as can be: a file joins the first one in which nothing is declared in another way."""
    groups: list[tuple[set[Member], dict[tuple[str, str, str], Member]]] = []
    for closure in closures.values():
        declared = _declared(files, closure)
        for members, known in groups:
            if all(known.get(key, member) == member for key, member in declared.items()):
                members |= closure
                known |= declared
                break
        else:
            groups.append((set(closure), declared))
    return [frozenset(members) for members, _ in groups]


def _roots(files: Mapping[str, SchemaFile], groups: list[frozenset[Member]]) -> dict[str, Root]:
    """The roots that are documents. Helpers are not: elements without children in a file that others build on.

    The EU's packages have a few for their own annotations (`description`, `rule`...), the same in every edition. Files
    that include one another in a ring build on nobody but themselves, so their elements are documents.
    """
    built_on = {path: {name for _, name in _closure(files, (file.namespace, path))} for path, file in files.items()}
    shared = {
        reference.target
        for file in files.values()
        for reference in file.references
        if reference.target is not None and file.path not in built_on[reference.target]
    }
    roots: dict[str, Root] = {}
    for number, members in enumerate(groups):
        content = Content(files, members)
        for namespace, path in sorted(members):
            for kind, name, line in files[path].components:
                clark = f"{{{namespace}}}{name}" if namespace else name
                if kind != "element" or clark in roots or (path in shared and not content.has_children(namespace, name)):
                    continue
                roots[clark] = Root(path, line, number, content.foresees_signature(namespace, name))
    return roots
