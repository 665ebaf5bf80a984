"""What one connection may say and cost before its request is complete: uvicorn's HTTP protocol, stricter and with bounds.

`gateway.asgi` bounds bodies. It hears of a request only when all of its headers are there, so a client that sends them
slowly or without end would hold a connection, or fill the memory, unseen. httptools (llhttp) refuses what is ambiguous in
lines and framing; what it lets through against RFC 9110 and 9112 is refused here: a request without a Host or with two, a
coding besides chunked, an older or newer HTTP than 1.0 and 1.1, two of a header there may be one of. Trailers never become
headers; one that would be dangerous as a header ends the connection.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.endpoints.offers import OfferDecliningProtocol

FRAMING_BYTES = 64 * 1024  # request line, headers, chunk sizes and extensions, trailers: whatever is not body
FRAMING_PER_BODY_BYTE = 16  # a chunk of one byte has at least five bytes around it
HEAD_BYTES = 32 * 1024  # names and values of a request's headers
HEADERS = 100
PIPELINED = 32  # requests that may wait behind the one in work: all that fits into one piece of data is read at once
UNSENT_BYTES = 256 * 1024 * 1024  # of all answers that their readers have not taken yet

_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")  # RFC 9110, section 7.2, loosely
_ONCE = frozenset({b"host", b"content-type", b"content-length", b"content-encoding", b"authorization"})
_NEVER_TRAILING = _ONCE | {b"transfer-encoding", b"connection", b"expect", b"upgrade", b"te", b"soapaction", b"cookie", b"forwarded"}


def bounded(head_seconds: float, max_connections: int = 800, answer_seconds: float = 180) -> type[HttpToolsProtocol]:
    """The protocol whose clients have `head_seconds` from connecting, or from a request's first byte, to the first byte of
    its body, or its end where it has none.

    At most `max_connections` are open: a new one is let in at the cost of the one that has been without a request longest.
    A client that has not taken nearly all of an answer after `answer_seconds` is cut off, and earlier where all that is
    unsent is too much: the one that has been slow longest goes first.
    """
    limits = {"head_seconds": head_seconds, "max_connections": max_connections, "answer_seconds": answer_seconds}
    return type("Bounded", (BoundedConnection,), {**limits, "idle": {}, "slow": {}})


class BoundedConnection(OfferDecliningProtocol):
    """Answers 400 to a bad head, 408 to a late one, 431 to too much of it, 503 to one connection too many; and closes."""

    head_seconds: float
    max_connections: int
    answer_seconds: float
    idle: dict[BoundedConnection, None]  # of this server: without a request in work, the longest so first
    slow: dict[BoundedConnection, asyncio.TimerHandle]  # whose answer is not taken yet, the longest so first

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._framing = self._body_bytes = 0
        self._late: asyncio.TimerHandle | None = None
        self._in_work: RequestResponseCycle | None = None
        if len(self.connections) > self.max_connections and not self._make_room():
            self._refuse("503 Service Unavailable\r\nretry-after: 2")
            return
        self.idle[self] = None
        self._await_head()

    def _make_room(self) -> bool:
        """End the connection that has been idle longest, even where its last answer is not taken yet."""
        if not self.idle:
            return False
        oldest = next(iter(self.idle))
        del self.idle[oldest]
        oldest._cut_off()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.pop(self, None)
        self._head_is_here()
        self._is_taken()
        if self._in_work is not None and not self._in_work.response_complete:  # uvicorn tells only the last one of a pipeline
            self._in_work.disconnected = True
            self._in_work.message_event.set()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_taking()
        while len(self.slow) > 1 and sum(each.transport.get_write_buffer_size() for each in self.slow) > UNSENT_BYTES:
            next(iter(self.slow))._cut_off()

    def resume_writing(self) -> None:
        self._is_taken()
        super().resume_writing()

    def _await_taking(self) -> None:
        self._is_taken()
        self.slow[self] = self.loop.call_later(self.answer_seconds, self._cut_off)

    def _close(self) -> None:
        """Closing waits until the rest is out; not for ever."""
        self.transport.close()
        self._await_the_end()

    def _await_the_end(self) -> None:
        if self not in self.slow and self.transport.get_write_buffer_size():
            self._await_taking()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_the_end()

    def _is_taken(self) -> None:
        if (timer := self.slow.pop(self, None)) is not None:
            timer.cancel()

    def _cut_off(self) -> None:
        self._is_taken()
        self.transport.abort()

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
        """Whatever is raised here becomes 400, and the end of the connection."""
        if not self._head_fits():
            self._refuse("431 Request Header Fields Too Large")
            raise ValueError
        _check_head(self.headers, self.parser.get_http_version())
        if len(self.pipeline) >= PIPELINED:
            self._refuse("429 Too Many Requests")
            raise ValueError
        self.idle.pop(self, None)
        super().on_headers_complete()
        self.headers = []  # the scope has its own; what comes now are trailers

    def _head_fits(self) -> bool:
        return len(self.headers) <= HEADERS and sum(len(name) + len(value) for name, value in self.headers) <= HEAD_BYTES

    def on_body(self, body: bytes) -> None:
        self._head_is_here()
        self._framing -= len(body)
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A bad trailer leaves the request incomplete for good: whoever reads it sees the connection end."""
        if self.headers and any(name in _NEVER_TRAILING or name.startswith(b"x-forwarded") for name, _ in self.headers):
            raise ValueError
        self._head_is_here()
        self._framing = self._body_bytes = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._in_work = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_the_end()
        elif self.cycle.response_complete:
            self.idle[self] = None

    def send_400_response(self, msg: str) -> None:
        if self._may_answer():
            super().send_400_response(msg)
        self._close()

    def _may_answer(self) -> bool:
        """Else it would stand in the middle of an answer."""
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        return not answering and not self.transport.is_closing()

    def _await_head(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self._refuse, "408 Request Timeout")

    def _head_is_here(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: str) -> None:
        self._head_is_here()
        if self._may_answer():
            self.transport.write(f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
        self._close()


def _check_head(headers: Iterable[tuple[bytes, bytes]], version: str) -> None:
    """Raises ValueError for a head that RFC 9110 and 9112 do not allow and the parser does. Names are lower case."""
    if version not in ("1.1", "1.0"):
        raise ValueError
    seen = set()
    for name, value in headers:
        if name in _ONCE:
            if name in seen:
                raise ValueError
            seen.add(name)
            if name == b"host" and not _HOST.fullmatch(value.strip()):
                raise ValueError
        elif name == b"transfer-encoding" and (version == "1.0" or value.strip().lower() != b"chunked"):
            raise ValueError
    if version == "1.1" and b"host" not in seen:
        raise ValueError
