"""What a door says over HTTP, as a value."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.errors import GatewayError

After = Callable[[bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What goes back. `after`, where given, must be awaited once with True when the whole body was handed to the
    client's connection, with False when that failed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    after: After | None = None


def problem(status: int, error: GatewayError) -> HttpReply:
    """RFC 9457 problem details, in both languages."""
    body = {
        "type": f"urn:brama:code:{error.code}",
        "title": error.code,
        "status": status,
        "detail": error.text("en"),
        "detail_pl": error.text("pl"),
    }
    return HttpReply(status, {"Content-Type": "application/problem+json"}, json.dumps(body, ensure_ascii=False).encode())


def text(status: int, words: str, extra: Mapping[str, str] | None = None) -> HttpReply:
    """A line for people."""
    return HttpReply(status, {"Content-Type": "text/plain; charset=utf-8", **(extra or {})}, f"{words}\n".encode())
