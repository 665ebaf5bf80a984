"""Whose address counts when a call came through a proxy: nobody's word but that of a proxy the operator named."""

from __future__ import annotations

from collections.abc import Callable

from gateway.faults import SECURITY
from tests.acceptance.caller import XML, Caller, post
from tests.acceptance.estate import Estate


def through(caller: Caller, address: str, password: str) -> str:
    """What a call hears that says to come from `address`: a fault's string, or nothing."""
    call = caller.envelope(f'<GetNextDocumentRequest xmlns="{PULL}"/>', token=caller.token(password=password))
    reply = caller.post(call, {**XML, "X-Forwarded-For": address})
    return "" if reply.status == 200 else reply.fault[1]


PULL = "http://www.mf.gov.pl/uslugiBiznesowe/WsPull/Usluga/2014/01_v2_0"


def test_without_a_named_proxy_everybody_is_who_connects(own: Callable[..., Estate]) -> None:
    estate = own(token_failures=2).start()
    trader = Caller(estate, "trader00")
    for number in range(2):
        assert through(trader, f"192.0.2.{number}", "guess") == SECURITY
    assert through(trader, "192.0.2.77", trader.secret) == SECURITY, "a made-up address lets no guesser through"
    assert through(Caller(estate, "trader01"), "192.0.2.1", Caller(estate, "trader01").secret) == ""
    assert post(estate.url, "/metrics", b"", {"X-Forwarded-For": "127.0.0.1"}, "GET").status == 404, "a proxy asks for somebody else"
    assert post(estate.url, "/metrics", b"", {}, "GET").status == 200


def test_behind_a_named_proxy_each_sender_has_his_own_address(own: Callable[..., Estate]) -> None:
    estate = own(token_failures=2, trusted_proxies="127.0.0.0/8").start()
    trader = Caller(estate, "trader00")
    for _ in range(2):
        assert through(trader, "192.0.2.1", "guess") == SECURITY
    assert through(trader, "192.0.2.1", trader.secret) == SECURITY
    assert through(trader, "192.0.2.1, 127.0.0.1", trader.secret) == SECURITY, "proxies in a row"
    assert through(trader, "192.0.2.2, 192.0.2.1", trader.secret) == SECURITY, "what the sender himself wrote does not count"
    assert through(trader, "192.0.2.2", trader.secret) == ""
    assert "192.0.2.1" in estate.log("serve"), "the security log names the guesser"
    assert post(estate.url, "/metrics", b"", {"X-Forwarded-For": "192.0.2.2"}, "GET").status == 404
    assert estate.brama("doctor").returncode in (0, 1)


def test_a_proxy_that_is_none_is_told(own: Callable[..., Estate]) -> None:
    done = own(trusted_proxies="loadbalancer").brama("channel", "status")
    assert done.returncode == 2
    assert "BRAMA_TRUSTED_PROXIES" in done.stderr
    assert "neither an IP address nor a network" in done.stderr
