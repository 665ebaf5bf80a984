"""Issue section *Bad input*, the call itself: envelopes, tokens and HTTP over real sockets; bounded time and memory."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.faults import ADDRESSING_MISSING, BUSY, COMMUNICATION, POLICY, SECURITY
from tests.acceptance.caller import SOAP_PATH, XML, Caller, Reply, post
from tests.acceptance.estate import Estate
from tests.acceptance.test_bad_documents import LAUGHS, messages_of
from tests.soap_requests import PROFILE, SOAP, WSA, accept_body, addressing, digest_c, envelope, security

MEGABYTE = 1024 * 1024
SOAP_12 = b"http://www.w3.org/2003/05/soap-envelope"
BODY_SECONDS = 4
CLIENT = "{http://schemas.xmlsoap.org/soap/envelope/}Client"
TOKEN = ("{http://ws.apache.org/wss4j}SecurityError", SECURITY)


@pytest.fixture(scope="module")
def sturdy(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Estate]:
    """A set-up whose memory is watched, with little patience for slow senders."""
    estate = Estate(tmp_path_factory.mktemp("sturdy") / "house", template=template, body_seconds=BODY_SECONDS, head_seconds=BODY_SECONDS)
    try:
        yield estate.start()
    finally:
        estate.stop()


@pytest.fixture
def caller(sturdy: Estate) -> Iterator[Caller]:
    """Whatever a test does to the server: nothing is stored, and the next honest declaration is taken as before."""
    guest = Caller(sturdy, "trader00")
    before = sturdy.books()
    yield guest
    assert sturdy.books() == before
    assert sturdy.ready()


def hours(difference: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=difference)).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- envelopes -----------------------------------------------------------------------------------------------------------

Make = Callable[[Caller], bytes]


def head(make: Callable[[bytes], bytes]) -> Make:
    """An otherwise good call, spoilt."""
    return lambda caller: make(caller.submission(caller.declare("CALL-1")))


ENVELOPES: dict[str, tuple[Make, str, str]] = {
    "not XML": (lambda c: b"dzie\xc5\x84 dobry", CLIENT, ""),
    "empty": (lambda c: b"", CLIENT, ""),
    "cut off": (head(lambda e: e[:-9]), CLIENT, ""),
    "DTD": (head(lambda e: b"<!DOCTYPE x>" + e), CLIENT, ""),
    "billion laughs": (head(lambda e: f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'.encode() + e.replace(b"NCTS2", b"&l9;")), CLIENT, ""),
    "external entity": (head(lambda e: b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + e), CLIENT, ""),
    "nested 10,000 deep": (lambda c: c.envelope("<x>" * 10_000 + "</x>" * 10_000), CLIENT, ""),
    "100,000 attributes": (lambda c: c.envelope("<x " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>"), CLIENT, ""),
    "wrong namespace of the operation": (head(lambda e: e.replace(b"uslugiBiznesowe/WsPull", b"uslugiBiznesowe/WsPush")), CLIENT, ""),
    "unknown operation": (lambda c: c.envelope("<Nic/>"), CLIENT, ""),
    "two documents": (lambda c: c.envelope(accept_body() + accept_body()), CLIENT, ""),
    "not a SOAP envelope": (lambda c: c.declare("BARE-1"), CLIENT, ""),
    "windows-1250 said to be UTF-8": (head(lambda e: e.replace(b"pismo.xml", "Łódź.xml".encode("cp1250"))), CLIENT, ""),
    "UTF-7": (head(lambda e: b'<?xml version="1.0" encoding="UTF-7"?>' + e), CLIENT, ""),
    "NUL": (head(lambda e: e.replace(b"NCTS2", b"NC\0TS2")), CLIENT, ""),
    "instruction": (head(lambda e: e.replace(b"<s:Header>", b"<s:Header><?x y?>")), CLIENT, ""),
    "no addressing": (
        lambda c: envelope(accept_body(), security(c.token().xml())),
        f"{{{WSA}}}MessageAddressingHeaderRequired",
        ADDRESSING_MISSING,
    ),
    "no token": (lambda c: envelope(accept_body(), addressing()), "", POLICY),
    "password in clear": (lambda c: c.envelope(accept_body(), token=c.token(type_=f"{PROFILE}#PasswordText")), "", POLICY),
    "wrong digest": (lambda c: c.envelope(accept_body(), token=c.token(password="inne")), *TOKEN),
    "digest of the form that never worked": (lambda c: c.envelope(accept_body(), token=c.token(digest=digest_c)), *TOKEN),
    "stale Created": (lambda c: c.envelope(accept_body(), token=c.token(created=hours(-0.1))), *TOKEN),
    "future Created": (lambda c: c.envelope(accept_body(), token=c.token(created=hours(0.1))), *TOKEN),
    "Created an hour off": (
        lambda c: c.envelope(accept_body(), token=c.token(created=hours(0).replace("Z", "+01:00"))),
        *TOKEN,
    ),
    "short nonce": (lambda c: c.envelope(accept_body(), token=c.token(nonce=b"1234")), *TOKEN),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_call_that_is_not_of_the_contract_gets_its_fault(caller: Caller, name: str) -> None:
    make, code, string = ENVELOPES[name]
    told = caller.post(make(caller)).fault
    assert told[0] == code or not code
    assert told[1] == string or (not string and len(told[1]) > 40), "our own sentence says what to change"
    assert "passwd" not in str(told)


def test_a_used_token_is_refused(house: Estate, trader: Caller) -> None:
    token = trader.token()
    trader.submit(trader.declare("TOKEN-1"), token=token)
    assert trader.send(trader.declare("TOKEN-2"), token=token).fault[:2] == TOKEN
    assert messages_of(trader) == 1


def test_an_unknown_sender_learns_no_more_than_that_he_is_not_known(house: Estate, another: Callable[[], Caller]) -> None:
    known, inactive = another(), Caller(house, "inactive")
    unknown = Caller(house, "nobody", login="nobody@agencja.example")
    document = known.declare("UNKNOWN-1")
    same = {"MessageID": "urn:uuid:00000000-0000-0000-0000-000000000000"}
    replies = [
        unknown.send(document, **same),
        known.send(document, token=known.token(password="inne"), **same),
        inactive.send(document, **same),
        known.send(document, token=known.token(created=hours(-1)), **same),
        known.send(document, token=known.token(created="wczoraj"), **same),
        known.send(document, token=known.token(nonce=b"1"), **same),
        unknown.send(b"not even XML", **same),
    ]
    own_id = re.compile(rb"(MessageID[^>]*>)[^<]*")
    assert len({own_id.sub(rb"\1", reply.body) for reply in replies}) == 1
    assert len({(reply.status, *(f"{k}: {v}" for k, v in reply.headers.items() if k != "date")) for reply in replies}) == 1
    assert messages_of(known) == messages_of(inactive) == 0


# --- HTTP ----------------------------------------------------------------------------------------------------------------


def request(caller: Caller, method: str = "POST", path: str = SOAP_PATH, body: bytes = b"", **headers: str) -> Reply:
    return post(caller.estate.url, path, body, {name.replace("_", "-"): value for name, value in headers.items()}, method)


def test_other_methods_types_and_encodings_are_told_what_to_change(caller: Caller) -> None:
    call = caller.submission(caller.declare("HTTP-1"))
    told = {
        "GET": request(caller, "GET"),
        "PUT": request(caller, "PUT", body=call, Content_Type="text/xml"),
        "text/plain": request(caller, body=call, Content_Type="text/plain"),
        "no type": request(caller, body=call),
        "form": request(caller, body=call, Content_Type="multipart/form-data; boundary=x"),
        "gzip": request(caller, body=gzip.compress(call), Content_Type="text/xml", Content_Encoding="gzip"),
        "gzip untold": request(caller, body=gzip.compress(call), Content_Type="text/xml"),
        "gzip bomb": request(caller, body=gzip.compress(bytes(100 * MEGABYTE)), Content_Type="text/xml", Content_Encoding="gzip"),
        "wrong charset": request(caller, body=call, Content_Type="text/xml; charset=utf-16"),
        "SOAP 1.2": request(caller, body=call.replace(SOAP.encode(), SOAP_12), Content_Type="application/soap+xml"),
    }
    assert {name: 400 <= reply.status <= 500 for name, reply in told.items()} == dict.fromkeys(told, True)
    assert {name: len(reply.body.decode()) > 20 for name, reply in told.items()} == dict.fromkeys(told, True)
    assert told["PUT"].status == 405
    assert told["text/plain"].status == 415
    assert told["gzip"].status == told["gzip bomb"].status == 415


def talk(estate: Estate, *pieces: bytes, pause: float = 0.0, seconds: float = 20) -> tuple[bytes, float]:
    """Send the pieces over one connection; gives all that came back until the server closed, and how long that took."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", estate.port), timeout=seconds) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass  # it closed while we were still sending, which some of these cases are about: what it said counts
        back = b""
        try:
            while piece := connection.recv(65536):
                back += piece
        except ConnectionResetError:
            return back, time.monotonic() - started
    return back, time.monotonic() - started


