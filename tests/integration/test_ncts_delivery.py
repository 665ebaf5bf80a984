"""Delivery against real servers on loopback: what each way of failing is taken for."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from adapters.ncts.adapter import NctsAdapter
from adapters.ncts.replies import functional_error
from adapters.proof import proves_request
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.message import Taken
from tests.transit import SECRETS, SENDER, StrictParser, declaration, job, ncts2

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CONTENT = declaration("L1")


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return head[0], headers, await reader.readexactly(int(headers.get("content-length", "0")))


def response(status: str, body: bytes = b"", headers: str = "", length: int | None = None) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n{headers}\r\n".encode() + body


def adapter_at(address: str, timeout: float = 5.0) -> NctsAdapter:
    profile = ncts2()
    transport = {**profile.transport, "timeout": str(timeout), "connect_timeout": str(timeout)}
    return NctsAdapter(dataclasses.replace(profile, transport=transport), address, SECRETS, StrictParser())


async def deliver(address: str, seconds: float = 5.0) -> Taken | GatewayError:
    adapter = adapter_at(address, seconds)
    try:
        return await adapter.deliver(adapter.request(job("SR1", CONTENT)))
    except GatewayError as error:
        return error
    finally:
        await adapter.close()


def outcome_of(handler: Handler, timeout: float = 5.0) -> Taken | GatewayError:
    async def run() -> Taken | GatewayError:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await deliver(f"http://127.0.0.1:{port}/messages", timeout)
        finally:
            server.close()

    return asyncio.run(run())


def answering(*parts: bytes, pause: float = 0.0) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


def is_error(outcome: object, kind: type[GatewayError], code: str) -> bool:
    return isinstance(outcome, kind) and outcome.code == code


def test_what_arrives_is_the_stored_bytes_with_our_proof() -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(response("202 Accepted"))

    assert outcome_of(handler) == Taken(duplicate=False, detail="HTTP 202")
    (line, headers, body) = seen[0]
    assert line == "POST /messages HTTP/1.1"
    assert body == CONTENT
    assert headers["brama-request-id"] == "SR1"
    assert proves_request(SECRETS, headers, "SR1", body, datetime.now(UTC), 5)
    assert not proves_request(SECRETS, headers, "SR2", body, datetime.now(UTC), 5)


def test_the_duplicate_answer_is_taken() -> None:
    body = functional_error("26", "/messageIdentification", SENDER, None, "A1", datetime.now(UTC))
    outcome = outcome_of(answering(response("409 Conflict", body)))
    assert isinstance(outcome, Taken)
    assert outcome.duplicate


def test_a_refusal_is_rejected() -> None:
    assert is_error(outcome_of(answering(response("400 Bad Request"))), Rejected, "deliver.refused")


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert is_error(asyncio.run(deliver(f"http://127.0.0.1:{port}/messages")), Deferred, "deliver.unavailable")


def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    assert is_error(asyncio.run(deliver("http://no-such-host.invalid/messages")), Deferred, "deliver.unavailable")


def test_503_with_retry_after_is_unavailable() -> None:
    outcome = outcome_of(answering(response("503 Service Unavailable", headers="Retry-After: 1\r\n")))
    assert is_error(outcome, Deferred, "deliver.unavailable")


def test_a_server_that_closes_after_reading_leaves_us_in_doubt() -> None:
    assert is_error(outcome_of(answering()), Deferred, "deliver.in_doubt")


def test_a_reset_after_reading_leaves_us_in_doubt() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.transport.abort()

    assert is_error(outcome_of(handler), Deferred, "deliver.in_doubt")


def test_a_server_that_never_answers_leaves_us_in_doubt() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert is_error(outcome_of(handler, timeout=0.2), Deferred, "deliver.in_doubt")


def test_a_server_that_answers_one_byte_at_a_time_does_not_hold_us() -> None:
    dribble = answering(*[bytes([byte]) for byte in response("202 Accepted")], pause=0.05)
    assert is_error(outcome_of(dribble, timeout=0.3), Deferred, "deliver.in_doubt")


def test_an_answer_that_is_no_http_leaves_us_in_doubt() -> None:
    assert is_error(outcome_of(answering(b"hello\r\n\r\n")), Deferred, "deliver.in_doubt")


def test_a_status_counts_though_its_body_breaks_off() -> None:
    outcome = outcome_of(answering(response("202 Accepted", b"half", length=100)))
    assert outcome == Taken(duplicate=False, detail="HTTP 202")


def test_a_status_counts_though_its_body_never_ends() -> None:
    outcome = outcome_of(answering(response("202 Accepted", b"half", length=100), pause=1.0), timeout=0.3)
    assert outcome == Taken(duplicate=False, detail="HTTP 202")


def test_a_duplicate_answer_that_breaks_off_leaves_us_in_doubt() -> None:
    body = functional_error("26", "/messageIdentification", SENDER, None, "A1", datetime.now(UTC))
    assert is_error(outcome_of(answering(response("409 Conflict", body[:50], length=len(body)))), Deferred, "deliver.in_doubt")


def test_a_body_without_end_is_cut_at_64_kilobytes() -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while sent < 200_000_000 and not writer.is_closing():
            writer.write(b"x" * 65_536)
            sent += 65_536
            try:
                await writer.drain()
            except ConnectionError:
                return

    assert is_error(outcome_of(handler), Rejected, "deliver.refused")
    assert sent < 50_000_000


def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_request(reader))[0])
        writer.write(response("307 Temporary Redirect", headers="Location: /elsewhere\r\n"))

    assert is_error(outcome_of(handler), Failed, "deliver.misconfigured")
    assert seen == ["POST /messages HTTP/1.1"]


def test_connections_are_kept() -> None:
    async def run() -> int:
        connections = 0

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            try:
                while True:
                    await read_request(reader)
                    writer.write(response("202 Accepted"))
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        adapter = adapter_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/messages")
        for number in range(5):
            await adapter.deliver(adapter.request(job(f"SR{number}", CONTENT)))
        await adapter.close()
        server.close()
        return connections

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_no_proxy_is_taken_from_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert outcome_of(answering(response("202 Accepted"))) == Taken(duplicate=False, detail="HTTP 202")
