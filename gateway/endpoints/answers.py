"""The door of the customs systems: `POST /systems/{system}/answers`.

An answer counts only from a caller proven to be that system, by the way its profile says. What a proven system sends
is always kept: matched to its message, or as a dead letter, so the system may forget it after our 202.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import OperationalError

from gateway.channels.answers import AnswerDesk
from gateway.database import StoreBusy
from gateway.endpoints.http import HttpReply, problem, text
from gateway.errors import Failed, Rejected
from gateway.pipeline import Dispatching
from gateway.ports import Adapter

log = structlog.get_logger("brama.answers")
security_log = structlog.get_logger("brama.security")


class AnswerDoor:
    """Takes answers for all systems that have an adapter."""

    def __init__(self, dispatching: Dispatching, desk: AnswerDesk, now: Callable[[], datetime]) -> None:
        self._dispatching, self._desk, self._now = dispatching, desk, now

    async def handle(self, system: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        """202 when kept; 503 when the store cannot take it now; 403 when the caller is not that system, or there is none of
        that name: he learns no more."""
        at = self._now()
        adapter = self._dispatching.adapters.get(system)
        try:
            if adapter is None:
                raise Rejected("reply.unauthenticated", system=system)
            adapter.authenticate(headers, body, at)
        except Rejected as refusal:
            security_log.warning("answer_not_authenticated", system=system, code=refusal.code, size=len(body))
            return problem(403, refusal)
        try:
            return self._take(adapter, system, body, at)
        except (StoreBusy, OperationalError):
            log.warning("answer_not_taken", system=system, code="record.store_unavailable")
            return text(503, "The store is busy, nothing was taken: send it again.", {"Retry-After": "1"})

    def _take(self, adapter: Adapter, system: str, body: bytes, at: datetime) -> HttpReply:
        try:
            replied = self._dispatching.take_answer(adapter.read_answer(body))
        except Failed as error:
            self._desk.keep(system, body, error, at)
            log.error("answer_dead", system=system, code=error.code)
            return text(202, "Kept for an operator.")
        log.info("answer_taken", system=system, sys_ref=replied.sys_ref, repeat=replied.repeat)
        return text(202, "Taken.")
