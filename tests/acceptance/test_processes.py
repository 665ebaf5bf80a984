"""Fixed name of the issue: `brama serve --processes N` (reuse-port). And rights withdrawn count at once on every process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from gateway.demo.people import AGENCY
from tests.acceptance.caller import Caller
from tests.acceptance.estate import Estate, until


def test_one_of_two_processes_is_killed_and_nobody_notices(own: Callable[..., Estate]) -> None:
    estate = own().start(processes=2)
    trader = Caller(estate, "trader00")
    before = until(lambda: len(found := estate.children("serve")) == 2 and found, what="two processes")
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: estate.listening() == 1, what="its end")
    document = trader.declare("TWO-1")
    assert len({trader.submit(document) for _ in range(30)}) == 1, "every new connection reaches the one that is left"
    after = until(lambda: len(found := estate.children("serve")) == 2 and victim not in found and found, what="the third process")
    until(lambda: estate.listening() == 2, what="its start")
    assert before - {victim} <= after
    assert "server_died" in estate.log("serve")
    trader.collect("CC029C")
    estate.started["serve"].terminate()
    assert estate.started.pop("serve").wait(20) == 0
    assert not estate.listening()
    assert not any(Path(f"/proc/{pid}").exists() for pid in after), "the supervisor takes its servers with it"


def test_rights_withdrawn_between_two_submissions_count_at_once_on_every_process(own: Callable[..., Estate]) -> None:
    estate = own().start(processes=2)
    trader, other = Caller(estate, "trader00"), Caller(estate, "trader01")
    accepted = [trader.submit(trader.declare(f"RIGHT-{n}")) for n in range(12)]  # both processes have decided for him
    assert estate.rows("SELECT DISTINCT state FROM messages") == [("accepted",)]
    shown = estate.brama_json("registry", "show", trader.login)
    link = next(r["representation_id"] for r in shown["representations"] if r["principal_idSISC"] == AGENCY.id_sisc)
    ended = estate.brama("registry", "end-representation", str(link), "--json")
    assert ended.returncode == 0, ended.stderr
    refused = [trader.submit(trader.declare(f"WRONG-{n}")) for n in range(24)]
    codes = dict(estate.rows("SELECT sys_ref, code FROM messages"))
    assert {codes[sys_ref] for sys_ref in refused} == {"authorize.representation_ended"}
    until(lambda: estate.delivered(accepted), what="the delivery of what was accepted before")
    assert {e["request_id"] for e in estate.control("log")["arrivals"]} == set(accepted)
    kept = other.submit(other.declare("RIGHT-OTHER"))
    assert estate.rows("SELECT state FROM messages WHERE sys_ref = ?", kept) == [("accepted",)], "others keep theirs"


def test_a_second_gateway_is_not_let_in_beside_the_first(own: Callable[..., Estate]) -> None:
    """The kernel would share the port between them, and the second would take a part of the first one's calls."""
    estate = own().start(processes=2)
    second = estate.brama("serve", "--processes", "1")
    assert second.returncode == 1
    assert second.stderr == f"Error: cannot listen on 127.0.0.1:{estate.port} (Address already in use): set BRAMA_LISTEN\n"
    assert estate.listening() == 2
    (port,) = [found for found in estate.brama_json("doctor") if found["what"] == "port"]
    assert port["ok"]
    assert "runs there" in port["detail"]


def test_without_words_nothing_is_closed_or_discarded(own: Callable[..., Estate]) -> None:
    estate = own().start()
    closing = estate.brama("channel", "close", "--reason-pl", " ", "--reason-en", "")
    assert (closing.returncode, "write a few words" in closing.stderr) == (2, True)
    assert not estate.brama_json("channel", "status")["closed"]
    discarding = estate.brama("dead-letters", "discard", "1", "--why", "")
    assert (discarding.returncode, "write a few words" in discarding.stderr) == (2, True)
