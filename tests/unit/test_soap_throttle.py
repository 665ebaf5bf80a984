"""Throttling: who guesses is held back and cannot tell; who is guessed at is not locked out; all of it in bounded memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.endpoints.soap import throttle as module
from gateway.endpoints.soap.patience import Patience
from gateway.endpoints.soap.throttle import Buckets, Throttle, network
from gateway.errors import Deferred
from gateway.faults import BUSY, SECURITY
from tests.soap_requests import LOGIN, Gate, Token, accept_body, addressing, ago, envelope, security, told

REFUSED = ("{http://ws.apache.org/wss4j}SecurityError", SECURITY, None, None, None)
THERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Ticking:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


def gate(clock: Ticking, **settings: Any) -> Gate:
    made = Gate(**({"token_failures": 3, "failure_window": 30} | settings))
    made.door._throttle._clock = clock
    return made


def call(gate: Gate, token: Token | None = None, address: str = THERE) -> Any:
    headers = addressing() + security((token or Token()).xml())
    sent = {"content-type": "text/xml"}
    return asyncio.run(gate.door.handle("POST", "", sent, envelope(accept_body(), headers), address))


def guess(gate: Gate, times: int, address: str = THERE, login: str = LOGIN) -> None:
    for number in range(times):
        assert told(call(gate, Token(login=login, password=f"guess {number}"), address)) == REFUSED


def test_after_too_many_wrong_proofs_the_right_one_gets_the_same_answer(clock: Ticking) -> None:
    here = gate(clock)
    guess(here, 3)
    assert told(call(here)) == REFUSED
    assert here.untouched()


def test_two_wrong_proofs_hurt_nobody(clock: Ticking) -> None:
    here = gate(clock)
    guess(here, 2)
    assert call(here).status == 200
    guess(here, 2)  # the right one wiped the slate
    assert call(here).status == 200


def test_who_is_guessed_at_is_not_locked_out(clock: Ticking) -> None:
    here = gate(clock)
    guess(here, 50)
    assert call(here, address=ELSEWHERE).status == 200


def test_a_corrected_password_is_taken_once_the_count_has_run_down_by_one(clock: Ticking) -> None:
    here = gate(clock)
    guess(here, 20)  # polling with the wrong password: what is held back is not counted again
    clock.at += 9.9
    assert told(call(here)) == REFUSED
    clock.at += 0.2
    assert call(here).status == 200
    assert call(here).status == 200


def test_writing_the_login_in_other_letters_is_no_way_round(clock: Ticking) -> None:
    here = gate(clock)
    here.accounts[LOGIN.upper()] = here.accounts[LOGIN]
    guess(here, 3)
    assert told(call(here, Token(login=LOGIN.upper()))) == REFUSED


def test_t15_spraying_many_logins_from_one_address_is_held_back(clock: Ticking) -> None:
    here = gate(clock)
    for number in range(15):
        guess(here, 1, login=f"somebody{number}@firma.example")
    assert told(call(here)) == REFUSED
    assert call(here, address=ELSEWHERE).status == 200


def test_a_neighbour_who_sprays_does_not_stop_who_has_proven_himself_there(clock: Ticking) -> None:
    here = gate(clock)
    assert call(here).status == 200
    for number in range(40):
        guess(here, 1, login=f"somebody{number}@firma.example")
    assert call(here).status == 200
    assert told(call(here, Token(login="jan@firma.example", password="inne"))) == REFUSED, "he was never seen there"
    clock.at += module.KNOWN_SECONDS
    for number in range(40):
        guess(here, 1, login=f"somebody{number}@firma.example")
    assert told(call(here)) == REFUSED, "a day later he is a stranger again"


def test_a_stale_clock_is_no_guess(clock: Ticking) -> None:
    here = gate(clock)
    for _ in range(10):
        assert told(call(here, Token(created=ago(seconds=301)))) == REFUSED
        assert told(call(here, Token(nonce=b"1"))) == REFUSED
    assert call(here).status == 200


def test_one_answer_and_one_amount_of_work_held_back_or_not(clock: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.endpoints.soap import token

    digests: list[int] = []
    original = token._base64_sha1
    monkeypatch.setattr(token, "_base64_sha1", lambda data: digests.append(1) or original(data))
    here = gate(clock)
    guess(here, 1)
    work = len(digests)
    guess(here, 2)
    digests.clear()
    guess(here, 1)
    assert len(digests) == work > 0
    for made in (Token(), Token(login="nikt@nigdzie.example")):
        digests.clear()
        call(here, made)
        assert len(digests) == work


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::9", "2001:0db8:0001:0002"),
        ("unix:", "unix:"),
        ("x" * 30_000, "x" * 45),
        (":" * 30_000, ":" * 45),
        ("::ffff:" + "1." * 10_000, "1." * 22 + "1"),
        ("", ""),
    ],
)
def test_an_ipv6_sender_owns_a_whole_network(address: str, kept: str) -> None:
    assert network(address) == kept


def test_the_tables_never_grow_beyond_their_size() -> None:
    buckets = Buckets(3, 30, size=100)
    for number in range(10_000):
        buckets.add(number, 1.0)
    assert len(buckets) == 100
    assert not buckets.full(0, 1.0)
    held = Throttle(failures=1, window=30, calls_per_second=10, calls_at_once=2)
    for number in range(module.SIZE + 10):
        held.failed(f"l{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        held.proven(f"k{number}", "10.0.0.1")
    assert len(held._pairs) == len(held._addresses) == len(held._known) == module.SIZE


# --- proven accounts ----------------------------------------------------------------------------------------------------


def test_calls_per_second_of_one_account(clock: Ticking) -> None:
    here = gate(clock, calls_per_second=2)
    for _ in range(4):  # two seconds' worth at once
        assert call(here).status == 200
    late = call(here)
    assert told(late)[1:4] == (BUSY, "techErrorFault", "E011")
    assert late.headers["Retry-After"] == "1"
    assert call(here, Token(login="jan@firma.example", password="inne")).status == 200, "others are not touched"
    clock.at += 0.5
    assert call(here).status == 200
    assert len(here.received) == 6


@pytest.fixture
def slow(clock: Ticking) -> Gate:
    return gate(clock, calls_at_once=2, operation_seconds=0.2)


def test_calls_at_once_of_one_account(slow: Gate) -> None:
    async def three() -> list[Any]:
        held = asyncio.Event()

        async def waiting(received: Any) -> Any:
            await held.wait()
            return await slow._accept(received)

        slow.door._accept = waiting
        body = envelope(accept_body(), None)
        calls = [asyncio.create_task(slow.door.handle("POST", "", {"content-type": "text/xml"}, body, THERE)) for _ in range(3)]
        await asyncio.sleep(0.01)
        held.set()
        return await asyncio.gather(*calls)

    first, second, third = asyncio.run(three())
    assert (first.status, second.status) == (200, 200)
    assert told(third)[1:4] == (BUSY, "techErrorFault", "E011")
    assert call(slow).status == 200, "and then there is room again"


def test_an_operation_that_takes_too_long_gets_a_fault(slow: Gate) -> None:
    async def never(_received: Any) -> Any:
        await asyncio.sleep(60)

    slow.door._accept = never
    reply = call(slow)
    assert told(reply)[2:4] == ("techErrorFault", "E001")
    assert "0.2 s" in (told(reply)[4] or "")
    assert reply.headers["Retry-After"]
    slow.door._accept = slow._accept
    assert call(slow).status == 200


def test_who_is_ended_by_somebody_else_hears_no_fault_of_ours(slow: Gate) -> None:
    async def given_up() -> None:
        async def never(_received: Any) -> Any:
            await asyncio.sleep(60)

        slow.door._accept = never
        call = asyncio.create_task(slow.door.handle("POST", "", {"content-type": "text/xml"}, envelope(), THERE))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(given_up())
    assert slow.door._patience._since == {}
    assert slow.door._throttle._in_work == {}


def test_patience_looks_after_many_calls_with_one_timer() -> None:
    async def calls() -> tuple[list[str], int]:
        patience = Patience(0.1)
        timers = 0
        loop = asyncio.get_running_loop()
        later = loop.call_later

        def counting(*arguments: Any) -> Any:
            nonlocal timers
            timers += arguments[1] == patience._look
            return later(*arguments)

        loop.call_later = counting  # type: ignore[method-assign]

        async def call(seconds: float) -> str:
            task = patience.begin()
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                return "ran out" if patience.ran_out(task) else "cancelled"
            finally:
                patience.end(task)
            return "done"

        ended = await asyncio.gather(*(call(seconds) for seconds in [0.01, 5] * 50))
        await asyncio.sleep(0.06)
        assert not patience._looking, "no timer is left when there is nothing to look after"
        return ended, timers

    ended, timers = asyncio.run(calls())
    assert ended == ["done", "ran out"] * 50
    assert timers < 10


def test_no_place_is_lost_by_a_call_that_fails(clock: Ticking) -> None:
    here = gate(clock, calls_at_once=1)
    for error in (Deferred("record.store_unavailable"), RuntimeError("x"), None):
        here.error = error
        assert call(here).status == (500 if error else 200)
    assert here.door._throttle._in_work == {}
