"""`brama push`: the endpoints that traders run themselves, and how handing documents to them goes."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway.channels.pushes import abandon, again, counts
from gateway.cli.opening import open_store
from gateway.cli.output import as_json, table
from gateway.cli.trouble import Trouble, plainly
from gateway.endpoints.push.client import PushHttp
from gateway.errors import GatewayError
from gateway.security.keys import load_secrets
from gateway.settings import Settings
from gateway.targets import networks, port_of, split_url
from registry import push as endpoints
from registry.accounts import LONGEST_LOGIN, normal_login
from registry.document import NewPush
from registry.tables import accounts

JSON = click.option("--json", "json_", is_flag=True, help="Print JSON.")
LONGEST_PASSWORD = 200


@click.group()
def push() -> None:
    """Traders' own endpoints: set, list, test, unblock, remove."""


@push.command("set")
@click.argument("login")
@click.argument("url")
@click.option("--as", "as_", required=True, metavar="NAME", help="The login with which the gateway calls there.")
@click.option("--keep-password", is_flag=True, help="Leave the stored password; else it is read from standard input, one line.")
@click.option("--digest", type=click.Choice(endpoints.DIGESTS), default="b", show_default=True, help="Digest of the password or its hash.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM: trust this alone in TLS.")
@JSON
@plainly
def set_(login: str, url: str, as_: str, keep_password: bool, digest: str, certificate: Path | None, json_: bool) -> None:
    """Hand documents for account LOGIN to URL as they come, from now on."""
    split_url(url)
    if not 0 < len(as_) <= LONGEST_LOGIN or not as_.isprintable():
        raise Trouble(f"--as takes 1 to {LONGEST_LOGIN} characters, none of them for control")
    password = None if keep_password else _password()
    new = NewPush(login, url, as_, password, digest, _anchors(certificate))
    secrets = None if keep_password else load_secrets(Settings().keys)
    with open_store().writing() as connection:
        account = _account(connection, login)
        try:
            done = endpoints.register(connection, secrets, account, new, datetime.now(UTC))
        except ValueError as error:
            raise Trouble(str(error)) from error
    if json_:
        as_json({"account": normal_login(login), "url": url, "endpoint": done})
    else:
        click.echo(f"Endpoint {done}. `brama push test {normal_login(login)}` looks whether it can be reached.")


def _password() -> str:
    """One line of standard input; asked for without echo on a terminal."""
    if sys.stdin.isatty():
        found: str = click.prompt("Password of the gateway there", hide_input=True, confirmation_prompt=True)
    else:
        found = sys.stdin.readline().rstrip("\r\n")
    if not 0 < len(found) <= LONGEST_PASSWORD:
        raise Trouble(f"give the password, 1 to {LONGEST_PASSWORD} characters, as one line on standard input; or --keep-password")
    return found


def _anchors(certificate: Path | None) -> str | None:
    if certificate is None:
        return None
    try:
        return endpoints.anchors(certificate.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise Trouble(f"{certificate} is no PEM file of certificates; give one") from error


def _account(connection: Connection, login: str) -> int:
    found = connection.execute(select(accounts.c.account_id).where(accounts.c.login == normal_login(login))).scalar()
    if found is None:
        raise Trouble(f"there is no account '{login}'; check the login")
    return int(found)


@push.command("list")
@JSON
@plainly
def list_(json_: bool) -> None:
    """Every endpoint, whether it works, and how many documents wait, were handed over or given up. Exit code 1: one is blocked."""
    with open_store().reading() as connection:
        numbers = counts(connection)
        rows = [_described(row._mapping, numbers.get(row.account_id, {})) for row in endpoints.listed(connection)]
    if json_:
        as_json(rows)
    elif not rows:
        click.echo("No account has an endpoint of its own.")
    else:
        columns = ("account", "url", "state", "failures", "waiting", "done", "given_up", "polled", "last_error")
        table([name.replace("_", " ") for name in columns], [["" if row[name] is None else row[name] for name in columns] for row in rows])
    sys.exit(1 if any(row["state"] == "blocked" for row in rows) else 0)


def _described(row: Any, numbers: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    resting = row["rest_until"] is not None and row["rest_until"] > now
    state = "blocked" if row["blocked_at"] else "inactive" if not row["active"] else "resting" if resting and row["failures"] else "open"
    kept = ("account", "url", "login", "digest", "since", "failures", "rest_until", "blocked_at", "last_ok_at", "last_code", "last_error")
    own = {"state": state, "pinned": row["certificate"] is not None, "waiting": numbers.get("due", 0)}
    return {name: row[name] for name in kept} | own | {name: numbers.get(name, 0) for name in ("done", "given_up", "polled")}


@push.command()
@click.argument("login")
@JSON
@plainly
def test(login: str, json_: bool) -> None:
    """Resolve, judge, connect and shake hands with the endpoint of LOGIN; no document is sent. Exit code 1: it cannot be reached."""
    with open_store().reading() as connection:
        account = _account(connection, login)
        row = next((row for row in endpoints.listed(connection) if row.account_id == account), None)
    if row is None:
        raise Trouble(f"account '{login}' has no endpoint; `brama push set` gives it one")
    settings = Settings()
    http = PushHttp(networks(settings.push_allow), settings.push_seconds)
    found: dict[str, Any] = {"account": row.account, "url": row.url}
    parts = split_url(row.url)
    try:
        found["addresses"] = asyncio.run(http.addresses(parts.hostname or "", port_of(parts)))
        found["connected_to"] = asyncio.run(http.connect(row.url, row.certificate))
    except GatewayError as error:
        found |= {"code": error.code, "error": error.text("en")}
    finally:
        http.close()
    if json_:
        as_json(found)
    else:
        for name, value in found.items():
            click.echo(f"{name:13} {', '.join(value) if isinstance(value, tuple) else value}")
    sys.exit(1 if "error" in found else 0)


@push.command()
@click.argument("login")
@click.option("--again", "again_", is_flag=True, help="Also push once more what was given up and still waits in the mailbox.")
@JSON
@plainly
def unblock(login: str, again_: bool, json_: bool) -> None:
    """Let the endpoint of LOGIN be called again, at once."""
    with open_store().writing() as connection:
        account = _account(connection, login)
        if not endpoints.unblock(connection, account):
            raise Trouble(f"account '{login}' has no endpoint; `brama push set` gives it one")
        number = again(connection, account, datetime.now(UTC)) if again_ else 0
    if json_:
        as_json({"account": normal_login(login), "unblocked": True, "again": number})
    else:
        click.echo(f"Unblocked.{f' Pushed once more: {number}.' if again_ else ''}")


@push.command()
@click.argument("login")
@JSON
@plainly
def remove(login: str, json_: bool) -> None:
    """From now on the documents for LOGIN only wait in the mailbox."""
    with open_store().writing() as connection:
        account = _account(connection, login)
        if done := endpoints.remove(connection, account):
            abandon(connection, account, datetime.now(UTC))
    if json_:
        as_json({"account": normal_login(login), "removed": done})
    else:
        click.echo("Removed." if done else "There was none.")
    sys.exit(0 if done else 1)
