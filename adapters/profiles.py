"""Profiles: `<folder>/<system>.toml` read into the values of `gateway.profile`.

A profile is data that an operator writes, so every mistake in it is answered with the file, the table and the key, and
with what to change. Unknown keys are refused: a misspelt key would otherwise be a rule that silently does not hold.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NoReturn

from adapters.seap import SEAP
from gateway.errors import Failed, Rejected
from gateway.message import BusinessKeys, DocumentType
from gateway.profile import DocumentProfile, DuplicateAnswer, Proof, RetryPolicy, SystemProfile

_KEYS = tuple(field.name for field in fields(BusinessKeys))
_NAME = r"(?:\{[^{}]*\})?[A-Za-z_][\w.\-]*"
#: The part of ElementPath that points at one element without searching: names separated by slashes.
_PATH = re.compile(f"{_NAME}(?:/{_NAME})*")
_ROOT = re.compile(_NAME)
_SYSTEM = re.compile(r"[A-Z][A-Z0-9\-]{1,19}")
_TRANSPORTS = ("http",)


class Profiles:
    """The profiles of all systems: the keeper of the port `gateway.ports.Profiles`."""

    def __init__(self, profiles: Sequence[SystemProfile]) -> None:
        self._systems = {profile.system: profile for profile in profiles}

    @classmethod
    def load(cls, folders: Sequence[Traversable] = ()) -> Profiles:
        """The built-in profiles and those in the subfolders of `folders`, each `<folder>/<system>.toml`.

        A profile of a later folder replaces that of an earlier one, so an operator can have his own for a system that is
        built in. Raises Failed(adapter.profile) for the first mistake found, also for one folder with two for one system.
        """
        profiles: dict[str, SystemProfile] = {SEAP.system: SEAP}
        for folder in (files("adapters"), *folders):
            seen: dict[str, str] = {}
            for file in _toml_files(folder):
                profile = read_profile(file.read_bytes(), str(file))
                if profile.system in seen:
                    _wrong(str(file), "", "system", f"{profile.system} is already described by {seen[profile.system]}; remove one of them")
                seen[profile.system] = str(file)
                profiles[profile.system] = profile
        return cls(list(profiles.values()))

    def __iter__(self) -> Iterator[SystemProfile]:
        """The customs systems; the channel itself is none."""
        return (profile for profile in self._systems.values() if profile is not SEAP)

    def document(self, document_type: DocumentType) -> DocumentProfile:
        """The profile of a document that traders send. Raises Rejected(identify.unknown)."""
        profile = self._systems.get(document_type.system)
        document = profile.documents.get(document_type.root) if profile else None
        if document is None:
            raise Rejected("identify.unknown", root=document_type.name, namespace=document_type.namespace)
        return document

    def system(self, system: str) -> SystemProfile:
        """The profile of the system with this code. Raises Failed(route.no_route)."""
        if system not in self._systems:
            raise Failed("route.no_route", system=system, root="*")
        return self._systems[system]


def _toml_files(folder: Traversable) -> Iterator[Traversable]:
    for subfolder in sorted((entry for entry in folder.iterdir() if entry.is_dir()), key=lambda entry: entry.name):
        yield from sorted((entry for entry in subfolder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)


def _wrong(file: str, table: str, key: str, detail: str) -> NoReturn:
    place = " ".join(part for part in (table and f"[{table}]", key) if part) or "the top"
    raise Failed("adapter.profile", file=file, table=table, key=key, place=place, detail=detail)


class _Table:
    """One TOML table; `done` refuses the keys that nobody asked for."""

    def __init__(self, file: str, name: str, values: Mapping[str, object]) -> None:
        self.file = file
        self.name = name
        self._values = dict(values)
        self._known: list[str] = []

    def wrong(self, key: str, detail: str) -> NoReturn:
        _wrong(self.file, self.name, key, detail)

    def _take(self, key: str) -> object:
        self._known.append(key)
        return self._values.pop(key, None)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, "is missing; give it a text" if value is None else f"must be a text that is not empty, not {value!r}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        value = self._take(key)
        if value is None and default is not None:
            return default
        return self._number(key, value, low, high)

    def _number(self, key: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, f"must be a number from {low:g} to {high:g}, not {'missing' if value is None else repr(value)}")
        return float(value)

    def numbers(self, key: str, low: float, high: float) -> tuple[float, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not value:
            self.wrong(key, "must be a list of at least one number, e.g. [1, 5, 60]")
        return tuple(self._number(key, item, low, high) for item in value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, 'must be a list of texts, e.g. ["CC928C"]')
        return tuple(value)

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {value!r}")
        return bool(value)

    def table(self, key: str, required: bool = True) -> _Table:
        value = self._take(key)
        name = f"{self.name}.{key}" if self.name else key
        if value is None and not required:
            value = {}
        if not isinstance(value, dict):
            self.wrong(key, f"must be a table; write [{name}]" if value is not None else f"the table is missing; add [{name}]")
        return _Table(self.file, name, value)

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def done(self) -> None:
        for key in self._values:
            self.wrong(key, f"is not known here; remove or correct it (known: {', '.join(sorted(set(self._known))) or 'none'})")


def read_profile(content: bytes, file: str) -> SystemProfile:
    """One profile from the bytes of its TOML file; `file` is named in errors. Raises Failed(adapter.profile)."""
    try:
        values = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        _wrong(file, "", "", f"is not TOML in UTF-8: {error}")
    top = _Table(file, "", values)
    namespace = top.text("namespace", "") if "namespace" in top.names() else ""
    common = _paths(top.table("paths", required=False))
    documents = _documents(top.table("documents"), namespace, common, _request)
    answers = _documents(top.table("answers"), namespace, common, _answer)
    profile = SystemProfile(
        system=_system(top),
        title_pl=top.text("title_pl"),
        title_en=top.text("title_en"),
        documents=documents,
        answers=answers,
        retry=_retry(top.table("retry")),
        transport=_transport(top.table("transport")),
        flow=_flow(top.table("flow"), answers),
        proof=_proof(top.table("proof")),
        duplicate=_duplicate(top.table("duplicate"), namespace) if "duplicate" in top.names() else None,
        receipt=_receipt(top),
    )
    top.done()
    return profile


def _receipt(top: _Table) -> str:
    receipt = top.text("receipt", "system")
    if receipt not in ("system", "gateway"):
        top.wrong("receipt", f"{receipt!r} is nobody; write system (it sends its own UPO as an answer) or gateway")
    return receipt


def _system(top: _Table) -> str:
    system = top.text("system")
    if not _SYSTEM.fullmatch(system):
        top.wrong("system", f"{system!r} is no system code; use 2 to 20 capital letters, digits and dashes, e.g. NCTS2")
    if system == SEAP.system:
        top.wrong("system", f"{system} is the channel itself and has no profile in a file; use the system's own code")
    return system


def _clark(table: _Table, key: str, name: str, namespace: str) -> str:
    if not _ROOT.fullmatch(name):
        table.wrong(key, f"{name!r} is no element name; write a local name, or {{namespace}}name")
    return name if name.startswith("{") or not namespace else f"{{{namespace}}}{name}"


def _paths(table: _Table) -> dict[str, str]:
    found = {}
    for key in table.names():
        if key not in _KEYS:
            table.wrong(key, f"is no business key; use one of {', '.join(_KEYS)}")
        path = table.text(key)
        if not _PATH.fullmatch(path):
            table.wrong(key, f"{path!r} is no path; write element names below the root separated by '/', e.g. TransitOperation/LRN")
        found[key] = path
    return found


def _documents(
    table: _Table, namespace: str, common: Mapping[str, str], read: Callable[[_Table, str, Mapping[str, str]], DocumentProfile]
) -> dict[str, DocumentProfile]:
    found: dict[str, DocumentProfile] = {}
    for name in table.names():
        entry = table.table(name)
        root = _clark(table, name, name, namespace)
        found[root] = read(entry, root, {**common, **_paths(entry.table("paths", required=False))})
        entry.done()
    if not found:
        table.wrong("", f"is empty; describe at least one document, e.g. [{table.name}.CC015C]")
    return found


def _request(entry: _Table, root: str, paths: Mapping[str, str]) -> DocumentProfile:
    if "message_id" not in paths:
        entry.wrong("paths", "has no message_id, without which no answer can be matched; add it here or in [paths]")
    return DocumentProfile(root, paths, permission=entry.text("permission"))


def _answer(entry: _Table, root: str, paths: Mapping[str, str]) -> DocumentProfile:
    if not {"correlation_id", "lrn", "mrn", "sys_ref"} & set(paths):
        entry.wrong("paths", "has none of correlation_id, lrn, mrn, sys_ref, so the answer cannot be matched; add one here or in [paths]")
    state = entry.text("state") if "state" in entry.names() else None
    return DocumentProfile(root, paths, state=state, final=entry.flag("final"), served=entry.flag("served"))


def _retry(table: _Table) -> RetryPolicy:
    policy = RetryPolicy(table.numbers("delays", 0, 86_400), table.number("deadline", 1, 31 * 86_400))
    table.done()
    return policy


def _transport(table: _Table) -> dict[str, str]:
    kind = table.text("kind")
    if kind not in _TRANSPORTS:
        table.wrong("kind", f"{kind!r} is no transport; use one of {', '.join(_TRANSPORTS)}")
    found = {"kind": kind, "url_setting": table.text("url_setting")}
    found["connect_timeout"] = repr(table.number("connect_timeout", 0.01, 300, default=5))
    found["timeout"] = repr(table.number("timeout", 0.01, 3600, default=30))
    table.done()
    return found


def _proof(table: _Table) -> Proof:
    if (kind := table.text("kind")) != "hmac-sha256":
        table.wrong("kind", f"{kind!r} is no kind of proof; use hmac-sha256")
    proof = Proof(table.text("secret_setting"), table.number("window", 1, 3600))
    table.done()
    return proof


def _duplicate(table: _Table, namespace: str) -> DuplicateAnswer:
    status = table.number("status", 200, 499)
    root = _clark(table, "root", table.text("root"), namespace)
    path = table.text("path")
    if not _PATH.fullmatch(path):
        table.wrong("path", f"{path!r} is no path; write element names below the root separated by '/'")
    found = DuplicateAnswer(int(status), root, path, table.text("value"))
    table.done()
    return found


def _flow(table: _Table, answers: Mapping[str, DocumentProfile]) -> dict[str, tuple[str, ...]]:
    """State -> names of the answers that may move it. Every state an answer leads to must have its row."""
    names = {root.rpartition("}")[2] for root in answers}
    flow = {state: table.texts(state) for state in table.names()}
    if "sent" not in flow:
        table.wrong("sent", "is missing; every flow begins in state sent")
    for state, allowed in flow.items():
        for name in allowed:
            if name not in names:
                table.wrong(state, f"{name} is not described; add [answers.{name}] or remove it")
    for root, answer in answers.items():
        if answer.state is not None and answer.state not in flow:
            table.wrong(answer.state, f"is missing though {root.rpartition('}')[2]} leads to it; add the state, with [] if nothing follows")
    return flow
