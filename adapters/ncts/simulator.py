"""The simulated transit authority, a process of its own: `python -m adapters.ncts.simulator --help`.

    POST /messages        a request of the gateway (signed); what happens is chosen by the LRN, see `scenarios`
    GET  /control/log     arrivals, effects, answers as JSON
    POST /control/down    answer 503 to every request
    POST /control/up      answer again, also those with marker DOWN
    GET  /health          ok

The control is not protected: the simulator is a tool for tests and rehearsals and listens on loopback by default.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import click
import uvicorn

from adapters.callback import Callback
from adapters.ncts.authority import Authority, Reply
from adapters.profiles import Profiles
from adapters.proof import Secrets
from adapters.wire_log import WireLog
from gateway.errors import GatewayError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SYSTEM = "NCTS2"
_LARGEST = 42 * 1024 * 1024


class Simulator:
    """The authority behind HTTP, as a bare ASGI application."""

    def __init__(self, authority: Authority, log: WireLog, callback: Callback, speed: float) -> None:
        self._authority = authority
        self._log = log
        self._callback = callback
        self._speed = speed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = await _body(receive)
        if body is None:
            await _send(send, 413, b"", {})
            return
        match (scope["method"], scope["path"]):
            case ("POST", "/messages"):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
                await self._answer(headers, body, receive, send)
            case ("GET", "/control/log"):
                await _send_json(send, self._log.as_json())
            case ("POST", "/control/down"):
                self._authority.down, self._authority.repaired = True, False
                await _send_json(send, {"down": True})
            case ("POST", "/control/up"):
                self._authority.down, self._authority.repaired = False, True
                await _send_json(send, {"down": False})
            case ("GET", "/health"):
                await _send_json(send, {"status": "ok", "system": SYSTEM, "down": self._authority.down})
            case _:
                await _send(send, 404, b"", {})

    async def _answer(self, headers: dict[str, str], body: bytes, receive: Receive, send: Send) -> None:
        reply: Reply = self._authority.receive(headers, body)
        if reply.answers_follow:
            self._callback.start(headers["brama-request-id"])
        if reply.status == 0:
            await _hang_up(receive, send)
            return
        await asyncio.sleep(reply.delay / self._speed)
        await _send(send, reply.status, reply.body, {"content-type": "application/xml", **reply.headers})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        for request_id in self._log.unfinished():
            self._callback.start(request_id)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._callback.close()
        self._log.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None when it is larger than any document the gateway accepts."""
    body = bytearray()
    while True:
        event = await receive()
        body += event.get("body", b"")
        if len(body) > _LARGEST:
            return None
        if not event.get("more_body", False):
            return bytes(body)


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*raw, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def _send_json(send: Send, value: object) -> None:
    await _send(send, 200, json.dumps(value).encode(), {"content-type": "application/json"})


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection without a reply. ASGI has no word for it, so uvicorn's transport is taken from behind `send`."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        continue


class _Server(uvicorn.Server):
    """Says on standard output, as one JSON line, that it is ready and where."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            click.echo(json.dumps({"event": "ready", "system": SYSTEM, "address": f"http://{host}:{port}"}))


def run(listen: str, gateway: str, secret_file: Path, state: Path | None, speed: float) -> None:
    """Serve until SIGTERM. Raises OSError when the address is taken, Failed(adapter.*) for profile or secret."""
    profile = Profiles.load().system(SYSTEM)
    secrets = Secrets.read(secret_file)
    log = WireLog(state)
    callback = Callback(log, f"{gateway.rstrip('/')}/systems/{SYSTEM}/answers", secrets, speed)
    app = Simulator(Authority(profile, secrets, log), log, callback, speed)
    host, _, port = listen.rpartition(":")
    listener = socket.create_server((host.strip("[]"), int(port)), backlog=512)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=3)
    _Server(config).run(sockets=[listener])


def _speed(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not value > 0:
        raise click.BadParameter("must be greater than 0; 2 is twice as fast")
    return value


@click.command()
@click.option("--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="port 0: any free port")
@click.option("--gateway", required=True, metavar="URL", help="where answers are called back: URL/systems/NCTS2/answers")
@click.option("--secret-file", required=True, type=click.Path(path_type=Path), help="the secret shared with the gateway")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="keep the log in this SQLite file [default: in memory]")
@click.option("--speed", default=1.0, show_default=True, callback=_speed, help="divide every delay by this")
def simulator(listen: str, gateway: str, secret_file: Path, state: Path | None, speed: float) -> None:
    """Simulate the transit authority NCTS2. Prints one JSON line with its address when it is ready."""
    try:
        run(listen, gateway, secret_file, state, speed)
    except GatewayError as error:
        raise click.ClickException(error.text("en")) from error
    except sqlite3.Error as error:
        raise click.ClickException(f"cannot use {state}: {error}; give another --state FILE") from error
    except (OSError, ValueError) as error:
        raise click.ClickException(f"cannot listen on {listen}: {error}; give another --listen HOST:PORT") from error


if __name__ == "__main__":
    simulator()
