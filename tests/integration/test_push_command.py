"""`brama push ...` as an operator types it, and endpoints in the registry file."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from gateway.channels.tables import pushes
from gateway.cli import main
from gateway.cli.opening import open_store
from gateway.security.keys import initialise
from registry.tables import push_endpoints
from tests.registry_setting import ANNA, REGISTER
from tests.unit.test_pushes import queue
from tests.walk import put as record

SECRET = "hasło-do-punktu"
URL = "https://edi.example/seap"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAMA_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("BRAMA_PUSH_ALLOW", "127.0.0.0/8")
    initialise(tmp_path / "var" / "keys")
    (tmp_path / "register.yaml").write_text(REGISTER, encoding="utf-8")
    assert brama("registry", "import", str(tmp_path / "register.yaml")).exit_code == 0
    return tmp_path


def brama(*words: str, given: str = "") -> Result:
    done = CliRunner().invoke(main, [*words], input=given, catch_exceptions=False)
    assert SECRET not in done.stdout + done.stderr, "a password is never printed"
    return done


def put(url: str = URL, *options: str, login: str = ANNA, secret: str = SECRET) -> Result:
    return brama("push", "set", login, url, "--as", "brama", *options, given=f"{secret}\n")


def listed() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(brama("push", "list", "--json").stdout)
    return found


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_set_list_and_remove(home: Path) -> None:
    assert listed() == []
    added = put(URL, "--json", login=ANNA.upper())
    assert json.loads(added.stdout) == {"account": ANNA, "url": URL, "endpoint": "added"}
    (row,) = listed()
    assert (row["account"], row["url"], row["login"], row["digest"], row["state"], row["pinned"]) == (
        ANNA,
        URL,
        "brama",
        "b",
        "open",
        False,
    )
    assert (row["waiting"], row["done"], row["given_up"], row["failures"]) == (0, 0, 0, 0)
    assert ANNA in brama("push", "list").stdout
    assert json.loads(put(URL, "--json").stdout)["endpoint"] == "unchanged"
    assert json.loads(put(URL, "--json", secret="another").stdout)["endpoint"] == "changed"
    kept = put("https://other.example/", "--keep-password", "--digest", "a", "--json")
    assert json.loads(kept.stdout)["endpoint"] == "changed"
    assert [(r["url"], r["digest"]) for r in listed()] == [("https://other.example/", "a")]
    assert json.loads(brama("push", "remove", ANNA, "--json").stdout) == {"account": ANNA, "removed": True}
    assert brama("push", "remove", ANNA).exit_code == 1
    assert listed() == []


def test_the_password_is_nowhere_in_the_data_folder(home: Path) -> None:
    put()
    files = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.name == "brama.db" for file in files)
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://edi.example/", "https://"),
        ("https://user:pw@edi.example/", "password"),
        ("https://edi.example:25/", "port 25"),
        ("edi.example", "https://"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_with_a_sentence(home: Path, url: str, words: str) -> None:
    done = put(url)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert listed() == []


def test_what_else_is_missing_or_wrong_is_said(home: Path) -> None:
    assert "check the login" in put(login="nobody@example.pl").stderr
    assert "standard input" in put(secret="").stderr
    assert "needs the password" in put(URL, "--keep-password").stderr
    (home / "no.pem").write_text("no certificate")
    assert "no PEM" in put(URL, "--certificate", str(home / "no.pem")).stderr
    (home / "var/keys/secrets.key").unlink()
    assert put().exit_code == 2
    for command in ("test", "unblock"):
        assert "has no endpoint" in brama("push", command, ANNA).stderr
    assert listed() == []


def test_a_pinned_certificate_is_kept(home: Path) -> None:
    put(URL, "--certificate", str(home / "var/keys/seal.pem"))
    assert listed()[0]["pinned"] is True


def test_unblock_says_how_many_are_pushed_once_more(home: Path) -> None:
    put()
    assert json.loads(brama("push", "unblock", ANNA, "--json").stdout) == {"account": ANNA, "unblocked": True, "again": 0}
    assert "Pushed once more: 0" in brama("push", "unblock", ANNA, "--again").stdout


def test_a_look_connects_or_says_why_not(home: Path, listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    put(f"http://127.0.0.1:{listener}/seap")
    looked = brama("push", "test", ANNA, "--json")
    assert looked.exit_code == 0
    assert json.loads(looked.stdout)["connected_to"] == "127.0.0.1"
    monkeypatch.delenv("BRAMA_PUSH_ALLOW")
    refused = brama("push", "test", ANNA, "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["code"] == "push.address"
    assert "loopback" in brama("push", "test", ANNA).stdout


def test_a_setting_that_is_no_network_ends_a_command_with_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAMA_PUSH_ALLOW", "everything")
    done = brama("push", "list")
    assert done.exit_code == 2
    assert "BRAMA_PUSH_ALLOW" in done.stderr


def write(home: Path, push: str) -> Path:
    file = home / "more.yaml"
    person = "persons: [{idSISC: '80010112340000000', given_names: Anna, family_name: Przykładowa, "
    file.write_text(f"{person}accounts: [{{login: {ANNA}, push: {push}}}]}}]", encoding="utf-8")
    return file


def test_an_endpoint_may_stand_in_the_registry_file(home: Path) -> None:
    full = f"{{url: '{URL}', login: brama, password: {SECRET}, digest: a, certificate: var/keys/seal.pem}}"
    done = brama("registry", "import", str(write(home, full)), "--json")
    assert done.exit_code == 0, done.stdout
    assert json.loads(done.stdout)["added"] == {"push_endpoints": 1}
    (row,) = listed()
    assert (row["url"], row["digest"], row["pinned"]) == (URL, "a", True)
    again = brama("registry", "import", str(write(home, full)), "--json")
    assert json.loads(again.stdout)["changed"] == {}
    moved = f"{{url: '{URL}/2', login: brama}}"
    assert json.loads(brama("registry", "import", str(write(home, moved)), "--json").stdout)["changed"] == {"push_endpoints": 1}
    assert listed()[0]["url"] == f"{URL}/2"
    brama("registry", "import", str(home / "register.yaml"))
    assert listed()[0]["url"] == f"{URL}/2", "what a file does not mention stays"


@pytest.mark.parametrize(
    ("push", "place"),
    [
        ("{url: 'gopher://edi.example', login: brama, password: x}", "push.url"),
        ("{login: brama, password: x}", "push.url"),
        ("{url: 'https://edi.example', password: x}", "push.login"),
        ("{url: 'https://edi.example', login: brama}", "push.password"),
        ("{url: 'https://edi.example', login: brama, password: x, digest: c}", "push.digest"),
        ("{url: 'https://edi.example', login: brama, password: x, certificate: none.pem}", "push.certificate"),
        ("{url: 'https://edi.example', login: brama, password: x, proxy: y}", "push.proxy"),
    ],
)
def test_what_is_wrong_there_is_named_with_its_place(home: Path, push: str, place: str) -> None:
    done = brama("registry", "import", str(write(home, push)), "--json")
    assert done.exit_code == 1
    problems = json.loads(done.stdout)["problems"]
    assert [problem["place"] for problem in problems] == [f"persons[0].accounts[0].{place}"]
    assert listed() == []


def test_what_was_due_for_a_removed_endpoint_is_due_no_more(home: Path) -> None:
    """Or the metric would count it for ever."""
    put()
    database, at = open_store(), datetime.now(UTC) + timedelta(seconds=1)
    with database.reading() as connection:
        account = connection.execute(select(push_endpoints.c.account_id)).scalar_one()
    record(database, b"<a/>", account=account, at=at, generation=1)
    assert queue(database).find(at) == 1
    brama("push", "remove", ANNA)
    with database.reading() as connection:
        assert connection.execute(select(pushes.c.state)).scalars().all() == ["given_up"]


def test_a_login_that_no_envelope_can_carry_is_refused(home: Path) -> None:
    """Taken, it would fail every call until the endpoint is blocked, and nothing would say why."""
    refused = brama("push", "set", ANNA, URL, "--as", "br\x01ama", given=f"{SECRET}\n")
    assert (refused.exit_code, listed()) == (2, [])
    file = home / "endpoint.yaml"
    push = f'push: {{url: "{URL}", login: "br\\x01ama", password: "{SECRET}"}}'
    person = (
        f'- idSISC: "80010112340000000"\n    given_names: A\n    family_name: B\n    accounts:\n      - login: {ANNA}\n        {push}\n'
    )
    file.write_text(f"persons:\n  {person}", encoding="utf-8")
    refused = brama("registry", "import", str(file))
    assert "accounts[0].push.login" in refused.stderr
    assert (refused.exit_code, listed()) == (1, [])
