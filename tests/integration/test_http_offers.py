"""A request that offers to go on in another protocol, as Java's HttpClient sends it, is served as if it had not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from gateway.endpoints.connection import PIPELINED
from tests.listening import listening

OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
LENGTH = "Content-Length: 11\r\n\r\nzażółć\n".encode()
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n2\r\nza\r\n9\r\nżółć\n\r\n0\r\n\r\n".encode()
PLAIN = "POST /x?y=1 HTTP/1.1\r\nHost: x\r\n"


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """Says what it got."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    told = json.dumps([scope["method"], scope["path"], scope["query_string"].decode(), headers, body.decode()]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(mirror, head_seconds=5) as number:
        yield number


def say(port: int, *pieces: bytes, replies: int = 1) -> list[Any]:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        for piece in pieces:
            client.sendall(piece)
        reader = client.makefile("rb")
        return [reply(reader) for _ in range(replies)]


def reply(reader: Any) -> Any:
    assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
    length = 0
    while line := reader.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return json.loads(reader.read(length))


@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [1, 7, 10_000], ids=["byte by byte", "in pieces", "at once"])
def test_the_body_of_a_request_with_an_offer_arrives_whole(port: int, framing: bytes, size: int) -> None:
    call = (PLAIN + OFFER).encode() + framing
    [[method, path, query, headers, body]] = say(port, *(call[at : at + size] for at in range(0, len(call), size)))
    assert (method, path, query, body) == ("POST", "/x", "y=1", "zażółć\n")
    assert "upgrade" not in headers
    assert headers["host"] == "x"


@pytest.mark.parametrize(
    "call",
    [f"{PLAIN}{OFFER}".replace("HTTP/1.1", "HTTP/1.0"), f"{PLAIN}{OFFER.replace('Upgrade,', 'close, Upgrade,')}"],
    ids=["1.0", "close"],
)
def test_the_last_request_of_a_connection_may_make_an_offer(port: int, call: str) -> None:
    [[method, _, _, _, body]] = say(port, call.encode() + LENGTH + PLAIN.encode() + LENGTH)
    assert (method, body) == ("POST", "zażółć\n")


def test_requests_with_and_without_offers_share_a_connection(port: int) -> None:
    plain = f"{PLAIN}Content-Length: 1\r\n\r\n".encode()
    bare = f"GET / HTTP/1.1\r\nHost: x\r\n{OFFER}\r\n".encode()
    calls = plain + b"1" + bare + (PLAIN + OFFER).encode() + CHUNKED + plain + b"2"
    assert [(told[0], told[4]) for told in say(port, calls, replies=4)] == [("POST", "1"), ("GET", ""), ("POST", "zażółć\n"), ("POST", "2")]


def test_thousands_of_offers_in_one_piece_end_only_their_connection(port: int) -> None:
    """Each is read in a loop, none inside another, and only so many wait."""
    bare = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert len(say(port, bare * PIPELINED, replies=PIPELINED)) == PIPELINED
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        client.sendall(bare * 700)
        told = b""
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                told += piece
        assert told.count(b"HTTP/1.1 ") <= PIPELINED
    assert say(port, PLAIN.encode() + LENGTH)[0][4] == "zażółć\n"


def test_a_tunnel_is_no_offer_and_does_not_hold_the_server(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        client.sendall(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + LENGTH)
        assert client.recv(20).startswith(b"HTTP/1.1 ")
    assert say(port, PLAIN.encode() + LENGTH)[0][4] == "zażółć\n"
