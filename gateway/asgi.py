"""The HTTP side: reads bodies within limits and hands each request to its door. Nothing here knows a message.

Limits hold before a door sees anything: the size of one body, the bytes of all bodies in work, how many calls are in
work, and how long a sender may take to send his.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from ipaddress import ip_address
from typing import Any

import structlog

from gateway.bootstrap import Gatehouse
from gateway.endpoints.http import HttpReply, text
from gateway.errors import Deferred, Rejected

log = structlog.get_logger("brama.http")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PAGES = frozenset({"/", "/health/live", "/health/ready", "/metrics"})
SOAP_PATH = "/seap_wsChannel/DocumentHandlingPort"
BODIES_AT_ONCE = 128 * 1024 * 1024  # bytes of all bodies being read or in work, in one process; in memory it is about three times that
SMALL = 256 * 1024  # bytes of a body that are read however full the house is
LINGER_BYTES = 64 * 1024 * 1024  # of a refused body, read and dropped: most clients read no answer before they have sent all
LINGER_SECONDS = 10.0
LINGER_PAUSE = 1.0  # seconds without a byte, after which he is taken to be reading
_FORWARDED = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")


class Gone(Exception):
    """The client went away before his request was complete."""


class Application:
    """The ASGI application of one server process."""

    def __init__(self, house: Gatehouse) -> None:
        self._house = house
        self._in_work = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        taken = _Taken()
        self._in_work += 1
        try:
            try:
                reply = await self._answered(scope, receive, taken)
            finally:  # who takes his answer slowly, or never, holds nobody's place
                self._in_work -= 1
                self._bytes -= taken.bytes
            # a document not read within its claim is given to the next poll anyway
            await _write(reply, receive, send, self._house.settings.claim_seconds, last=not taken.unread)
        except Gone:
            log.info("client_gone", path=scope["path"])
            return
        if taken.unread:  # closing now would reset the connection, and the sender would lose the answer with it
            await _linger(receive)
            await send({"type": "http.response.body", "body": b""})

    async def _answered(self, scope: Scope, receive: Receive, taken: _Taken) -> HttpReply:
        try:
            return await self._answer(scope, receive, taken)
        except Gone:
            raise
        except Exception as error:  # whatever it was, the sender must hear of it, and the log in our form
            log.exception("call_failed", path=scope["path"], kind=type(error).__name__)
            return text(500, "Błąd wewnętrzny, spróbuj ponownie później. Internal error, try again later.")

    async def _answer(self, scope: Scope, receive: Receive, taken: _Taken) -> HttpReply:
        path: str = scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if path == SOAP_PATH:
            return await self._soap(scope, headers, receive, taken)
        if path.startswith("/systems/") and path.endswith("/answers") and scope["method"] == "POST":
            try:
                if self._in_work > 2 * self._house.settings.max_waiting:  # traders alone cannot fill this
                    taken.unread = True
                    raise Deferred("receive.busy", seconds=2)
                body = await self._body(headers, receive, taken)
            except Rejected as refusal:
                return text(413, refusal.text("en"), {"connection": "close"})
            except Deferred as refusal:
                return text(503, refusal.text("en"), {"connection": "close", "retry-after": "2"})
            except TimeoutError:
                return self._too_slow(taken)
            return await self._house.answer_door.handle(path.removeprefix("/systems/").removesuffix("/answers"), headers, body)
        if path == "/metrics" and scope["method"] in ("GET", "HEAD") and self._may_read_metrics(scope):
            counted = await asyncio.to_thread(self._house.metrics.exposition)
            return HttpReply(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, counted)
        return self._plain(scope, path)

    async def _soap(self, scope: Scope, headers: Mapping[str, str], receive: Receive, taken: _Taken) -> HttpReply:
        door = self._house.soap_door
        try:
            if self._in_work > self._house.settings.max_waiting:
                taken.unread = scope["method"] == "POST"
                raise Deferred("receive.busy", seconds=2)
            body = await self._body(headers, receive, taken)
        except (Rejected, Deferred) as refusal:
            reply = door.refuse(refusal)
            return HttpReply(reply.status, {**reply.headers, "connection": "close"}, reply.body)
        except TimeoutError:
            return self._too_slow(taken)
        address = scope["client"][0] if scope["client"] else ""
        return await door.handle(scope["method"], scope["query_string"].decode("latin-1"), headers, body, address)

    def _too_slow(self, taken: _Taken) -> HttpReply:
        taken.unread = False  # he had his time
        seconds = self._house.settings.body_seconds
        words = f"Wyślij całe żądanie w ciągu {seconds:g} s. Send the whole request within {seconds:g} s."
        return text(408, words, {"connection": "close"})

    async def _body(self, headers: Mapping[str, str], receive: Receive, taken: _Taken) -> bytes:
        """The whole body. Raises Rejected(receive.too_large), Deferred(receive.busy), TimeoutError, Gone."""
        limit = self._house.settings.max_body
        taken.unread = True
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            raise Rejected("receive.too_large", size=announced, limit=limit)
        # Most bodies come with their headers. How long the first byte may take is the connection's business, and a timer
        # that never runs out would cost every call as much as its token.
        part, more = await self._part(receive, taken, limit)
        if not more:
            return part
        parts = [part]
        async with asyncio.timeout(self._house.settings.body_seconds):
            while more:
                part, more = await self._part(receive, taken, limit)
                parts.append(part)
        return b"".join(parts)

    async def _part(self, receive: Receive, taken: _Taken, limit: int) -> tuple[bytes, bool]:
        """The next part of the body, and whether more of it is to come."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part: bytes = message.get("body", b"")
        taken.bytes += len(part)
        self._bytes += len(part)
        taken.unread = more = bool(message.get("more_body"))
        if taken.bytes > limit:
            raise Rejected("receive.too_large", size=taken.bytes, limit=limit)
        # While reading, because calls that begin together all find the house empty; small ones are always let in.
        if self._bytes > BODIES_AT_ONCE and taken.bytes > SMALL:
            raise Deferred("receive.busy", seconds=2)
        return part, more

    def _plain(self, scope: Scope, path: str) -> HttpReply:
        if path not in _PAGES:
            return self._nothing()
        if scope["method"] not in ("GET", "HEAD"):
            return text(405, "Tu tylko GET. Only GET here.", {"allow": "GET, HEAD"})
        if path == "/health/live":
            return text(200, "alive")
        if path == "/health/ready":
            trouble = self._house.trouble()
            return text(503, trouble, {"retry-after": "2"}) if trouble else text(200, "ready")
        if path == "/":
            return text(200, f"Brama. WSDL: {self._house.settings.url}{SOAP_PATH}?wsdl")
        return self._nothing()

    def _nothing(self) -> HttpReply:
        return text(404, f"Tu niczego nie ma. WSDL: {SOAP_PATH}?wsdl. Nothing here; POST messages to the address in the WSDL.")

    def _may_read_metrics(self, scope: Scope) -> bool:
        """How much goes through the gateway is nobody's business but the operators'."""
        if self._house.settings.metrics_for == "everyone":
            return True
        if not self._house.settings.trusted_proxies and any(name in _FORWARDED for name, _ in scope["headers"]):
            return False  # a proxy on this machine asks for somebody else
        try:
            return ip_address((scope["client"] or ("",))[0]).is_loopback
        except ValueError:  # what a trusted proxy wrote into X-Forwarded-For
            return False


