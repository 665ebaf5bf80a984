"""The editions that Brama ships: folders of this package with a manifest `edition.toml` beside the schema files.

    system = "NCTS2"
    edition = "P5"
    from = 2023-12-01        # optional: midnight in Poland
    to = 2027-01-01          # optional, exclusive
    default = true           # optional
    [documents]              # root's local name -> who sends it and its part in the flow
    CC015C = { direction = "in", role = "declaration" }

A root that the files declare and the manifest does not name has direction "out": what nobody thought of is not taken in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from gateway.errors import Failed
from gateway.message import Direction
from schemas.archive import pack, read_files
from schemas.catalogue import ALWAYS, NEVER, Document, Edition, midnight
from schemas.package import Package, analyse

MANIFEST = "edition.toml"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `edition.toml` says."""

    system: str
    edition: str
    starts: date | None
    ends: date | None
    default: bool
    documents: Mapping[str, tuple[Direction, str]]


def shipped_editions(folder: Path | None = None) -> tuple[Edition, ...]:
    """All editions below `folder` (default: this package). Raises Failed(schemas.manifest | schemas.package)."""
    home = folder or Path(__file__).parent
    return tuple(_edition(path.parent, read_manifest(path)) for path in sorted(home.rglob(MANIFEST)))


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest. Raises Failed(schemas.manifest)."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = set(data) - {"system", "edition", "from", "to", "default", "documents"}
        if unknown:
            raise ValueError(f"unknown entries {', '.join(sorted(unknown))}")
        return Manifest(
            system=_typed(data, "system", str),
            edition=_typed(data, "edition", str),
            starts=_typed(data, "from", date) if "from" in data else None,
            ends=_typed(data, "to", date) if "to" in data else None,
            default=_typed(data, "default", bool) if "default" in data else False,
            documents={name: _document(name, entry) for name, entry in _typed(data, "documents", dict).items()},
        )
    except (OSError, ValueError, KeyError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise Failed("schemas.manifest", file=str(path), detail=str(error)) from error


def _typed(data: Mapping[str, Any], key: str, kind: type) -> Any:
    if key not in data:
        raise ValueError(f"entry {key} is missing")
    if type(data[key]) is not kind:
        raise ValueError(f"entry {key} must be of type {kind.__name__}")
    return data[key]


def _document(name: str, entry: Any) -> tuple[Direction, str]:
    if not isinstance(entry, dict) or entry.get("direction") not in ("in", "out") or set(entry) - {"direction", "role"}:
        raise ValueError(f'document {name} must be {{ direction = "in" or "out", role = "..." }}')
    return entry["direction"], str(entry.get("role", ""))


def _edition(folder: Path, manifest: Manifest) -> Edition:
    package = analyse(read_files(folder))
    names = {root.rpartition("}")[2] for root in package.roots}
    if missing := sorted(set(manifest.documents) - names):
        raise Failed("schemas.manifest", file=str(folder / MANIFEST), detail=f"no schema file declares {', '.join(missing)}")
    return Edition(
        system=manifest.system,
        name=manifest.edition,
        starts_at=midnight(manifest.starts) if manifest.starts else ALWAYS,
        ends_at=midnight(manifest.ends) if manifest.ends else NEVER,
        default=manifest.default,
        shipped=True,
        documents=documents(package, lambda name: manifest.documents.get(name, ("out", ""))),
        digest=package.digest,
        blob=pack(package.contents),
    )


def documents(package: Package, sent: Callable[[str], tuple[Direction, str]]) -> dict[str, Document]:
    """A document for every root of the package; `sent(local name)` gives direction and role."""
    found = {}
    for clark, root in package.roots.items():
        direction, role = sent(clark.rpartition("}")[2])
        found[clark] = Document(clark, direction, role, root.grammar, root.signature)
    return found
