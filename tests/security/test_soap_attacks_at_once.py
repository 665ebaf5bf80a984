"""The whole list of attacks over HTTP, each case 32 times at once: the fault it gets, nothing touched, bounded memory."""

from __future__ import annotations

import http.client
import tracemalloc
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.asgi import SOAP_PATH, Application
from gateway.endpoints.http import HttpReply
from gateway.faults import SECURITY
from tests.listening import listening
from tests.security.soap_attacks import CLIENT, DOCUMENTS, ENVELOPES, HEADERS, SERVER, TRANSPORT
from tests.soap_requests import Gate, accept_body, envelope, told

AT_ONCE = 32
MOST = 40 * 1024 * 1024  # bytes of Python objects for 32 calls, their senders' included: about what one good call of 15 MB takes
XML = {"content-type": "text/xml; charset=utf-8"}

Case = tuple[str, Mapping[str, str], bytes]
CASES: dict[str, tuple[Case, str]] = {
    **{f"header: {name}": (("POST", XML, envelope(headers=headers)), code) for name, (headers, code) in HEADERS.items()},
    **{f"envelope: {name}": (("POST", XML, body), code) for name, (body, code) in ENVELOPES.items()},
    **{
        f"document: {name}": (("POST", XML, envelope(accept_body(inner))), CLIENT if name == "two contents" else SERVER)
        for name, inner in DOCUMENTS.items()
    },
    **{f"transport: {name}": ((method, headers, envelope()), str(status)) for name, (method, headers, status) in TRANSPORT.items()},
}


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate(token_failures=10**6)  # the cases are many, and all come from one address


@pytest.fixture(scope="module")
def port(gate: Gate) -> Iterator[int]:
    house: Any = SimpleNamespace(settings=gate.settings, soap_door=gate.door)
    with listening(Application(house)) as number:
        yield number


def call(port: int, case: Case) -> HttpReply:
    method, headers, body = case
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, SOAP_PATH, body, dict(headers))
        response = connection.getresponse()
        return HttpReply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("name", CASES)
def test_thirty_two_at_once_touch_nothing_and_cost_little(gate: Gate, port: int, name: str) -> None:
    case, code = CASES[name]
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            replies = list(pool.map(lambda _: call(port, case), range(AT_ONCE)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert gate.untouched()
    assert peak < MOST
    if code.isdecimal():
        assert {reply.status for reply in replies} == {int(code)}
        return
    assert {reply.status for reply in replies} == {500}
    heard = {told(reply)[:2] for reply in replies}
    assert code in {fault for fault, _ in heard}
    # all 32 are the same call: where its token was good, whoever came after the first has a used one
    assert all(fault == code or string == SECURITY for fault, string in heard), heard


def test_a_good_call_after_all_that(gate: Gate, port: int) -> None:
    assert call(port, ("POST", XML, envelope())).status == 200
    assert len(gate.received) == 1