def opening(*headers: str) -> bytes:
    return "\r\n".join([f"POST {SOAP_PATH} HTTP/1.1", "Host: x", "Content-Type: text/xml", *headers, "", ""]).encode()


def test_an_announced_giant_is_refused_without_being_read(caller: Caller) -> None:
    before = caller.estate.peak_memory()
    back, took = talk(caller.estate, opening(f"Content-Length: {10**10}"))
    assert took < 2
    assert COMMUNICATION.encode() in back
    assert b"42" in back or b"44040192" in back, "it names the limit"
    assert b"connection: close" in back.lower()
    assert caller.estate.peak_memory() - before < 2 * MEGABYTE


def test_slow_and_endless_senders_are_cut_off_in_time(caller: Caller) -> None:
    chunk = b"10\r\n" + b"x" * 16 + b"\r\n"
    cases: dict[str, tuple[bytes, ...]] = {
        "chunked body without end": (opening("Transfer-Encoding: chunked"), *[chunk] * 40),
        "body a byte at a time": (opening("Content-Length: 5000"), *[b"x"] * 40),
        "body that never comes": (opening("Content-Length: 5000"),),
        "headers a line at a time": (f"POST {SOAP_PATH} HTTP/1.1\r\n".encode(), *[b"X-A: b\r\n"] * 40),
        "headers that never end": (f"POST {SOAP_PATH} HTTP/1.1\r\nHost".encode(),),
        "nothing at all": (),
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        running = {name: pool.submit(talk, caller.estate, *pieces, pause=0.2) for name, pieces in cases.items()}
        told = {name: future.result() for name, future in running.items()}
    assert {name: took < BODY_SECONDS + 5 for name, (_, took) in told.items()} == dict.fromkeys(cases, True), told
    for name in list(cases)[:3]:
        assert told[name][0].startswith(b"HTTP/1.1 408"), (name, told[name])


def test_endless_headers_are_cut_off_by_size(caller: Caller) -> None:
    before = caller.estate.peak_memory()
    line = b"X-Long: " + b"x" * 1_000_000 + b"\r\n"
    back, _ = talk(caller.estate, f"POST {SOAP_PATH} HTTP/1.1\r\nHost: x\r\n".encode(), *[line] * 60)
    assert back == b"" or back.startswith(b"HTTP/1.1 4")
    assert b"200 OK" not in back
    assert caller.estate.peak_memory() - before < 10 * MEGABYTE


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03\x01 garbage \r\n\r\n",),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",),
        (b"GET / HTTP/9.9\r\n\r\n",),
        (opening("Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n",),
        (opening("Content-Length: 4", "Content-Length: 5") + b"abcde",),
        (opening("Content-Length: -1"),),
        (opening("Transfer-Encoding: chunked") + b"ZZ\r\n",),
        (opening("Bad Header: x"),),
    ],
)
def test_broken_http_ends_the_connection(caller: Caller, pieces: tuple[bytes, ...]) -> None:
    back, took = talk(caller.estate, *pieces)
    assert took < BODY_SECONDS + 5
    *good, last = re.findall(rb"HTTP/1\.1 (\d{3})", back) or [b"400"]
    assert last == b"400", back
    assert set(good) <= {b"200"}


