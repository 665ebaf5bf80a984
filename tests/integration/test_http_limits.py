"""The HTTP side apart from its doors: what a call may cost, and that whoever is refused hears it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import asgi
from gateway.asgi import SOAP_PATH, Application
from gateway.endpoints import connection
from gateway.endpoints.http import HttpReply, text
from gateway.errors import GatewayError
from gateway.settings import Settings
from tests.acceptance.estate import until
from tests.listening import listening

ANSWERS = "/systems/NCTS2/answers"


class Door:
    """Takes everything, and says what it refuses by its code."""

    async def handle(self, *_: object) -> HttpReply:
        return text(200, "taken")

    def refuse(self, error: GatewayError) -> HttpReply:
        return text(500, error.code)


def application(**settings: Any) -> Application:
    door: Any = Door()
    house: Any = SimpleNamespace(
        settings=Settings(**settings), soap_door=door, answer_door=door, database=SimpleNamespace(engine=None), trouble=lambda: None
    )
    return Application(house)


async def call(app: Application, path: str, *, method: str = "POST", client: str = "127.0.0.1", body: Any = None) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        if body is not None:
            await body.wait()
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "method": method, "headers": [], "query_string": b"", "client": (client, 1)}, receive, send)
    return sent[0]["status"], b"".join(m["body"] for m in sent[1:])


@pytest.mark.parametrize("path", [SOAP_PATH, ANSWERS])
@pytest.mark.parametrize("framing", ["content-length: 5000000", "transfer-encoding: chunked"])
def test_a_sender_who_reads_nothing_before_he_has_sent_all_still_hears_why_he_is_refused(path: str, framing: str) -> None:
    piece = b"a" * 50_000
    chunk = piece if "length" in framing else b"%x\r\n%s\r\n" % (len(piece), piece)
    with listening(application(max_body=100_000)) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n".encode())
        for _ in range(100):
            client.sendall(chunk)
        client.sendall(b"" if "length" in framing else b"0\r\n\r\n")
        heard = b""
        while more := client.recv(65536):
            heard += more
    assert b"receive.too_large" in heard or b"HTTP/1.1 413" in heard


def test_a_refused_body_without_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "LINGER_BYTES", 1_000_000)
    with listening(application(max_body=100_000)) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST {SOAP_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n".encode())
        with pytest.raises(ConnectionError):
            client.sendall(b"a" * 100_000_000)


def test_calls_that_pretend_to_be_a_customs_system_are_bounded_in_number() -> None:
    """Their small bodies are read however full the house is, so their number is what bounds the memory."""

    async def flood() -> list[tuple[int, bytes]]:
        app, held = application(max_waiting=4), asyncio.Event()
        calls = [asyncio.create_task(call(app, ANSWERS, body=held)) for _ in range(8)]
        await asyncio.sleep(0)
        told = asyncio.create_task(call(app, ANSWERS, body=held))
        await asyncio.sleep(0)
        held.set()
        return [await told, *(await asyncio.gather(*calls))]

    assert [status for status, _ in asyncio.run(flood())] == [503, *[200] * 8]


def test_who_fills_the_traders_door_does_not_shut_out_the_customs_systems() -> None:
    async def flood() -> tuple[int, int]:
        app, held = application(max_waiting=4), asyncio.Event()
        calls = [asyncio.create_task(call(app, SOAP_PATH, body=held)) for _ in range(20)]
        await asyncio.sleep(0)
        answer = asyncio.create_task(call(app, ANSWERS, body=held))
        await asyncio.sleep(0.01)
        held.set()
        return (await answer)[0], sum(status == 500 for status, _ in await asyncio.gather(*calls))

    assert asyncio.run(flood()) == (200, 16)


def handing_out(app: Application) -> tuple[list[bool], threading.Event]:
    """The door gives a document of 20 MB, which fits into no buffer on the way; what it is told of its end."""
    told, ended = [], threading.Event()

    async def after(written: bool) -> None:
        told.append(written)
        ended.set()

    async def handle(*_: object) -> HttpReply:
        return HttpReply(200, {}, b"x" * 20_000_000, after)

    app._house.soap_door.handle = handle  # type: ignore[method-assign, assignment]
    return told, ended


POLL = f"POST {SOAP_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode()


def test_a_document_whose_reader_goes_away_half_way_is_not_taken_for_collected() -> None:
    app = application()
    told, ended = handing_out(app)
    with listening(app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(POLL)
            client.recv(1000)
            time.sleep(0.3)  # what fits into the buffers is on its way
        assert ended.wait(10)
    assert told == [False]


def test_a_reader_who_stops_reading_holds_no_place_for_ever() -> None:
    app = application(claim_seconds=0.5)
    told, ended = handing_out(app)
    with listening(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(POLL)
        assert ended.wait(5)
    assert told == [False]
    assert app._in_work == 0


def open_reader(port: int, data: bytes) -> socket.socket:
    """Sends it and reads nothing; its own buffer is small."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(data)
    return client


