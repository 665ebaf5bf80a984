"""HTTP to an address that a trader chose: guarded, bounded, and saying what a failure tells.

Each call looks the name up anew, judges every address (`gateway.targets`) and connects to exactly these, with the name in
Host header, SNI and certificate check. Connections are not kept: the next call must judge again. Redirects are not followed,
no proxy is taken from the environment, a bounded part of the answer is read, and the whole call has one time limit.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from gateway.errors import Deferred
from gateway.http_answer import HttpAnswer, in_words, read_answer, statement
from gateway.targets import Lookup, Network, judged, port_of, split_url

LOOKUPS = 16  # at once; a slow name server must not hold up what other threads do
CONNECT_SHARE = 3  # a third of the time limit at most goes into connecting to one address


class PushHttp:
    """Posts one envelope to one endpoint."""

    def __init__(self, allowed: Sequence[Network], seconds: float, lookup: Lookup | None = None) -> None:
        """`allowed`: networks that are taken although they are not public; `lookup` stands in for the resolver in tests."""
        self._allowed, self._seconds, self._lookup = allowed, seconds, lookup
        self._threads = ThreadPoolExecutor(LOOKUPS, "push-lookup")
        self._usual: ssl.SSLContext | None = None

    async def post(self, url: str, certificate: str | None, envelope: bytes) -> HttpAnswer:
        """Send once.

        Raises Failed(push.url | push.address), Deferred(push.unresolved | push.unavailable) when surely nothing arrived,
        Deferred(push.in_doubt) when it may have.
        """
        parts = split_url(url)
        host, port = parts.hostname or "", port_of(parts)
        said: list[HttpAnswer] = []
        sent = False
        try:
            async with asyncio.timeout(self._seconds):
                addresses = await self.addresses(host, port)
                sent = True  # from here a time limit that runs out leaves us in doubt
                return await self._first_that_connects(url, addresses, self._context(certificate), envelope, said)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Deferred("push.unavailable", host=host, detail=in_words(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            if said:
                return said[-1]  # the status line was the statement
            if not sent:
                raise Deferred("push.unresolved", host=host, detail="no answer in time") from error
            raise Deferred("push.in_doubt", host=host, detail=in_words(error)) from error

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """What the name stands for, all of it judged. Raises Failed(push.address), Deferred(push.unresolved)."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, judged, host, port, self._allowed, self._lookup)

    async def connect(self, url: str, certificate: str | None) -> str:
        """Connect, with TLS where the address says https, and send nothing; gives the address that took it.

        Raises what `post` raises when nothing arrived.
        """
        parts = split_url(url)
        host, port = parts.hostname or "", port_of(parts)
        tls = self._context(certificate) if parts.scheme == "https" else None
        words = ""
        for address in await self.addresses(host, port):
            try:
                async with asyncio.timeout(self._seconds / CONNECT_SHARE):
                    _, writer = await asyncio.open_connection(address, port, ssl=tls, server_hostname=host if tls else None)
            except (OSError, TimeoutError) as error:
                words = in_words(error)
            else:
                writer.close()
                return address
        raise Deferred("push.unavailable", host=host, detail=words)

    async def _first_that_connects(
        self, url: str, addresses: Sequence[str], tls: ssl.SSLContext, envelope: bytes, said: list[HttpAnswer]
    ) -> HttpAnswer:
        parts = split_url(url)
        headers = {
            "host": parts.netloc,
            "content-type": "text/xml; charset=utf-8",
            "soapaction": '"AcceptDocument"',
            "accept-encoding": "identity",
            "user-agent": "brama",
            "connection": "close",
        }
        timeout = httpx.Timeout(self._seconds, connect=self._seconds / CONNECT_SHARE)
        async with httpx.AsyncClient(verify=tls, timeout=timeout, follow_redirects=False, trust_env=False) as client:
            for number, address in enumerate(addresses, 1):
                target = httpx.URL(url).copy_with(host=address)
                names = {"sni_hostname": parts.hostname}
                try:
                    async with client.stream("POST", target, content=envelope, headers=headers, extensions=names) as response:
                        said.append(statement(response))
                        return await read_answer(response)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if number == len(addresses):
                        raise
        raise AssertionError("a name that stands for no address has been refused before")

    def _context(self, certificate: str | None) -> ssl.SSLContext:
        if certificate is None:
            self._usual = self._usual or httpx.create_ssl_context()
            return self._usual
        return pinned(certificate)

    def close(self) -> None:
        """End the look-ups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def pinned(certificate: str) -> ssl.SSLContext:
    """TLS that trusts these certificates (PEM) alone: the server's own or its authority's. The name is checked all the same.

    The handshake itself refuses another server, so nothing is sent to it; a fingerprint could only be compared after.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # else a server certificate could not be its own anchor
    return context
