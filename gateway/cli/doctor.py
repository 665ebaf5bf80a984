"""`brama doctor`: names each misconfiguration and its cure."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import click
from lxml import etree
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from adapters.profiles import Profiles
from gateway.bootstrap import load_profiles, system_secret
from gateway.cli.output import as_json
from gateway.cli.trouble import settings_problems
from gateway.database import open_engine
from gateway.errors import GatewayError
from gateway.migrations import current, newest
from gateway.profile import SystemProfile
from gateway.security.certificates import load_anchors
from gateway.security.keys import load_seal, load_secrets
from gateway.settings import Settings, unknown_variables
from schemas.shipped import shipped_editions

ROOM = 1024 * 1024 * 1024  # bytes that should be free for the store
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `cure` says what to change; empty when all is well."""

    what: str
    ok: bool
    detail: str
    cure: str = ""


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def doctor(json_: bool) -> None:
    """Look at settings, keys, database, profiles and connections. Exit code 0: all well; 1: something to mend."""
    findings = list(_examine())
    if json_:
        as_json([asdict(f) for f in findings])
    else:
        for finding in findings:
            click.secho("ok   " if finding.ok else "MEND ", fg="green" if finding.ok else "red", nl=False)
            click.echo(f"{finding.what}: {finding.detail}")
            if finding.cure:
                click.echo(f"     -> {finding.cure}")
    sys.exit(0 if all(f.ok for f in findings) else 1)


def _examine() -> Iterator[Finding]:
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in settings_problems(error):
            yield Finding("settings", False, problem, "correct the variable or the file brama.toml in BRAMA_HOME")
        return
    unknown = unknown_variables(os.environ)
    if unknown:
        yield Finding(
            "variables", False, f"{', '.join(unknown)}: no such setting", "correct the name or unset it; it changes nothing as it is"
        )
    yield Finding("settings", True, f"data folder {settings.home.absolute()}, listening on {settings.listen}")
    yield from _libraries()
    yield from _room(settings.home)
    yield from _database(settings)
    yield from _keys(settings)
    yield _tried("schemas", lambda: f"{len(shipped_editions())} editions shipped", "reinstall Brama: its package is damaged")
    yield from _systems(settings)
    yield from _port(settings)


def _tried(what: str, look: Callable[[], str], cure: str) -> Finding:
    try:
        return Finding(what, True, look())
    except GatewayError as error:
        return Finding(what, False, error.text("en"), cure)


def _libraries() -> Iterator[Finding]:
    ok = sqlite3.sqlite_version_info >= (3, 35)
    yield Finding("sqlite", ok, sqlite3.sqlite_version, "" if ok else "use a Python with SQLite 3.35 or newer")
    yield Finding("libxml2", True, ".".join(map(str, etree.LIBXML_VERSION)))


def _room(home: Path) -> Iterator[Finding]:
    place = next(p for p in (home.absolute(), *home.absolute().parents) if p.exists())
    if not os.access(place, os.W_OK):
        yield Finding("data folder", False, f"{place} cannot be written", "choose another BRAMA_HOME or give this user the right to write")
        return
    free = shutil.disk_usage(place).free
    cure = "" if free > ROOM else "free space or move BRAMA_HOME: when the disk is full nothing is accepted"
    yield Finding("disk", free > ROOM, f"{free // (1024 * 1024)} MB free at {place}", cure)


def _database(settings: Settings) -> Iterator[Finding]:
    path = settings.database.removeprefix("sqlite:///")
    if not Path(path).exists():
        yield Finding("database", False, f"{path} does not exist", "run `brama init` (a server makes it too when it starts)")
        return
    try:
        revision = current(open_engine(settings.database))
    except SQLAlchemyError as error:
        yield Finding("database", False, f"{type(error).__name__}", f"is {path} a Brama database, and may this user write it?")
        return
    ok = revision == newest()
    yield Finding(
        "database", ok, f"revision {revision}", "" if ok else f"this code needs {newest()}: start `brama serve` or run `brama init`"
    )


def _keys(settings: Settings) -> Iterator[Finding]:
    cure = f"run `brama init` for development keys, or put your own into {settings.keys}"
    yield _tried("seal", lambda: _valid(settings), cure)
    yield _tried("trust anchors", lambda: f"{len(load_anchors([settings.keys / 'trust']))} certificates", cure)
    yield _tried("secrets key", lambda: "readable by this user alone" if load_secrets(settings.keys) else "", cure)


def _valid(settings: Settings) -> str:
    _, certificate = load_seal(settings.keys)
    end = certificate.not_valid_after_utc
    left = end - datetime.now(UTC)
    if left < timedelta(0):
        raise GatewayError("certificate.expired", subject=certificate.subject.rfc4514_string(), date=end.date())
    soon = f"; renew it, {left.days} days are left" if left < SOON else ""
    return f"{certificate.subject.rfc4514_string()}, valid until {end:%Y-%m-%d}{soon}"


def _systems(settings: Settings) -> Iterator[Finding]:
    try:
        profiles: Profiles = load_profiles(settings)
    except GatewayError as error:
        yield Finding("profiles", False, error.text("en"), "correct the profile; `BRAMA_PROFILES` names its folder")
        return
    for profile in profiles:
        address = settings.systems.get(profile.transport["url_setting"])
        variable = f"BRAMA_SYSTEMS__{profile.transport['url_setting'].upper()}"
        if address is None:
            cure = f"set {variable}; until then what is accepted for {profile.system} becomes a dead letter"
            yield Finding(f"system {profile.system}", False, "has no address", cure)
            continue
        cure = "put one random line of 32 characters or more, shared with the system, into the secret file"
        yield _tried(f"system {profile.system}", partial(_connection, settings, profile), cure)


def _connection(settings: Settings, profile: SystemProfile) -> str:
    return f"{settings.systems[profile.transport['url_setting']]}, {len(system_secret(settings, profile).values)} secret(s)"


def _port(settings: Settings) -> Iterator[Finding]:
    host, port = settings.address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if _is_brama(host, port):
                yield Finding("port", True, f"{settings.listen}: `brama serve` runs there")
            else:
                yield Finding("port", False, f"{settings.listen}: {error.strerror}, and not by Brama", "set BRAMA_LISTEN")
        else:
            yield Finding("port", True, f"{settings.listen} is free")


def _is_brama(host: str, port: int) -> bool:
    """Whether who listens there answers as `brama serve` does."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().read(100).strip() == b"alive"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
