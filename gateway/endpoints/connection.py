"""What one connection may cost before its request is complete: uvicorn's HTTP protocol with two bounds that it lacks.

`gateway.asgi` bounds bodies. It hears of a request only when all of its headers are there, so a client that sends them
slowly or without end would hold a connection, or fill the memory, unseen.

And one offer declined: Java's HttpClient (and Apache CXF on it) asks with every request over plain HTTP to go on in
HTTP/2 (`Upgrade: h2c`). A server that does not want to answers as if the offer were not there (RFC 9110, 7.8), but
httptools drops the body of such a request.
"""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FRAMING_BYTES = 64 * 1024  # request line, headers, chunk sizes and extensions, trailers: whatever is not body
FRAMING_PER_BODY_BYTE = 16  # a chunk of one byte has at least five bytes around it


def bounded(head_seconds: float) -> type[HttpToolsProtocol]:
    """The protocol whose clients have `head_seconds` from connecting, or from a request's first byte, to its last header."""
    return type("Bounded", (BoundedConnection,), {"head_seconds": head_seconds})


class DecliningParser(httptools.HttpRequestParser):
    """httptools' parser, which reads the head of a request that offers another protocol a second time, without the offer."""

    def __init__(self, connection: BoundedConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    def feed_data(self, data: bytes | bytearray | memoryview[int] | array[int]) -> None:
        while True:
            try:
                super().feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                head = self._connection.head_without_offer()
                if head is None:
                    raise
                super().feed_data(head)
                data = memoryview(data)[offer.args[0] :]
            else:
                return


class BoundedConnection(HttpToolsProtocol):
    """Answers 408 to a late head and 431 to too much framing, and closes."""

    head_seconds: float

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.parser = DecliningParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
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

    def on_headers_complete(self) -> None:
        self._head_is_here()
        if not self._offers():
            super().on_headers_complete()

    def _offers(self) -> bool:
        """Another protocol. CONNECT demands one, and is refused like any method that we do not have."""
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def head_without_offer(self) -> bytes | None:
        """Of the request just read; None if it offers nothing."""
        if not self._offers():
            return None
        start = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([start, *headers, b"", b""])

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offers():
            return
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
        if not self.transport.is_closing():
            self.transport.write(f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
            self.transport.close()