def test_an_honest_declaration_after_all_that(sturdy: Estate) -> None:
    honest = Caller(sturdy, "trader01")
    sys_ref = honest.submit(honest.declare("HONEST-1"))
    assert [mail.kind for mail in honest.collect("CC029C")] == ["UPP", "CC928C", "CC028C", "CC029C"]
    assert len(sturdy.at_authority("effects", sys_ref)) == 1


# --- size ----------------------------------------------------------------------------------------------------------------


def at_once(caller: Caller, calls: list[bytes]) -> list[Reply | None]:
    """All at the same time; None where the server hung up on one who was still sending."""

    def one(call: bytes) -> Reply | None:
        try:
            return caller.post(call, XML)
        except (ConnectionError, http.client.HTTPException):
            return None

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_a_body_of_forty_megabytes(caller: Caller) -> None:
    document = b64encode(b"<x>" + b" " * 30 * MEGABYTE + b"</x>").decode()
    assert len(document) > 40_000_000
    told = caller.send(document)
    assert told.fault[1] == COMMUNICATION
    assert "15728640" in told.reason[2], "it names the limit"


def test_a_document_of_fifteen_megabytes_and_one_byte(caller: Caller) -> None:
    good = caller.declare("LARGE-1")
    document = good + b"\n" * (15 * MEGABYTE + 1 - len(good))
    assert "15728640" in caller.send(document).reason[2]


