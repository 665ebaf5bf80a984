"""How long one operation may take. One timer looks after all calls: a timer for each would cost 6 microseconds a call."""

from __future__ import annotations

import asyncio
from typing import Any

OFTEN = 1.0  # seconds between two looks, at most


class Patience:
    """Cancels the task of a call that has taken `seconds` or longer. Used from one event loop only."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._pause = min(OFTEN, seconds / 4)
        self._since: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._looking = False

    def begin(self) -> asyncio.Task[Any]:
        """The present task begins a call; `end` must follow, whatever becomes of it."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is None:
            raise RuntimeError("a call is served in a task")
        self._since[task] = loop.time()
        if not self._looking:
            self._looking = True
            loop.call_later(self._pause, self._look, loop)
        return task

    def end(self, task: asyncio.Task[Any]) -> None:
        del self._since[task]
        self._ended.discard(task)

    def ran_out(self, task: asyncio.Task[Any]) -> bool:
        """Whether the task was cancelled from here, and not by somebody else; asked between `begin` and `end`."""
        if task not in self._ended:
            return False
        task.uncancel()
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        oldest = loop.time() - self.seconds
        for task, since in self._since.items():  # in the order they began
            if since > oldest:
                break
            if task not in self._ended:
                self._ended.add(task)
                task.cancel()
        self._looking = bool(self._since)
        if self._looking:
            loop.call_later(self._pause, self._look, loop)
