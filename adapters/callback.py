"""Calling the gateway back: a simulated system gives its answers, signed, in order, until they are taken."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import httpx

from adapters.proof import Secrets, sign_answer
from adapters.wire_log import PlannedAnswer, WireLog

#: The gateway has read the answer and will say the same again: the next one may go.
_FINAL_REFUSALS = frozenset({400, 406, 409, 413, 415, 422})
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


class Callback:
    """Posts the planned answers of each request to `url`, those of one request one after another."""

    def __init__(self, log: WireLog, url: str, secrets: Secrets, speed: float) -> None:
        self._log = log
        self._url = url
        self._secrets = secrets
        self._speed = speed
        self._client = httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=16), trust_env=False)
        self._running: set[asyncio.Task[None]] = set()

    def start(self, request_id: str) -> None:
        """Give the answers of this request, in the background."""
        task = asyncio.get_running_loop().create_task(self._give(request_id), name=f"answers to {request_id}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            print(f"{task.get_name()}: {error!r}", file=sys.stderr, flush=True)

    async def _give(self, request_id: str) -> None:
        for answer in self._log.planned(request_id):
            await asyncio.sleep(answer.pause / self._speed)
            await self._until_taken(answer)

    async def _until_taken(self, answer: PlannedAnswer) -> None:
        pause = _FIRST_PAUSE
        while (state := await self._post(answer)) == "planned":
            self._log.tried(answer, state)
            await asyncio.sleep(pause / self._speed)
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._log.tried(answer, state)

    async def _post(self, answer: PlannedAnswer) -> str:
        headers = {"content-type": "application/xml", **sign_answer(self._secrets, answer.content, datetime.now(UTC))}
        try:
            response = await self._client.post(self._url, content=answer.content, headers=headers)
        except httpx.HTTPError:
            return "planned"
        if response.is_success:
            return "given"
        return "refused" if response.status_code in _FINAL_REFUSALS else "planned"

    async def close(self) -> None:
        """Stop; what was not taken stays planned in the log."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._client.aclose()
