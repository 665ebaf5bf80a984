"""`brama dead-letters`: what awaits a person."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import click

from adapters.answers import read_answer
from gateway.bootstrap import SystemClock, load_profiles, open_office
from gateway.channels import dead_letters as desk
from gateway.channels.answers import AnswerDesk
from gateway.cli.opening import open_store
from gateway.cli.output import as_json, table
from gateway.cli.trouble import plainly
from gateway.cli.words import WORDS
from gateway.database import Database
from gateway.errors import Failed
from gateway.security.xml import HardenedParser
from gateway.settings import Settings

PATIENCE = 10.0  # seconds a person's command waits for the store


@click.group("dead-letters")
def dead_letters() -> None:
    """What awaits a person: list, show, retry, discard."""


@dead_letters.command("list")
@click.option("--system", help="Only this system's.")
@click.option("--all", "closed", is_flag=True, help="Also those already retried or discarded.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def list_(system: str | None, closed: bool, json_: bool) -> None:
    """Open dead letters, oldest first."""
    with open_store().reading() as connection:
        rows = [dict(row._mapping) for row in desk.listed(connection, system=system, closed=closed)]
    if json_:
        as_json(rows)
        return
    if not rows:
        click.echo("No dead letters.")
        return
    columns = {"id": "id", "since": "created_at", "system": "system", "kind": "kind", "code": "code", "attempts": "attempts"}
    columns |= {"alike": "fingerprint", "sys_ref": "sys_ref"} | ({"closed": "closed_as"} if closed else {}) | {"last error": "last_error"}
    table(list(columns), [["" if row[field] is None else row[field] for field in columns.values()] for row in rows])


@dead_letters.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--content", is_flag=True, help="Print the bytes of an open answer, and nothing else.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def show(number: int, content: bool, json_: bool) -> None:
    """Everything about one dead letter."""
    if content:
        with open_store().reading() as connection:
            found = desk.answer(connection, number)
        if found is None:
            _no_such(number)
        sys.stdout.buffer.write(found)
        return
    with open_store().reading() as connection:
        row = desk.shown(connection, number)
    if row is None:
        _no_such(number)
    fields = dict(row._mapping)
    if json_:
        as_json(fields)
        return
    for name, value in fields.items():
        if value is not None:
            click.echo(f"{name:12} {value}")


@dead_letters.command()
@click.argument("numbers", type=click.IntRange(1, 2**63 - 1), nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open ones.")
@click.option("--fingerprint", help="All open ones that failed alike.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def retry(numbers: tuple[int, ...], everything: bool, fingerprint: str | None, json_: bool) -> None:
    """Put deliveries back into the queue, the stored request unchanged; match answers again."""
    if not (numbers or everything or fingerprint):
        raise click.UsageError("name dead letters by number, or give --all or --fingerprint")
    database = open_store()
    chosen = list(numbers)
    if everything or fingerprint:
        with database.reading() as connection:
            letters: list[Any] = list(desk.listed(connection))
        chosen += [r.id for r in letters if everything or r.fingerprint == fingerprint]
    retried: list[int] = []
    left: list[int] = []
    for number in dict.fromkeys(chosen):  # one transaction each: a stop half-way repeats none and loses none
        (retried if _retry(database, number) else left).append(number)
    if json_:
        as_json({"retried": retried, "left": left})
    else:
        click.echo(f"Retried: {', '.join(map(str, retried)) or 'none'}.")
        if left:
            click.echo(f"Left alone (closed already, unknown, or an answer that still matches nothing): {', '.join(map(str, left))}.")
    sys.exit(1 if left else 0)


def _retry(database: Database, number: int) -> bool:
    """A delivery goes back into the queue; an answer is matched again and stays where it is when that fails."""
    at = datetime.now(UTC)
    with database.reading() as connection:
        letter: Any = desk.shown(connection, number)
        content = desk.answer(connection, number)
    if content is not None:
        settings = Settings()
        profiles = load_profiles(settings)
        # without the key folder only what must be served, or receipted by us, is left alone
        office = open_office(settings, database, profiles, SystemClock()) if (settings.keys / "seal.key").exists() else None
        served, receipts = (office.servings, office.receipts) if office else (None, None)
        try:
            found = read_answer(profiles.system(letter.system), HardenedParser(), content)
            AnswerDesk(database, profiles, served, receipts, patience=PATIENCE).attach(found, at)
        except Failed:
            return False
    with database.writing() as connection:
        return desk.retry(connection, number, at)


@dead_letters.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--why", required=True, type=WORDS, help="The reason, kept for good.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def discard(number: int, why: str, json_: bool) -> None:
    """End a dead letter for good."""
    with open_store().writing() as connection:
        done = desk.discard(connection, number, why, datetime.now(UTC))
    if not done:
        _no_such(number)
    if json_:
        as_json({"discarded": number})
    else:
        click.echo(f"Discarded {number}.")


def _no_such(number: int) -> NoReturn:
    click.secho(f"brama: there is no open dead letter {number}; see `brama dead-letters list`", fg="red", err=True)
    sys.exit(1)
