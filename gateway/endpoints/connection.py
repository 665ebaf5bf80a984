"""What one connection may cost before its request is complete: uvicorn's HTTP protocol with two bounds that it lacks.

`gateway.asgi` bounds bodies. It hears of a request only when all of its headers are there, so a client that sends them
slowly or without end would hold a connection, or fill the memory, unseen.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.endpoints.offers import OfferDecliningProtocol

FRAMING_BYTES = 64 * 1024  # request line, headers, chunk sizes and extensions, trailers: whatever is not body
FRAMING_PER_BODY_BYTE = 16  # a chunk of one byte has at least five bytes around it


def bounded(head_seconds: float) -> type[HttpToolsProtocol]:
    """The protocol whose clients have `head_seconds` from connecting, or from a request's first byte, to the first byte of
    its body, or its end where it has none."""
    return type("Bounded", (BoundedConnection,), {"head_seconds": head_seconds})


class BoundedConnection(OfferDecliningProtocol):
    """Answers 408 to a late head and 431 to too much framing, and closes."""

    head_seconds: float

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._framing = self._body_bytes = 0
        self._late: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._framing += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._framing > FRAMING_BYTES + FRAMING_PER_BODY_BYTE * self._body_bytes:
            self._refuse("431 Request Header Fields Too Large")
        elif self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()  # blank lines between requests: uvicorn's own timer has stopped, and no request begun

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._late is None:
            self._await_head()

    def on_body(self, body: bytes) -> None:
        self._head_is_here()
        self._framing -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_is_here()
        self._framing = self._body_bytes = 0
        super().on_message_complete()

    def _await_head(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self._refuse, "408 Request Timeout")

    def _head_is_here(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: str) -> None:
        self._head_is_here()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:  # else it would stand in an answer
            self.transport.write(f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
        self.transport.close()
