"""Accounts at the door with the registry and the key folder behind them: as many decryptions for everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from gateway.bootstrap import ChannelAccounts
from gateway.database import Database
from gateway.endpoints.soap.token import UsernameToken, prove
from gateway.errors import Failed, Rejected
from gateway.security.keys import Secrets
from registry.accounts import Accounts, former_secret_about, secret_about
from registry.passwords import made_up, read_duration, replace_password, trouble_with
from registry.tables import accounts
from tests.soap_requests import Token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
LOGINS = ("one@firma.example", "two@firma.example", "off@firma.example", "none@firma.example")


class Counting(Secrets):
    """Remembers how often it was asked to decrypt."""

    decryptions = 0

    def decrypt(self, encrypted: bytes, purpose: str) -> bytes:
        self.decryptions += 1
        return super().decrypt(encrypted, purpose)


@pytest.fixture
def secrets() -> Counting:
    return Counting(b"k" * 32)


@pytest.fixture
def known(database: Database, secrets: Counting) -> ChannelAccounts:
    with database.writing() as connection:
        for login in LOGINS:
            cipher = None if login.startswith("none") else secrets.encrypt(b"the first password", secret_about(login))
            connection.execute(insert(accounts).values(login=login, active=not login.startswith("off"), channel_secret=cipher))
        replace_password(connection, secrets, "two@firma.example", "the second password", NOW, timedelta(hours=1))
    return ChannelAccounts(Accounts(database.engine, max_age=0), secrets)


def token(login: str, password: str) -> UsernameToken:
    made = Token(login=login, password=password)
    return UsernameToken(login, made.digest(made.nonce, made.created, password).encode(), made.nonce, made.created)


@pytest.mark.parametrize("password", ["the first password", "the second password", "a wrong one"])
@pytest.mark.parametrize("login", [*LOGINS, "nobody@firma.example"])
def test_everybody_costs_the_same_work(known: ChannelAccounts, secrets: Counting, login: str, password: str) -> None:
    passes = {("one@firma.example", "the first password"), *(("two@firma.example", f"the {n} password") for n in ("first", "second"))}
    secrets.decryptions = 0
    if (login, password) in passes:
        assert prove(token(login, password), known, NOW, WINDOW).caller.login == login
    else:
        with pytest.raises(Rejected, match=r"token\.refused"):
            prove(token(login, password), known, NOW, WINDOW)
    assert secrets.decryptions == 2 or login.startswith("none")


def test_an_overlap_ends_by_itself(known: ChannelAccounts) -> None:
    last = NOW + timedelta(minutes=59, seconds=59)
    old = known.find("two@firma.example")
    assert old.former_password(last) == b"the first password"
    assert old.former_password(last + timedelta(seconds=1)) is None


def test_only_the_last_one_overlaps(database: Database, known: ChannelAccounts, secrets: Counting) -> None:
    with database.writing() as connection:
        until = replace_password(connection, secrets, "TWO@firma.example", "the third password", NOW, timedelta(hours=1))
    assert until == NOW + timedelta(hours=1)
    account = known.find("two@firma.example")
    assert (account.password(), account.former_password(NOW)) == (b"the third password", b"the second password")
    with database.writing() as connection:
        assert replace_password(connection, secrets, "two@firma.example", "the fourth password", NOW, timedelta(0)) is None
    account = known.find("two@firma.example")
    assert (account.password(), account.former_password(NOW)) == (b"the fourth password", None)


def test_a_ciphertext_moved_to_another_place_opens_nothing(secrets: Counting) -> None:
    cipher = secrets.encrypt(b"the first password", secret_about("one@firma.example"))
    for place in (former_secret_about("one@firma.example"), secret_about("two@firma.example")):
        with pytest.raises(Failed):
            secrets.decrypt(cipher, place)


def test_an_unknown_login_is_said_to_be_unknown(database: Database, secrets: Counting) -> None:
    with pytest.raises(LookupError), database.writing() as connection:
        replace_password(connection, secrets, "nobody@firma.example", "the third password", NOW, timedelta(0))


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90", 90), ("30m", 1800), ("12h", 43_200), (" 7d ", 604_800)])
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "-1", "1.5h", "7w", "h", "1h30m", "٣", "9999999d"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="30m"):
        read_duration(text)


def test_made_up_passwords_are_long_and_never_the_same() -> None:
    made = {made_up() for _ in range(100)}
    assert len(made) == 100
    assert not any(trouble_with(password) for password in made)
    assert min(map(len, made)) == 32
