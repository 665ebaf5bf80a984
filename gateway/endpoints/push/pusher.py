"""The loop that hands mailbox documents to traders' endpoints, beside the deliveries in the worker.

Nothing is locked while a call is under way. A process that dies between sending and writing that down leaves a claim that
ends by itself; the document is then sent again under the same identifiers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, cast

import structlog
from sqlalchemy.exc import OperationalError

from gateway.channels.pushes import Push, PushQueue
from gateway.channels.queue import LostLease
from gateway.database import StoreBusy
from gateway.endpoints.push.call import Call, Credentials, Document
from gateway.endpoints.push.client import PushHttp
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.targets import split_url

log = structlog.get_logger("brama.push")

POLL = 0.2  # seconds between looks
AFTER_TROUBLE = timedelta(seconds=1)
IN_WORK = 32  # calls at once, to all endpoints together
BYTES_IN_WORK = 32 * 1024 * 1024  # of documents, and one more; beyond, nothing is claimed until some are done
LARGE = 256 * 1024  # bytes; beyond, the envelope is made beside the event loop


class Pusher:
    """Runs until told to stop; then finishes what it has claimed. One per worker process."""

    def __init__(
        self, queue: PushQueue, call: Call, http: PushHttp, password: Callable[[Push], str], now: Callable[[], datetime], *, at_once: int
    ) -> None:
        """`password` decrypts an endpoint's password and may raise Failed(keys.*); `at_once`: calls to one endpoint."""
        self._queue, self._call, self._http = queue, call, http
        self._password, self._now, self._at_once = password, now, at_once
        self._running: set[asyncio.Task[None]] = set()
        self._busy: Counter[int] = Counter()
        self._bytes = 0
        self._failed_at: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not self._start_what_is_due():
                await self._rest(stop)
            await asyncio.sleep(0)  # what was started begins before more is claimed
        if self._running:
            await asyncio.wait(self._running)

    def _start_what_is_due(self) -> int:
        claimed = self._claimed()
        for push in claimed:
            self._busy[push.endpoint.account_id] += 1
            self._bytes += len(push.content)
            task = asyncio.create_task(self._hand_over(push))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claimed)

    def _claimed(self) -> list[Push]:
        at = self._now()
        if self._failed_at is not None and timedelta(0) <= at - self._failed_at < AFTER_TROUBLE:  # not when the clock was set back
            return []
        try:
            self._queue.find(at)
            free, size = IN_WORK - len(self._running), BYTES_IN_WORK - self._bytes
            return self._queue.claim(at, self._room, free, size) if free > 0 and size > 0 else []
        except (StoreBusy, OperationalError, Deferred):
            log.warning("push_queue_unavailable")
        except Exception:
            log.exception("push_queue_failed")  # one broken row must not end all pushing
        self._failed_at = at
        return []

    def _room(self, account_id: int, failing: bool) -> int:
        return (1 if failing else self._at_once) - self._busy[account_id]

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until the next look, a finished call (its endpoint may be called again) or the order to stop."""
        halted = asyncio.create_task(stop.wait())
        await asyncio.wait({halted, *self._running}, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
        halted.cancel()

    async def _hand_over(self, push: Push) -> None:
        account = push.endpoint.account_id
        try:
            await self._attempt(push)
        except LostLease:
            log.warning("push_lease_lost", document=push.document_id, account=push.endpoint.account)
        except Exception:
            log.exception("push_result_not_written", document=push.document_id)  # the claim ends and it is sent again
        finally:
            self._bytes -= len(push.content)
            self._busy[account] -= 1
            if not self._busy[account]:
                del self._busy[account]

    async def _attempt(self, push: Push) -> None:
        about = {"document": push.document_id, "sys_ref": push.sys_ref, "account": push.endpoint.account, "attempt": push.attempts}
        try:
            answer = await self._send(push)
        except Rejected as error:
            self._queue.refused(push, error, self._now())
            log.warning("push_refused", code=error.code, **about)
        except GatewayError as error:
            self._failed(push, error, about)
        except Exception as error:
            log.exception("push_failed_unexpectedly", **about)
            self._failed(push, Failed("unexpected", kind=type(error).__name__), about)
        else:
            self._queue.done(push, answer, self._now())
            log.info("pushed", **about)

    def _failed(self, push: Push, error: GatewayError, about: dict[str, object]) -> None:
        if self._queue.failed(push, error, self._now()):
            log.error("push_endpoint_blocked", code=error.code, cure=f"brama push unblock {push.endpoint.account}", **about)
        else:
            log.info("push_put_off", code=error.code, **about)

    async def _send(self, push: Push) -> str:
        """The endpoint's sysRef. Raises what the call's table says."""
        endpoint = push.endpoint
        credentials = Credentials(endpoint.login, self._password(push), cast("Literal['a', 'b']", endpoint.digest))
        person, agency, party = push.grades
        document = Document(
            push.document_id,
            push.filename,
            push.content,
            case_id=push.case_id,
            person_sisc=person,
            middle_sisc=agency,
            end_sisc=party,
        )
        make = self._call.request
        if len(push.content) > LARGE:
            envelope = await asyncio.to_thread(make, endpoint.url, credentials, document)
        else:
            envelope = make(endpoint.url, credentials, document)
        answer = await self._http.post(endpoint.url, endpoint.certificate, envelope)
        return self._call.judge(split_url(endpoint.url).hostname or "", answer)