def test_a_document_of_exactly_fifteen_megabytes_is_taken(sturdy: Estate) -> None:
    large = Caller(sturdy, "trader02")
    good = large.declare("LARGE-2")
    comment = b"<!--" + b"x" * (MEGABYTE - 7) + b"-->"
    document = good + comment * 14
    document += b" " * (15 * MEGABYTE - len(document))
    assert len(document) == 15 * MEGABYTE
    sys_ref = large.submit(document)
    assert sturdy.stored(sys_ref) == document
    assert large.collect("CC029C")[0].kind == "UPP"


def test_thirty_two_large_calls_at_once_cost_bounded_memory(caller: Caller) -> None:
    """The process bounds the bytes of all bodies; past that the door says busy, before it promises anything."""
    big = caller.submission(b64encode(b"<x>" + b" " * 15 * MEGABYTE + b"</x>").decode())
    replies = at_once(caller, [big] * 32)
    heard = [reply for reply in replies if reply is not None]
    told = [reply.fault[1] for reply in heard if reply.status == 500]
    assert set(told) <= {COMMUNICATION, BUSY, SECURITY}
    assert told.count(COMMUNICATION) <= 1, "it is one call, so whoever comes after the first has a used token"
    assert {reply.status for reply in heard} <= {500, 408}, "408: not all of them were here in time on this machine"
    assert caller.estate.peak_memory() < 600 * MEGABYTE


@pytest.mark.parametrize("kind", ["nested", "attributes", "elements", "namespaces"])
def test_thirty_two_costly_documents_at_once_end_soon(sturdy: Estate, caller: Caller, kind: str) -> None:
    bodies = {
        "nested": b"<x>" * 200_000,
        "attributes": b"<x " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>",
        "elements": b"<r>" + b"<x/>" * 600_000 + b"</r>",
        "namespaces": b"<r>" + b"".join(b"<x " + b" ".join(b'xmlns:n%d_%d="u"' % (d, n) for n in range(30)) + b">" for d in range(60)),
    }
    started = time.monotonic()
    replies = at_once(caller, [caller.submission(bodies[kind]) for _ in range(32)])
    assert {reply.fault[1] for reply in replies if reply is not None} <= {COMMUNICATION, BUSY}
    assert time.monotonic() - started < 25
    assert sturdy.peak_memory() < 600 * MEGABYTE


def test_refused_calls_are_counted_by_code(caller: Caller) -> None:
    def counted() -> float:
        found = re.search(r'^brama_refused_calls_total\{code="parse.malformed"\} (\S+)$', http_get(caller, "/metrics"), re.MULTILINE)
        return float(found[1]) if found else 0.0

    before = counted()
    assert caller.send(b"<not closed").status == 500
    assert counted() == before + 1


def http_get(caller: Caller, path: str) -> str:
    return post(caller.estate.url, path, b"", {}, "GET").body.decode()
