"""HTTP to a customs system: what a failed call tells about whether the request arrived.

Only three things can be said for sure: nothing arrived (no connection), the target said something (a status line), or
nobody knows (everything else). The last one is never guessed into one of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from gateway.errors import Deferred, Failed
from gateway.http_answer import HttpAnswer, in_words, read_answer, statement
from gateway.profile import SystemProfile

_CONNECTIONS = 32


class HttpClient:
    """Keeps connections to one system open. Redirects are not followed and no proxy is taken from the environment."""

    def __init__(self, profile: SystemProfile, url: str) -> None:
        """`url` is where requests are posted. Raises Failed(deliver.misconfigured) when it is no http(s) address."""
        self._system = profile.system
        self._setting = profile.transport["url_setting"]
        self._timeout = float(profile.transport["timeout"])
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise self._misconfigured(f"{url!r} is no address: {error}") from error
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise self._misconfigured(f"{url!r} is no http or https address")
        connect = float(profile.transport["connect_timeout"])
        self._client = httpx.AsyncClient(
            # Waiting for a free connection is bounded like connecting: nothing was sent in either.
            timeout=httpx.Timeout(self._timeout, connect=connect, pool=connect),
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=30),
            follow_redirects=False,
            trust_env=False,
        )

    async def post(self, content: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send once. Raises Deferred(deliver.unavailable) when surely nothing arrived, Deferred(deliver.in_doubt) when
        it may have, Failed(deliver.misconfigured) when this address can never work."""
        sent = {"accept-encoding": "identity", "user-agent": "brama", **headers}
        said: list[HttpAnswer] = []
        try:
            # httpx bounds each read; a target that sends one byte a second would hold the worker, so the sum is bounded too.
            async with asyncio.timeout(self._timeout), self._client.stream("POST", self._url, content=content, headers=sent) as response:
                said.append(statement(response))
                said.append(await read_answer(response))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Deferred("deliver.unavailable", system=self._system, detail=in_words(error)) from error
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise self._misconfigured(in_words(error)) from error
        except (httpx.HTTPError, TimeoutError) as error:
            if not said:
                raise Deferred("deliver.in_doubt", system=self._system, detail=in_words(error)) from error
        return said[-1]

    def _misconfigured(self, detail: str) -> Failed:
        return Failed("deliver.misconfigured", system=self._system, detail=detail, settings=self._setting)

    async def close(self) -> None:
        """Close the connections; call it when the worker ends."""
        await self._client.aclose()