class _Taken:
    """Bytes of one request's body that count against the process's bound, and whether more of it is still to come."""

    __slots__ = ("bytes", "unread")

    def __init__(self) -> None:
        self.bytes = 0
        self.unread = False


async def _linger(receive: Receive) -> None:
    """Read and drop what a refused sender still sends, within limits."""
    dropped, more = 0, True
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while more and dropped < LINGER_BYTES:
                message = await asyncio.wait_for(receive(), LINGER_PAUSE)
                dropped += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        return


async def _write(reply: HttpReply, receive: Receive, send: Send, seconds: float, *, last: bool) -> None:
    """Send it within so many seconds, and tell the reply whether it went out. Unless it is the `last` there is, the response
    is left open. Raises Gone."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    headers.append((b"content-length", b"%d" % len(reply.body)))
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": reply.after is not None or not last})
        if reply.after is not None:
            async with asyncio.timeout(seconds):
                await send({"type": "http.response.body", "body": b"", "more_body": True})  # returns when nearly all of it is out
            gone = await _is_gone(receive)
            await send({"type": "http.response.body", "body": b""})
            await reply.after(not gone)
    except Deferred as error:
        log.warning("document_not_settled", code=error.code)  # its claim runs out, and it is given once more
    except OSError:  # TimeoutError is one
        if reply.after is not None:
            await reply.after(False)
        raise Gone from None


async def _is_gone(receive: Receive) -> bool:
    """Whether the connection is known to be closed by now; asked before the response is ended, when uvicorn still tells."""
    waiting = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    if waiting.done():
        return bool(waiting.result()["type"] == "http.disconnect")
    waiting.cancel()
    return False
