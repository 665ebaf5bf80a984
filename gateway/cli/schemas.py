"""`brama schemas`: which document types are known, taking in official packages, checking documents."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

import click
from lxml.etree import _Element
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.database import StoreBusy, open_engine, writing
from gateway.errors import GatewayError, Rejected
from gateway.message import Direction, DocumentType, Violation
from gateway.migrations import upgrade
from gateway.security.signatures import detach
from gateway.security.structure import SIGNATURE
from gateway.security.xml import HardenedParser
from gateway.settings import Settings
from schemas import store
from schemas.archive import pack, read_files
from schemas.catalogue import ALWAYS, NEVER, WARSAW, Edition, midnight
from schemas.grammar import compile_grammar
from schemas.package import Package, analyse
from schemas.reader import SchemaReader
from schemas.shipped import documents, shipped_editions

CANNOT = 2  # exit code: could not judge, could not import


class _Instant(click.ParamType[datetime]):
    """A date (its midnight in Poland) or an ISO instant with a zone."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if len(value) <= 10:
                return midnight(date.fromisoformat(value))
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is no date; write 2026-11-20, or an instant such as 2026-11-20T12:00:00+01:00", param, ctx)
        return (instant if instant.tzinfo else instant.replace(tzinfo=WARSAW)).astimezone(UTC)


class _Name(click.ParamType[str]):
    """A system or an edition: what a table and a sentence can show, no longer than its column in the database."""

    name = "text"

    def __init__(self, longest: int) -> None:
        self.longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip() or value != value.strip() or not value.isprintable() or len(value) > self.longest:
            self.fail(f"write 1 to {self.longest} visible characters, without spaces at the ends", param, ctx)
        return str(value)


@click.group()
def schemas() -> None:
    """Document types: list editions, import official packages, validate documents."""


