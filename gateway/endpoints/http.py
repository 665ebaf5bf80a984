"""What a door says over HTTP, as a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class HttpReply:
    """`written` is called after the last byte was handed to the connection, `failed` when that did not succeed."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    written: Callable[[], None] | None = None
    failed: Callable[[], None] | None = None


def problem(status: int, error: GatewayError) -> HttpReply:
    """RFC 9457 problem details, in both languages."""
    body = {"type": f"urn:brama:code:{error.code}", "title": error.code, "status": status, "detail": error.text("en"), "detail_pl": error.text("pl")}
    return HttpReply(status, json.dumps(body, ensure_ascii=False).encode(), "application/problem+json")