def answering(app: Application, size: int) -> None:
    async def handle(*_: object) -> HttpReply:
        return HttpReply(200, {}, b"x" * size)

    app._house.soap_door.handle = handle  # type: ignore[method-assign, assignment]


def connections(port: int) -> int:
    """Established ones on the server's side."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_readers_who_take_no_answer_hold_no_place_and_are_cut_off() -> None:
    app = application(max_waiting=4)
    answering(app, 20_000_000)
    with listening(app, answer_seconds=1) as port:
        stuck = [open_reader(port, POLL + POLL) for _ in range(10)]  # the second answer waits for the first one's way
        time.sleep(0.5)
        try:
            answering(app, 10)
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(POLL)
                assert client.recv(1000).startswith(b"HTTP/1.1 200"), "the door is not busy with them"
            until(lambda: connections(port) == 0, 5, "cutting them off")
        finally:
            for client in stuck:
                client.close()


@pytest.mark.parametrize(
    "last", [POLL.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), b"nonsense\r\n\r\n", b""], ids=["asked to", "bad", "idle"]
)
def test_a_closed_connection_whose_last_bytes_nobody_takes_ends(monkeypatch: pytest.MonkeyPatch, last: bytes) -> None:
    """So few that the event loop does not call its writer slow."""
    app, made = application(), list[Any]()
    answering(app, 40_000)
    monkeypatch.setattr(connection.OfferDecliningProtocol, "connection_made", remembering(made))
    with listening(app, answer_seconds=0.5, keep_alive=1) as port, open_reader(port, b"") as client:
        until(lambda: made, 5)
        for asked in range(1, 2000):
            client.sendall(POLL)
            while made[0].server_state.total_requests < asked:
                time.sleep(0.001)
            if made[0].transport.get_write_buffer_size():
                break
        client.sendall(last)
        until(lambda: connections(port) == 0, 4, "its end")


def remembering(made: list[Any]) -> Any:
    before = connection.OfferDecliningProtocol.connection_made

    def connection_made(self: Any, transport: Any) -> None:
        made.append(self)
        before(self, transport)

    return connection_made


def test_room_is_made_by_one_who_takes_nothing() -> None:
    app = application()
    answering(app, 20_000_000)
    with listening(app, max_connections=4) as port:
        stuck = [open_reader(port, POLL) for _ in range(4)]
        time.sleep(0.5)
        try:
            answering(app, 10)
            for _ in range(8):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                    client.sendall(POLL)
                    assert client.recv(1000).startswith(b"HTTP/1.1 200")
                    assert connections(port) <= 4
        finally:
            for client in stuck:
                client.close()


def test_what_slow_readers_have_not_taken_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNSENT_BYTES", 50_000_000)
    app = application()
    answering(app, 20_000_000)
    with listening(app) as port:
        stuck = [open_reader(port, POLL) for _ in range(10)]
        try:
            until(lambda: connections(port) <= 3, 5, "cutting off the slowest")
        finally:
            for client in stuck:
                client.close()


def test_requests_that_wait_behind_another_are_bounded() -> None:
    """Every answered one lets more be read."""
    app = application()
    asked = 0

    async def handle(*_: object) -> HttpReply:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return HttpReply(200, {}, b"x")

    app._house.soap_door.handle = handle  # type: ignore[method-assign, assignment]
    with listening(app) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as client, pytest.raises(ConnectionError):
        client.sendall(POLL * 1_000_000)
    assert asked <= connection.PIPELINED + 1


def test_a_document_is_not_collected_by_one_who_left_with_another_request_behind_it() -> None:
    app, told, ended = application(), list[bool](), threading.Event()

    async def after(written: bool) -> None:
        told.append(written)
        ended.set()

    async def handle(*_: object) -> HttpReply:
        await asyncio.sleep(0.3)
        return HttpReply(200, {}, b"x" * 1000, after)

    app._house.soap_door.handle = handle  # type: ignore[method-assign, assignment]
    with listening(app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(POLL + POLL)
            time.sleep(0.1)
        assert ended.wait(10)
    assert told == [False]


@pytest.mark.parametrize("client", ["garbage", "8.8.8.8", ""])
def test_metrics_are_not_for_who_is_not_from_here(client: str) -> None:
    assert asyncio.run(call(application(), "/metrics", method="GET", client=client))[0] == 404


def test_counting_for_the_metrics_does_not_hold_up_the_event_loop() -> None:
    threads: list[int] = []
    app = application()
    app._house.metrics = SimpleNamespace(exposition=lambda: threads.append(threading.get_ident()) or b"brama_messages 1")
    assert asyncio.run(call(app, "/metrics", method="GET")) == (200, b"brama_messages 1")
    assert threads != [threading.get_ident()]
