"""The door itself: one HTTP request in, one reply out.

The order is that of the channel: the envelope, its addressing headers, the policy, the token, and only then the
operation, which the element in the body names and nothing else. Every refusal becomes a fault by `gateway.faults`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from gateway.collection import Wanted
from gateway.endpoints.http import After, HttpReply, text
from gateway.endpoints.soap import reply
from gateway.endpoints.soap.addressing import Addressing, read_addressing
from gateway.endpoints.soap.contract import OPERATIONS, PULL, served
from gateway.endpoints.soap.criteria import read_search, read_wanted
from gateway.endpoints.soap.document import read_document
from gateway.endpoints.soap.envelope import Element, Envelope, read_envelope, unreadable
from gateway.endpoints.soap.keepers import Accept, Emergency, Mailbox, NoEmergency
from gateway.endpoints.soap.patience import Patience
from gateway.endpoints.soap.proving import Proving
from gateway.endpoints.soap.reply import HandedOut
from gateway.endpoints.soap.throttle import Throttle
from gateway.endpoints.soap.token import Accounts, Proven
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.faults import soap_fault
from gateway.message import Received
from gateway.ports import Clock
from gateway.settings import Settings
from gateway.steps.receive import receive

DOOR = "soap"
LARGE = 100_000  # bytes of body from which reading moves off the event loop
SEARCHES = 4  # searches in work at once: each may hold its documents some four times while the answer is written

#: faults after which the call may be sent again as it was
_UNSPENT = frozenset({"token.refused", "record.store_unavailable", "receive.too_many_calls", "receive.emergency"})

_log = structlog.get_logger("brama.door.soap")

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


@dataclass(frozen=True, slots=True)
class _Call:
    """A request of a proven caller."""

    addressing: Addressing
    proven: Proven
    at: datetime
    element: Element
    large: bool


class SoapDoor:
    """The SEAP channel. Knows its keepers by their promises only; `pool` reads large requests (None: the loop's own)."""

    def __init__(
        self,
        *,
        accept: Accept,
        mailbox: Mailbox,
        accounts: Accounts,
        clock: Clock,
        settings: Settings,
        pool: Executor | None = None,
        refused: Callable[[str], None] = lambda _code: None,
        emergency: Emergency | None = None,
    ) -> None:
        """`refused` is told the code of every fault."""
        self._emergency = emergency or NoEmergency()
        self._throttle = Throttle(
            failures=settings.token_failures,
            window=settings.failure_window,
            calls_per_second=settings.calls_per_second,
            calls_at_once=settings.calls_at_once,
        )
        self._accept = accept
        self._refused = refused
        self._mailbox = mailbox
        self._proving = Proving(accounts, self._throttle, timedelta(seconds=settings.token_window))
        self._clock = clock
        self._settings = settings
        self._patience = Patience(settings.operation_seconds)
        self._pool = pool
        self._searches = asyncio.Semaphore(SEARCHES)
        self._contract = served(settings.url)
        self._operations = {
            "AcceptDocument": self._accept_document,
            "GetNextDocument": self._get_next_document,
            "GetNextDocumentSisc": self._get_next_document_sisc,
            "GetDocuments": self._get_documents,
        }

    async def handle(self, method: str, query: str, headers: Mapping[str, str], body: bytes, address: str = "") -> HttpReply:
        """Answer one request. `query` is without its question mark, `headers` have lower-case names, `address` is the
        sender's. Never raises for anything a sender can do."""
        if method in ("GET", "HEAD"):
            return self._file(query)
        if method != "POST":
            return text(405, "Użyj POST albo GET ?wsdl. Use POST, or GET ?wsdl.", {"Allow": "GET, HEAD, POST"})
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            return text(415, "Nie kompresuj żądania. Do not compress the request.")
        media, charset = _content_type(headers.get("content-type", ""))
        if media not in ("text/xml", "application/xml", "application/soap+xml"):
            return text(415, "Użyj Content-Type: text/xml; charset=utf-8. Use Content-Type: text/xml; charset=utf-8.")
        return await self._post(body, charset, address, soap12=media == "application/soap+xml")

    def refuse(self, error: GatewayError) -> HttpReply:
        """The fault for a request that was never read: too many at once, too large, the channel closed."""
        _log.warning("soap.refused", code=error.code)
        self._refused(error.code)
        return _fault(None, None, error)

    def _file(self, query: str) -> HttpReply:
        content = self._contract.get(query.lower())
        if content is None:
            return text(404, "Tu jest ?wsdl, ?wsdl=2014 i pliki ?xsd=... Here are ?wsdl, ?wsdl=2014 and the files ?xsd=...")
        return HttpReply(200, {"Content-Type": "text/xml; charset=utf-8"}, content)

    async def _post(self, body: bytes, charset: str | None, address: str, *, soap12: bool) -> HttpReply:
        addressing: Addressing | None = None
        operation: str | None = None
        spendable: tuple[Proven, datetime] | None = None
        envelope: Envelope | None = None
        element: Element | None = None
        try:
            if soap12:
                raise Rejected("receive.soap_version")
            large = len(body) > LARGE
            envelope = await self._run(large, read_envelope, body, charset, self._settings.max_content)
            addressing = read_addressing(envelope)
            at = self._clock.now()
            proven = self._proving.caller(envelope, at, address)
            spendable = proven, at
            operation, element = _operation(envelope)
            serve = self._operations[operation]
            return await self._served(serve, _Call(addressing, proven, at, element, large), reading=operation != "AcceptDocument")
        except GatewayError as refusal:
            envelope = element = None
            error = await self._spent(spendable, _bare(refusal))
            _log.warning("soap.refused", code=error.code, operation=operation, address=address, **_noted(error))
            self._refused(error.code)
            return _fault(addressing, operation, error)
        except Exception as error:
            _log.exception("soap.failed", operation=operation, kind=type(error).__name__)
            self._refused("unexpected")
            envelope = element = None
            _bare(error)
            await self._spent(spendable, Failed("unexpected", kind=type(error).__name__))
            return _fault(addressing, operation, error)

    async def _served(self, serve: Callable[[_Call], Awaitable[HttpReply]], call: _Call, *, reading: bool) -> HttpReply:
        """Within the limits of one account, and in time."""
        self._emergency.check(reading=reading)
        account_id = call.proven.caller.account_id
        self._throttle.begin(account_id)
        task = self._patience.begin()
        try:
            return await serve(call)
        except asyncio.CancelledError:  # what was committed by then is found by the same bytes sent again; what was claimed is given again
            if not self._patience.ran_out(task):
                raise
            raise Deferred("receive.too_long", seconds=f"{self._patience.seconds:g}") from None
        finally:
            self._patience.end(task)
            self._throttle.end(account_id)

    async def _spent(self, spendable: tuple[Proven, datetime] | None, error: GatewayError) -> GatewayError:
        """The error to tell, once the nonce of a proven caller is used up: a call that failed may not be sent again as it was.
        A refusal is told once; to the same nonce again it is the token that is refused. What the store could not
        take and what was never begun are the exceptions: neither may cost a commit."""
        if spendable is None or error.code in _UNSPENT:
            return error
        proven, at = spendable
        try:
            await self._mailbox.spend(proven.caller.account_id, proven.nonce, at)
        except Rejected as used:
            return used if isinstance(error, Rejected) else error  # our own troubles may come after the call has spent it
        except Deferred as busy:
            return busy
        return error

    async def _accept_document(self, call: _Call) -> HttpReply:
        received = await self._run(call.large, self._received, call)
        try:
            recorded = await self._accept(received)
        except GatewayError as error:
            _log.info("soap.not_accepted", code=error.code, account=received.caller.account_id, digest=received.digest.hex())
            raise
        return _xml(200, reply.accepted(call.addressing, recorded.sys_ref))

    def _received(self, call: _Call) -> Received:
        document = read_document(call.element, self._settings.max_attachments)
        return receive(
            document.content,
            caller=call.proven.caller,
            door=DOOR,
            received_at=call.at,
            limit=self._settings.max_content,
            filename=document.filename,
            attachments=document.attachments,
            message_id=call.addressing.message_id,
            nonce=call.proven.nonce,
        )

    async def _get_next_document(self, call: _Call) -> HttpReply:
        wanted = Wanted(system=read_wanted(call.element).system)
        handed = await self._mailbox.next(call.proven.caller.account_id, wanted, call.proven.nonce, call.at)
        return await self._handed(call, handed, "GetNextDocument")

    async def _get_next_document_sisc(self, call: _Call) -> HttpReply:
        wanted = read_wanted(call.element)
        handed = await self._mailbox.next_sisc(call.proven.caller.account_id, wanted, call.proven.nonce, call.at)
        return await self._handed(call, handed, "GetNextDocumentSisc")

    async def _get_documents(self, call: _Call) -> HttpReply:
        search = read_search(call.element)
        async with self._searches:
            found = await self._mailbox.documents(call.proven.caller.account_id, search, call.proven.nonce, call.at)
            large = sum(len(document.content) for document in found.documents) > LARGE
            return _xml(200, await self._run(large, reply.documents, call.addressing, found))

    async def _handed(self, call: _Call, handed: HandedOut | None, operation: str) -> HttpReply:
        if handed is None:
            return _xml(200, reply.next_document(call.addressing, None, operation))
        try:
            body = await self._run(len(handed.content) > LARGE, reply.next_document, call.addressing, handed, operation)
        except Exception:
            await self._mailbox.release(handed.document_id, handed.claim)
            raise

        async def after(written: bool) -> None:
            settle = self._mailbox.collected if written else self._mailbox.release
            try:
                await settle(handed.document_id, handed.claim)
            except GatewayError as error:  # the answer is out; the claim ends by itself and the document is given again
                _log.warning("soap.not_settled", code=error.code, sys_ref=handed.sys_ref, written=written)

        return _xml(200, body, after)

    async def _run(self, large: bool, read: Callable[..., T], *arguments: object) -> T:
        if not large:
            return read(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._pool, read, *arguments)


def _bare(error: E) -> E:
    """The error without the frames it came through: they hold a document and its tree, and a commit is waited for now."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _operation(envelope: Envelope) -> tuple[str, Element]:
    if len(envelope.body) != 1:
        count = len(envelope.body)
        raise unreadable(f"the body has {count} elements instead of one", f"Body ma {count} elementów zamiast jednego")
    element = envelope.body[0]
    namespace, _, local = element.name.rpartition(" ")
    operation = OPERATIONS.get(local) if namespace == PULL else None
    if operation is None:
        raise unreadable(
            f"element {local[:60]} is no operation of namespace {PULL}",
            f"element {local[:60]} nie jest operacją przestrzeni nazw {PULL}",
        )
    return operation, element


def _content_type(value: str) -> tuple[str, str | None]:
    """Media type and charset of the header, lower case."""
    media, *parameters = value.split(";")
    for parameter in parameters:
        name, _, content = parameter.partition("=")
        if name.strip().lower() == "charset":
            return media.strip().lower(), content.strip().strip('"').lower() or None
    return media.strip().lower(), None


def _noted(error: GatewayError) -> dict[str, object]:
    """What the security log may keep of a refusal besides its code."""
    return {name: str(error.context[name])[:254] for name in ("reason", "login") if name in error.context}


def _fault(addressing: Addressing | None, operation: str | None, error: Exception) -> HttpReply:
    told = soap_fault(error)
    extra = {} if told.retry_after is None else {"Retry-After": str(told.retry_after)}
    return HttpReply(told.status, _XML | extra, reply.fault(addressing, operation, told))


_XML = {"Content-Type": "text/xml; charset=utf-8"}


def _xml(status: int, body: bytes, after: After | None = None) -> HttpReply:
    return HttpReply(status, _XML, body, after)
