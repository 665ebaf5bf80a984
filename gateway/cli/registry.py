"""`brama registry`: fill the registry, look into it, ask it, end a representation.

Exit codes: 0 done (for `check`: granted), 1 refused (for `check`: denied), 2 it could not be done or judged.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.codes import CODES
from gateway.database import StoreBusy, open_engine, writing
from gateway.errors import Failed
from gateway.message import Granted
from gateway.migrations import upgrade
from gateway.security.keys import load_secrets
from gateway.settings import Settings
from registry.accounts import Accounts, Secrets
from registry.authorize import DatabaseRegistry
from registry.changes import end_representation
from registry.dates import in_warsaw, read_moment
from registry.document import ImportRefused
from registry.importing import Report, import_file
from registry.listing import describe
from registry.passwords import made_up, read_duration, replace_password, trouble_with

LONG_IMPORT = 200  # entries from which a progress bar is worth its line


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else read_moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


AT = click.option("--at", callback=_moment, help="As of this day or time (Warsaw unless an offset is given); default now.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def registry() -> None:
    """Who may act for whom: accounts, persons, entities, representations."""


@contextmanager
def _database() -> Iterator[Engine]:
    """The engine of the settings; a database that does not answer ends the command with code 2."""
    try:
        engine = open_engine(Settings().database)
        upgrade(engine)
        try:
            yield engine
        finally:
            engine.dispose()
    except StoreBusy:
        _stop(2, "The database is busy; try again.")
    except SQLAlchemyError as error:
        _stop(2, f"The database does not answer ({type(error).__name__}); check BRAMA_DATABASE_URL and BRAMA_HOME.")
    except OSError as error:
        _stop(2, f"{error.filename or 'A file'} cannot be used: {error.strerror}; check the path and its permissions.")


def _stop(code: int, sentence: str) -> None:
    click.echo(sentence, err=True)
    sys.exit(code)


def _secrets() -> Secrets | None:
    """The keeper of the key that encrypts secrets in the database; None when there is no such key yet."""
    try:
        return load_secrets(Settings().keys)
    except Failed as error:
        if error.code == "keys.missing":
            return None
        raise


@registry.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything and write nothing.")
@JSON
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Bring the registry to what FILE (YAML) says; all of it or nothing."""
    with _database() as engine, _progress(not as_json) as advance:
        try:
            report = import_file(engine, file, _secrets(), dry_run, advance)
        except ImportRefused as refusal:
            _print_problems(refusal, as_json)
            sys.exit(1)
    _print_report(report, as_json)


@contextmanager
def _progress(wanted: bool) -> Iterator[_Bar]:
    bar = _Bar(wanted and sys.stderr.isatty())
    try:
        yield bar
    finally:
        bar.close()


