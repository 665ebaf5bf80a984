"""What an operator does to the channel while it runs: emergency mode, new passwords; every process knows within a second."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.faults import EMERGENCY, SECURITY
from tests.acceptance.caller import Caller, post
from tests.acceptance.estate import BRAMA, Estate, until
from tests.soap_requests import next_body


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Estate]:
    """Two server processes."""
    estate = Estate(tmp_path_factory.mktemp("control") / "house", template=template)
    try:
        yield estate.start(processes=2)
    finally:
        estate.stop()


def test_emergency_mode(two: Estate) -> None:
    trader = Caller(two, "trader00")
    first = trader.submit(trader.declare("EMERGENCY-1"))
    until(lambda: two.delivered([first]))
    before = two.books()
    assert two.brama_json("channel", "status")["closed"] is False
    closed = two.brama_json("channel", "close", "--reason-pl", "Awaria sieci, użyj e-mail.", "--reason-en", "Network down, use e-mail.")
    assert (closed["closed"], closed["reading"]) == (True, True)
    time.sleep(1)
    document = trader.declare("EMERGENCY-2")
    for _ in range(8):
        code, string, kind, number, words = trader.post(trader.submission(document)).fault
        assert (code.rpartition("}")[2], string, kind, number) == ("Server", EMERGENCY, "businessErrorFault", "B010")
        assert "Awaria sieci, użyj e-mail." in (words or "")
        assert "Network down, use e-mail." in (words or "")
    assert two.books() == before
    assert trader.submission(document)  # nothing was spent: the same document is taken later
    assert trader.collect("UPP")[0].information("idDokumentuSEAP") == [first], "reading goes on"
    stranger = Caller(two, "nobody", login="nobody@agencja.example")
    assert stranger.post(stranger.submission(document)).fault[1] == SECURITY, "who is not proven does not hear of it"
    status = two.brama("channel", "status", "--json")
    assert status.returncode == 1
    assert json.loads(status.stdout)["reason_en"] == "Network down, use e-mail."
    two.brama_json("channel", "close", "--reason-pl", "Wszystko stoi.", "--reason-en", "All stopped.", "--no-reading")
    time.sleep(1)
    for _ in range(8):
        assert trader.post(trader.envelope(next_body())).fault[3] == "B010"
    assert "brama_channel_closed 1.0" in post(two.url, "/metrics", b"", {}, "GET").body.decode()
    two.brama_json("channel", "open")
    assert "brama_channel_closed 0.0" in post(two.url, "/metrics", b"", {}, "GET").body.decode()
    time.sleep(1)
    trader.submit(document)
    assert two.brama("channel", "status").returncode == 0
    assert [row[0] for row in two.rows("SELECT closed FROM channel_states ORDER BY id")] == [1, 1, 0], "its history stays"


def new_password(estate: Estate, login: str, given: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*BRAMA, "registry", "password", login, "--stdin", *options]
    return subprocess.run(command, env=estate.environment, input=given + "\n", capture_output=True, text=True, check=False, timeout=60)


def test_a_password_is_replaced_with_an_overlap(two: Estate) -> None:
    old = Caller(two, "trader01")
    made = two.brama("registry", "password", old.login, "--overlap", "1h", "--json")
    told = json.loads(made.stdout)
    assert len(told["password"]) == 32
    assert told["old_password_until"]
    new = replace(old, secret=told["password"])
    time.sleep(1)
    for n in range(4):
        assert new.submit(new.declare(f"NEW-{n}"))
        assert old.submit(old.declare(f"OLD-{n}"))
    # without an overlap the ones before end at once; the second before last never comes back
    given = "zażółć gęślą jaźń 2026"
    assert new_password(two, old.login, given).returncode == 0
    newest = replace(old, secret=given)
    time.sleep(1)
    assert newest.submit(newest.declare("NEWEST-1"))
    assert {reply.fault[1] for reply in (old.send(b"<x/>"), new.send(b"<x/>"))} == {SECURITY}
    # an overlap ends by itself
    assert new_password(two, old.login, given + "!", "--overlap", "4s").returncode == 0
    time.sleep(1)
    assert newest.submit(newest.declare("NEWEST-2"))
    until(lambda: newest.send(b"<x/>").fault[1] == SECURITY, 8, "the overlap's end")
    # neither logs, tables nor further output have any of them
    shown = two.brama("registry", "show", old.login, "--json").stdout
    database = (two.home / "brama.db").read_bytes() + (two.home / "brama.db-wal").read_bytes()
    for secret in (old.secret, told["password"], given, given + "!"):
        assert secret not in two.log("serve") + shown
        assert secret.encode() not in database


@pytest.mark.parametrize(
    ("login", "given", "options", "says"),
    [
        ("nobody@agencja.example", "long enough for it", (), "no account"),
        ("trader00@agencja.example", "short", (), "5 characters"),
        ("trader00@agencja.example", "", (), "0 characters"),
        ("trader00@agencja.example", "with a\ttab inside", (), "control"),
        ("trader00@agencja.example", "long enough for it", ("--overlap", "soon"), "30m"),
        ("trader00@agencja.example", "long enough for it", ("--overlap", "-1"), "30m"),
    ],
)
def test_passwords_that_cannot_be(own: Callable[..., Estate], login: str, given: str, options: tuple[str, ...], says: str) -> None:
    estate = own()
    done = new_password(estate, login, given, *options)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not given or given not in done.stderr + done.stdout
