"""Reading a registry file: YAML of the form in docs/reference/registry-yaml.md into values, with every problem and its place.

Every scalar is read as text (so `0123` stays what was written), anchors and duplicate keys are refused, and nothing but
mappings, lists and text can come out. This step knows no database; `registry.importing` compares with what is stored.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.nodes import MappingNode

MAX_SIZE = 16 * 1024 * 1024  # bytes; a larger register comes in several files
MAX_DEPTH = 8
LARGEST_CERTIFICATE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, at which key path (`persons[2].certificates[0]`; empty for the whole file), and what to change."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class ImportRefused(Exception):
    """The file was not imported; nothing was written. `problems` has all the reasons that were found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class NewPush:
    """The trader's own endpoint and how we prove to it who we are. `certificate`: PEM of the only anchors of its TLS."""

    place: str
    url: str
    login: str
    password: str | None = field(repr=False)  # None: as it is
    digest: str
    certificate: str | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    place: str
    login: str
    password: str | None = field(repr=False)
    active: bool | None  # None: as it is; a new one is active
    push: NewPush | None = None  # None: as it is


@dataclass(frozen=True, slots=True)
class NewCertificate:
    place: str
    fingerprint: str
    subject: str
    valid_from: datetime
    valid_to: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewPerson:
    place: str
    id_sisc: str
    given_names: str
    family_name: str
    accounts: tuple[NewAccount, ...]
    certificates: tuple[NewCertificate, ...]


@dataclass(frozen=True, slots=True)
class NewEntity:
    place: str
    id_sisc: str
    name: str
    identifiers: tuple[tuple[str, str], ...]  # kind, value


@dataclass(frozen=True, slots=True)
class NewRepresentation:
    """`person` (an idSISC) or `agency` (idSISC or identifier) may act for `principal` (idSISC or identifier)."""

    place: str
    person: str | None
    agency: str | None
    principal: str
    form: str
    valid_from: datetime
    valid_to: datetime | None
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Register:
    """The whole file."""

    persons: tuple[NewPerson, ...]
    entities: tuple[NewEntity, ...]
    representations: tuple[NewRepresentation, ...]

    def __len__(self) -> int:
        return len(self.persons) + len(self.entities) + len(self.representations)


class _TextOnly(yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader):  # type: ignore[misc]
    """Builds mappings, lists and text and nothing else, whatever tags the file carries; a repeated key is an error."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key.value}' stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def load(path: Path) -> Mapping[str, Any]:
    """The YAML of the file as mappings, lists and text. Raises ImportRefused, OSError."""
    if path.stat().st_size > MAX_SIZE:
        raise ImportRefused([Problem("", f"the file is larger than {MAX_SIZE} bytes; split it")])
    content = path.read_bytes()
    try:
        _refuse_anchors_and_depth(content)
        loader = _TextOnly(content)
        try:
            tree = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ImportRefused([Problem(where, f"{error.problem}; correct the YAML")]) from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        raise ImportRefused([Problem("", f"this is not YAML in UTF-8 ({error}); correct the file")]) from error
    if not isinstance(tree, dict):
        raise ImportRefused([Problem("", "the file is not a mapping; write persons:, entities: and representations: at its top")])
    return tree


def _refuse_anchors_and_depth(content: bytes) -> None:
    """A small file may stand for an enormous one by aliases, and deep nesting exhausts the stack: both end here."""
    depth = 0
    for event in yaml.parse(content, Loader=_TextOnly):
        if isinstance(event, yaml.AliasEvent):
            raise _wrong("aliases (*name) are not allowed, write the value out", event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _wrong(f"nested more than {MAX_DEPTH} deep", event)


def _wrong(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark | None", event.start_mark))


class Fields:
    """One mapping of the file, read key by key; problems go to the list that all of them share."""

    def __init__(self, value: object, place: str, problems: list[Problem], known: tuple[str, ...]) -> None:
        self.place = place
        self._problems = problems
        self._values: dict[str, object] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.problem("this must be a mapping of " + ", ".join(known))
        for key in self._values:
            if key not in known:
                self.problem(f"unknown key; known are {', '.join(known)}", str(key))

    def at(self, key: str) -> str:
        """The key path of `key` in here."""
        return f"{self.place}.{key}" if self.place else key

    def problem(self, text: str, key: str = "") -> None:
        self._problems.append(Problem(self.at(key) if key else self.place, text))

    def has(self, key: str) -> bool:
        """Whether the key is there with a value: an empty one, `~` and `null` count as none."""
        return self._values.get(key) not in (None, "", "~", "null")

    def text(self, key: str, longest: int, required: bool = True, exact: bool = False) -> str:
        """The text under `key`, stripped unless `exact`; empty where it is missing, which is a problem if `required`."""
        if not self.has(key):
            if required:
                self.problem("this key is missing", key)
            return ""
        value = self._values[key]
        if not isinstance(value, str) or not value.strip():
            self.problem("this must be text", key)
            return ""
        if len(value) > longest:
            self.problem(f"this is longer than {longest} characters", key)
            return ""
        return value if exact else value.strip()

    def items(self, key: str) -> Iterator[tuple[str, object]]:
        """The entries of the list under `key`, each with its place; none where it is missing."""
        if not self.has(key):
            return
        value = self._values[key]
        if not isinstance(value, list):
            self.problem("this must be a list", key)
            return
        for number, item in enumerate(value):
            yield f"{self.at(key)}[{number}]", item

    def mapping(self, key: str) -> Mapping[str, object]:
        """The mapping under `key`; empty where it is missing."""
        value = self._values.get(key) if self.has(key) else {}
        if isinstance(value, dict):
            return value
        self.problem("this must be a mapping", key)
        return {}
