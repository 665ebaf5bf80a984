"""Accounts for the doors: found by login, with the encrypted channel password.

The password must be recoverable: digest variant (b) of the token needs Base64(SHA1(password)), variant (a) the password.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Engine

from gateway.database import generation
from registry.authorize import GenerationWatch
from registry.tables import accounts

LONGEST_LOGIN = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets


class Secrets(Protocol):
    """Encrypts what must be read again. `about` names what the secret belongs to and must be the same both times, so that
    a ciphertext moved to another row does not decrypt."""

    def encrypt(self, plain: bytes, about: str) -> bytes: ...

    def decrypt(self, cipher: bytes, about: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Account:
    """A trader's login at the doors; `person_id` is None when no person is bound to it."""

    account_id: int
    login: str
    active: bool
    person_id: int | None
    secret_ciphertext: bytes | None = field(repr=False)
    former_ciphertext: bytes | None = field(default=None, repr=False)
    former_until: datetime | None = None


FIND = select(
    accounts.c.account_id,
    accounts.c.login,
    accounts.c.active,
    accounts.c.person_id,
    accounts.c.channel_secret,
    accounts.c.former_secret,
    accounts.c.former_until,
).where(accounts.c.login == bindparam("login"))


def normal_login(login: str) -> str:
    """The login as it is stored: an e-mail address in lower case."""
    return login.strip().lower()


def secret_about(login: str) -> str:
    """The `about` under which the channel password of this account is encrypted."""
    return f"account:{normal_login(login)}"


def former_secret_about(login: str) -> str:
    """The same for the password before it."""
    return f"former:{normal_login(login)}"


def channel_password(account: Account, secrets: Secrets) -> bytes | None:
    """The channel password in clear, UTF-8; None when the account has none. Never log it."""
    if account.secret_ciphertext is None:
        return None
    return secrets.decrypt(account.secret_ciphertext, secret_about(account.login))


def former_password(account: Account, secrets: Secrets, at: datetime) -> bytes | None:
    """The password that was replaced, in clear, while it still counts at `at`; else None. Never log it."""
    if account.former_ciphertext is None or account.former_until is None or account.former_until <= at:
        return None
    return secrets.decrypt(account.former_ciphertext, former_secret_about(account.login))


class Accounts:
    """Finds accounts, remembering answers while the registry's generation stays. May be shared by threads."""

    def __init__(self, engine: Engine, max_age: float = 0.5, size: int = 20_000) -> None:
        """`max_age`: seconds for which the generation is taken as read. `size`: how many answers are remembered."""
        self._engine = engine
        self._watch = GenerationWatch(engine, max_age)
        self._size = size
        self._remembered: dict[str, tuple[int, Account | None]] = {}
        self._lock = threading.Lock()

    def find(self, login: str, *, fresh: bool = False) -> Account | None:
        """The account with this login (in any case of letters), or None; `fresh` passes the cache by. Raises SQLAlchemyError."""
        login = normal_login(login)
        if len(login) > LONGEST_LOGIN:
            return None
        number = self._watch.number(fresh)
        known = self._remembered.get(login)
        if known is not None and known[0] == number and not fresh:
            return known[1]
        with self._engine.connect() as connection:
            read_at = generation(connection, "registry")
            row = connection.execute(FIND, {"login": login}).one_or_none()
        account = None if row is None else Account(*row)
        with self._lock:
            self._remembered.pop(login, None)
            while len(self._remembered) >= self._size:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[login] = (read_at, account)
        return account