@schemas.command("list")
@click.option("--system", help="Only this system.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_editions(system: str | None, as_json: bool) -> None:
    """Editions with their dates, documents and the memory their grammars take."""
    with _reporting():
        reader = _reader(_engine())
        for edition in reader.catalogue.editions:
            if system and edition.system != system:
                continue
            entry = _described(reader, edition)
            click.echo(json.dumps(entry, ensure_ascii=False) if as_json else _table_row(entry))


@schemas.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--system", type=_Name(40), required=True, help="System code, e.g. NCTS2; any is allowed.")
@click.option("--edition", type=_Name(80), required=True, help="A name for this edition.")
@click.option("--from", "starts_at", type=_Instant(), help="In force from this date on (midnight in Poland). Default: always.")
@click.option("--to", "ends_at", type=_Instant(), help="In force until this date, exclusive. Default: without end.")
@click.option("--default", is_flag=True, help="This edition counts where it overlaps with others.")
@click.option("--select", multiple=True, help="Only files that match this GLOB and what they include; !GLOB leaves out. Repeatable.")
@click.option(
    "--direction",
    type=click.Choice(["in", "out"]),
    help="Sent by traders (in) or customs (out). Default: as in the system's other editions; in, for a root that none of them has.",
)
@click.option("--in", "also_in", multiple=True, metavar="GLOB", help="Roots that traders send, whatever --direction says.")
@click.option("--out", "also_out", multiple=True, metavar="GLOB", help="Roots that only customs sends, whatever --direction says.")
@click.option("--replace", is_flag=True, help="Replace an edition of this name that has other files.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def import_package(
    source: Path,
    system: str,
    edition: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    default: bool,
    select: tuple[str, ...],
    direction: Direction | None,
    also_in: tuple[str, ...],
    also_out: tuple[str, ...],
    replace: bool,
    as_json: bool,
) -> None:
    """Take in an official package: a zip or a folder of XSD files, as published. It loads whole or is refused."""

    def sent(name: str) -> tuple[Direction, str]:
        before, role = known.get(name, ("in", ""))
        if any(fnmatchcase(name, glob) for glob in also_out):
            return "out", role
        if any(fnmatchcase(name, glob) for glob in also_in):
            return "in", role
        return direction or before, role

    began = time.perf_counter()
    with _reporting():
        engine = _engine()
        known = _known(_reader(engine), system)
        package = analyse(read_files(source), select)
        memory = _compile_all(package, quiet=as_json)
        new = Edition(
            system=system,
            name=edition,
            starts_at=starts_at or ALWAYS,
            ends_at=ends_at or NEVER,
            default=default,
            shipped=False,
            documents=documents(package, sent),
            digest=package.digest,
            blob=pack(package.contents),
        )
        shipped = shipped_editions()
        with writing(engine) as connection:
            store.save(connection, new, shipped, datetime.now(UTC), replace)
        _warn_of_other_systems(_reader(engine), new)
    report = {
        "system": system,
        "edition": edition,
        "files": len(package.files),
        "documents": len(package.roots),
        "grammars": len(package.grammars),
        "memory": memory,
        "seconds": round(time.perf_counter() - began, 3),
    }
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        click.echo(
            f"Imported {system} {edition}: {report['documents']} document types from {report['files']} files, "
            f"{report['grammars']} grammar(s), {_megabytes(memory)}, {report['seconds']} s."
        )


@schemas.command("validate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--system", required=True, help="The system whose documents these are.")
@click.option("--edition", help="Check against this edition, whatever its dates.")
@click.option("--at", type=_Instant(), help="Check as on this date (midnight in Poland) or instant. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def validate(paths: tuple[Path, ...], system: str, edition: str | None, at: datetime | None, as_json: bool) -> None:
    """Check documents: files, or folders with .xml files. Exit code 0: all valid, 1: some are not, 2: could not judge."""
    with _reporting():
        reader = _reader(_engine())
        known = [e.name for e in reader.catalogue.of_system(system)]
        if not known:
            systems = sorted({e.system for e in reader.catalogue.editions})
            _fail(f"No schemas of system {system} are known. Import them, or use one of: {', '.join(systems) or 'none yet'}.")
        if edition is not None and edition not in known:
            _fail(f"System {system} has no edition {edition}. Use one of: {', '.join(known)}.")
        judge = _Judge(reader, HardenedParser(), system, edition, at or datetime.now(UTC))
        worst = 0
        for path in _files(paths):
            verdict = judge.verdict(path)
            worst = max(worst, {True: 0, False: 1, None: CANNOT}[verdict["valid"]])
            click.echo(json.dumps(verdict, ensure_ascii=False) if as_json else _verdict_text(verdict))
    sys.exit(worst)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Validates files against one system's editions."""

    reader: SchemaReader
    parser: HardenedParser
    system: str
    edition: str | None
    at: datetime

    def verdict(self, path: Path) -> dict[str, Any]:
        """file, root, edition, valid (null: could not be judged) and errors."""
        verdict: dict[str, Any] = {"file": str(path), "root": None, "edition": self.edition, "valid": None, "errors": []}
        try:
            content = path.read_bytes()
            root = self.parser.parse(content)
            verdict["root"] = str(root.tag)
            document_type = self._type(str(root.tag))
            verdict["edition"] = document_type.edition
            if not self.reader.foresees_signature(document_type):
                root = _set_aside(root)
            violations = self.reader.validate(document_type, root, content)
        except OSError as error:
            reason = f"the file cannot be read ({error.strerror})"
            verdict["errors"] = [_error(Violation(0, 0, "", "receive.unreadable", f"Nie można odczytać pliku ({error.strerror}).", reason))]
            return verdict
        except GatewayError as error:
            line, column = (_number(error.context.get(key)) for key in ("line", "column"))
            verdict["errors"] = [_error(Violation(line, column, "", error.code, error.text("pl"), error.text("en")))]
            return verdict | ({"valid": False} if error.stage == "parse" else {})  # what is no XML is valid under no schema
        return verdict | {"valid": not violations, "errors": [_error(violation) for violation in violations]}

    def _type(self, root: str) -> DocumentType:
        catalogue = self.reader.catalogue
        if self.edition is None:
            return catalogue.find(root, self.at, self.system)
        edition = catalogue.edition(self.system, self.edition)
        document = edition.documents.get(root) if edition else None
        if document is None:
            namespace, _, name = root[1:].rpartition("}") if root.startswith("{") else ("", "", root)
            raise Rejected("identify.unknown", root=name, namespace=namespace)
        return DocumentType(self.system, self.edition, root, document.direction)


def _set_aside(root: _Element) -> _Element:
    """The tree without its enveloped signatures, as the door validates it."""
    for signature in root.findall(SIGNATURE):
        detach(signature)
    return root


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _error(violation: Violation) -> dict[str, Any]:
    return {
        "line": violation.line,
        "column": violation.column,
        "path": violation.path,
        "code": violation.code,
        "pl": violation.pl,
        "en": violation.en,
    }


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".xml" and file.is_file())
            if not found:
                _fail(f"Folder {path} has no .xml files. Point at the folder or the files to check.")
            yield from found
        else:
            yield path


def _verdict_text(verdict: dict[str, Any]) -> str:
    word = {True: click.style("valid", fg="green"), False: click.style("not valid", fg="red"), None: click.style("not judged", fg="yellow")}
    lines = [f"{verdict['file']}: {word[verdict['valid']]}" + (f" ({verdict['edition']})" if verdict["edition"] else "")]
    for error in verdict["errors"]:
        lines.append(f"  {error['line']}:{error['column']} {error['path']} {error['code']}".replace("  0:0  ", "  "))
        lines.append(f"      {error['en']}")
    return "\n".join(lines)


def _described(reader: SchemaReader, edition: Edition) -> dict[str, Any]:
    grammars = {document.grammar: reader.grammar(edition, document) for document in edition.documents.values()}
    return {
        "system": edition.system,
        "edition": edition.name,
        "from": None if edition.starts_at == ALWAYS else edition.starts_at.astimezone(WARSAW).isoformat(),
        "to": None if edition.ends_at == NEVER else edition.ends_at.astimezone(WARSAW).isoformat(),
        "default": edition.default,
        "shipped": edition.shipped,
        "in_force": edition.in_force(datetime.now(UTC)),
        "grammars": len(grammars),
        "memory": sum(grammar.memory for grammar in grammars.values()),
        "documents": [
            {"root": document.root, "direction": document.direction, "role": document.role, "signature": document.signature}
            for document in edition.documents.values()
        ],
    }


def _table_row(entry: dict[str, Any]) -> str:
    start, end = (entry["from"] or "always")[:10], (entry["to"] or "open")[:10]
    marks = [mark for mark in ("default", "shipped") if entry[mark]] + ([] if entry["in_force"] else ["not in force"])
    sent = [document["direction"] for document in entry["documents"]]
    return (
        f"{entry['system']:<14} {entry['edition']:<16} {start:>10} - {end:<10}  {sent.count('in'):>3} in {sent.count('out'):>3} out"
        f"  {entry['grammars']:>2} grammar(s) {_megabytes(entry['memory']):>8}  {', '.join(marks)}"
    ).rstrip()


def _compile_all(package: Package, quiet: bool) -> int:
    """Compile every grammar: a package loads whole or not at all. The bytes they take together."""
    memory = 0
    with click.progressbar(
        range(len(package.grammars)), label="Compiling", file=sys.stderr, hidden=quiet or not sys.stderr.isatty()
    ) as numbers:
        for number in numbers:
            memory += compile_grammar(package, number).memory
    return memory


def _known(reader: SchemaReader, system: str) -> dict[str, tuple[Direction, str]]:
    """Direction and role of every root that the system's editions have so far, by local name."""
    editions = reader.catalogue.of_system(system)
    return {d.root.rpartition("}")[2]: (d.direction, d.role) for edition in reversed(editions) for d in edition.documents.values()}


def _warn_of_other_systems(reader: SchemaReader, edition: Edition) -> None:
    others = set().union(*(reader.catalogue.contested(root, edition.system) for root in edition.documents)) if edition.documents else set()
    if others:
        click.echo(
            f"Note: {', '.join(sorted(others))} has documents of the same names. Where no edition is a default or several are, "
            "such documents are refused at the doors as ambiguous.",
            err=True,
        )


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _engine() -> Engine:
    try:
        engine = open_engine(Settings().database)
        upgrade(engine)
    except (SQLAlchemyError, OSError) as error:
        _fail(f"The database cannot be used ({type(error).__name__}); see `brama doctor`.")
    return engine


def _reader(engine: Engine) -> SchemaReader:
    reader = SchemaReader(shipped_editions())
    with engine.connect() as connection:
        reader.refresh(connection)
    return reader


def _fail(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(CANNOT)


@contextmanager
def _reporting() -> Iterator[None]:
    """A named failure becomes one sentence on stderr and exit code 2."""
    try:
        yield
    except GatewayError as error:
        _fail(error.text("en"))
    except StoreBusy:
        _fail("The database is busy; try again.")