class _Bar:
    """A progress bar on stderr that appears only for long imports on a terminal."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if not self._wanted or total < LONG_IMPORT:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label="Importing", file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(1)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def _print_problems(refusal: ImportRefused, as_json: bool) -> None:
    if as_json:
        problems = [{"place": problem.place, "problem": problem.text} for problem in refusal.problems]
        click.echo(json.dumps({"imported": False, "problems": problems}, ensure_ascii=False))
        return
    for problem in refusal.problems:
        click.echo(str(problem), err=True)
    click.echo(f"Nothing was imported: {len(refusal.problems)} problem(s) to correct.", err=True)


def _print_report(report: Report, as_json: bool) -> None:
    counts = {"added": report.added, "changed": report.changed, "removed": report.removed, "unchanged": report.unchanged}
    if as_json:
        click.echo(json.dumps({"imported": not report.dry_run, "dry_run": report.dry_run, **counts}))
        return
    for what, tables in counts.items():
        if tables:
            click.echo(f"{what}: " + ", ".join(f"{count} {table}" for table, count in tables.items()))
    click.echo("Dry run: nothing was written." if report.dry_run else "Imported.")


@registry.command()
@click.argument("login")
@AT
@JSON
def show(login: str, at: datetime | None, as_json: bool) -> None:
    """Print what the registry holds about LOGIN."""
    with _database() as engine, engine.connect() as connection:
        found = describe(connection, login, at or datetime.now(UTC))
    if found is None:
        _stop(2, f"There is no account '{login}'; check the login.")
        return
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for key, value in found.items():
        if isinstance(value, list):
            click.echo(f"{key}: {len(value)}")
            for row in value:
                click.echo("  " + ", ".join(f"{name} {_plain(item)}" for name, item in row.items() if item is not None))
        else:
            click.echo(f"{key}: {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value if value is not None else "-")


@registry.command()
@click.option("--login", required=True, help="The calling account.")
@click.option("--fingerprint", required=True, help="SHA-256 of the signing certificate, hexadecimal.")
@click.option("--permission", required=True, help="What is to be done, e.g. NCTS2/CC015C.")
@click.option("--party", required=True, help="Identifier or idSISC of the party named in the document.")
@click.option("--sender", help="The sender the document names, if it names one.")
@AT
@JSON
def check(login: str, fingerprint: str, permission: str, party: str, sender: str | None, at: datetime | None, as_json: bool) -> None:
    """Print the decision the gateway would take, and why. Exit code 0 granted, 1 denied, 2 it could not be judged."""
    with _database() as engine:
        account = Accounts(engine, max_age=0).find(login)
        if account is None:
            _stop(2, f"There is no account '{login}'; check the login.")
            return
        instant = at or datetime.now(UTC)
        digits = fingerprint.replace(":", "").lower()
        decision = DatabaseRegistry(engine).authorize(account.account_id, digits, permission, party, instant, sender, fresh=True)
    if isinstance(decision, Granted):
        answer: dict[str, object] = {"granted": True, "via": list(decision.via), "person": decision.person, "party": decision.party}
        sentence = f"granted at {in_warsaw(instant)} by {'; '.join(decision.via)}"
    else:
        pl, en = (CODES[decision.code].text(language, decision.context) for language in ("pl", "en"))
        answer = {"granted": False, "code": decision.code, "pl": pl, "en": en}
        sentence = f"denied, {decision.code}: {en}"
    answer |= {"at": in_warsaw(instant), "generation": decision.generation}
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else sentence)
    if not isinstance(decision, Granted):
        sys.exit(2 if decision.code == "authorize.registry_unavailable" else 1)


@registry.command("end-representation")
@click.argument("representation_id", type=click.IntRange(1, 2**63 - 1))
@JSON
def end(representation_id: int, as_json: bool) -> None:
    """End representation REPRESENTATION_ID now; messages accepted before keep their acceptance."""
    now = datetime.now(UTC)
    with _database() as engine, writing(engine) as connection:
        ended_at = end_representation(connection, representation_id, now)
    if ended_at is None:
        _stop(2, f"There is no representation {representation_id}; 'brama registry show LOGIN' lists them.")
        return
    if as_json:
        click.echo(json.dumps({"representation_id": representation_id, "ended_at": in_warsaw(ended_at), "ended_now": ended_at == now}))
    else:
        click.echo(f"Representation {representation_id} {'ended at' if ended_at == now else 'had ended already at'} {in_warsaw(ended_at)}.")


def _overlap(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    try:
        return read_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@registry.command()
@click.argument("login")
@click.option("--stdin", "given", is_flag=True, help="Read the new password from standard input (one line) instead of making one up.")
@click.option("--overlap", default="0", show_default=True, callback=_overlap, help="How long the old password counts too: 30m, 12h, 7d.")
@JSON
def password(login: str, given: bool, overlap: timedelta, as_json: bool) -> None:
    """Give account LOGIN a new channel password.

    Without --stdin it is made up and printed once; it is nowhere to be read again. Without --overlap the old one ends at once.
    """
    new = sys.stdin.readline().rstrip("\r\n") if given else made_up()
    if trouble := trouble_with(new):
        _stop(2, f"This cannot be the password: {trouble}.")
    secrets = _secrets()
    if secrets is None:
        _stop(2, "There is no key to encrypt passwords with; make the gateway's keys first: brama init.")
        return
    try:
        with _database() as engine, writing(engine) as connection:
            until = replace_password(connection, secrets, login, new, datetime.now(UTC), overlap)
    except LookupError:
        _stop(2, f"There is no account '{login}'; check the login.")
        return
    if as_json:
        shown = {} if given else {"password": new}
        click.echo(json.dumps({"login": login, **shown, "old_password_until": until and in_warsaw(until)}, ensure_ascii=False))
        return
    if not given:
        click.echo(new)
    ends = f"the old one counts until {in_warsaw(until)}" if until else "an old one counts no longer"
    click.echo(f"{login} has a new channel password; {ends}.", err=True)
