"""Replacing a channel password: the old one may go on counting for a while, so that software can be changed over at leisure."""

from __future__ import annotations

import re
import secrets as random
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from gateway.database import bump
from registry.accounts import Secrets, former_secret_about, normal_login, secret_about
from registry.tables import accounts

SHORTEST, LONGEST = 12, 200
_DURATION = re.compile(r"(\d{1,6})\s*([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def made_up() -> str:
    """A password of 192 random bits, in letters, digits, `-` and `_`."""
    return random.token_urlsafe(24)


def trouble_with(password: str) -> str | None:
    """Why this cannot be a channel password, or None."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"it has {len(password)} characters, {SHORTEST} to {LONGEST} are allowed"
    return None if password.isprintable() else "it has control characters"


def read_duration(text: str) -> timedelta:
    """`90`, `30m`, `12h` or `7d`. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError("write a number of seconds, or 30m, 12h, 7d")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def replace_password(
    connection: Connection, secrets: Secrets, login: str, password: str, at: datetime, overlap: timedelta
) -> datetime | None:
    """Set the channel password of `login`. The one it replaces counts until `at` + `overlap`, and none before that one.

    Gives the instant up to which the old one counts; None when it counts no longer. Takes effect with the caller's commit,
    on all nodes. Raises LookupError for an unknown login.
    """
    own = accounts.c.login == normal_login(login)
    row = connection.execute(select(accounts.c.channel_secret).where(own)).one_or_none()
    if row is None:
        raise LookupError(login)
    former, until = None, None
    if row.channel_secret is not None and overlap > timedelta(0):
        until = at + overlap
        former = secrets.encrypt(secrets.decrypt(row.channel_secret, secret_about(login)), former_secret_about(login))
    values = {"channel_secret": secrets.encrypt(password.encode(), secret_about(login)), "former_secret": former, "former_until": until}
    connection.execute(update(accounts).where(own).values(values))
    bump(connection, "registry")
    return until
