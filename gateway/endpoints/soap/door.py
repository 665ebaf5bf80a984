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
from typing import Protocol, TypeVar

import structlog

from gateway.collection import Found, Search, Wanted
from gateway.endpoints.http import After, HttpReply, text
from gateway.endpoints.soap import reply
from gateway.endpoints.soap.addressing import Addressing, read_addressing
from gateway.endpoints.soap.contract import OPERATIONS, PULL, served
from gateway.endpoints.soap.criteria import read_search, read_wanted
from gateway.endpoints.soap.document import read_document
from gateway.endpoints.soap.envelope import Element, Envelope, read_envelope, unreadable
from gateway.endpoints.soap.reply import HandedOut
from gateway.endpoints.soap.token import Accounts, Proven, check_timestamp, prove, read_token
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.faults import soap_fault
from gateway.message import Received, Recorded
from gateway.ports import Clock
from gateway.settings import Settings
from gateway.steps.receive import receive

DOOR = "soap"
LARGE = 100_000  # bytes of body from which reading moves off the event loop

_log = structlog.get_logger("brama.door.soap")


class Mailbox(Protocol):
    """Where documents wait for their account."""

    async def next(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> HandedOut | None:
        """Claim the next document not yet collected, spending `nonce` in the same transaction; None: there is none.

        Raises Rejected(token.refused) for a used nonce, Deferred(record.store_unavailable).
        """
        ...

    async def next_sisc(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> HandedOut | None:
        """As `next`, of any age. Raises also Rejected(read.no_sisc | read.no_permission)."""
        ...

    async def documents(self, account_id: int, search: Search, nonce: str, at: datetime) -> Found:
        """What is found. Raises as `next_sisc`, and Rejected(read.period)."""
        ...

    async def spend(self, account_id: int, nonce: str, at: datetime) -> None:
        """Use up the nonce of a call that came to nothing. Raises as `next`."""
        ...

    async def collected(self, document_id: str, claim: int) -> None:
        """It was written out completely."""
        ...

    async def release(self, document_id: str, claim: int) -> None:
        """It was not: give it to the next caller."""
        ...


Accept = Callable[[Received], Awaitable[Recorded]]
T = TypeVar("T")


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
    ) -> None:
        """`refused` is told the code of every fault."""
        self._accept = accept
        self._refused = refused
        self._mailbox = mailbox
        self._accounts = accounts
        self._clock = clock
        self._settings = settings
        self._window = timedelta(seconds=settings.token_window)
        self._pool = pool
        self._contract = served(settings.url)
        self._operations = {
            "AcceptDocument": self._accept_document,
            "GetNextDocument": self._get_next_document,
            "GetNextDocumentSisc": self._get_next_document_sisc,
            "GetDocuments": self._get_documents,
        }

    async def handle(self, method: str, query: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        """Answer one request. `query` is without its question mark, `headers` have lower-case names. Never raises for
        anything a sender can do."""
        if method in ("GET", "HEAD"):
            return self._file(query)
        if method != "POST":
            return text(405, "Użyj POST albo GET ?wsdl. Use POST, or GET ?wsdl.", {"Allow": "GET, HEAD, POST"})
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            return text(415, "Nie kompresuj żądania. Do not compress the request.")
        media, charset = _content_type(headers.get("content-type", ""))
        if media not in ("text/xml", "application/xml", "application/soap+xml"):
            return text(415, "Użyj Content-Type: text/xml; charset=utf-8. Use Content-Type: text/xml; charset=utf-8.")
        return await self._post(body, charset, soap12=media == "application/soap+xml")

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

    async def _post(self, body: bytes, charset: str | None, *, soap12: bool) -> HttpReply:
        addressing: Addressing | None = None
        operation: str | None = None
        spendable: tuple[Proven, datetime] | None = None
        try:
            if soap12:
                raise Rejected("receive.soap_version")
            large = len(body) > LARGE
            envelope: Envelope = await self._run(large, read_envelope, body, charset, self._settings.max_content)
            addressing = read_addressing(envelope)
            at = self._clock.now()
            proven = self._prove(envelope, at)
            spendable = proven, at
            operation, element = _operation(envelope)
            return await self._operations[operation](_Call(addressing, proven, at, element, large))
        except GatewayError as refusal:
            error = await self._spent(spendable, refusal)
            _log.warning("soap.refused", code=error.code, operation=operation, **_noted(error))
            self._refused(error.code)
            return _fault(addressing, operation, error)
        except Exception as error:
            _log.exception("soap.failed", operation=operation, kind=type(error).__name__)
            self._refused("unexpected")
            await self._spent(spendable, Failed("unexpected", kind=type(error).__name__))
            return _fault(addressing, operation, error)

    async def _spent(self, spendable: tuple[Proven, datetime] | None, error: GatewayError) -> GatewayError:
        """The error to tell, once the nonce of a proven caller is used up: a call that failed may not be sent again as it was.
        A refusal is told once; to the same nonce again it is the token that is refused. What the store could not take is
        the one exception: nothing can be written then."""
        if spendable is None or error.code in ("token.refused", "record.store_unavailable"):
            return error
        proven, at = spendable
        try:
            await self._mailbox.spend(proven.caller.account_id, proven.nonce, at)
        except Rejected as used:
            return used if isinstance(error, Rejected) else error  # our own troubles may come after the call has spent it
        except Deferred as busy:
            return busy
        return error

    def _prove(self, envelope: Envelope, at: datetime) -> Proven:
        token = read_token(envelope)
        check_timestamp(envelope, at, self._window)
        return prove(token, self._accounts, at, self._window)

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
        return await self._handed(call, await self._mailbox.next(call.proven.caller.account_id, wanted, call.proven.nonce, call.at))

    async def _get_next_document_sisc(self, call: _Call) -> HttpReply:
        wanted = read_wanted(call.element)
        return await self._handed(call, await self._mailbox.next_sisc(call.proven.caller.account_id, wanted, call.proven.nonce, call.at))

    async def _get_documents(self, call: _Call) -> HttpReply:
        search = read_search(call.element)
        found = await self._mailbox.documents(call.proven.caller.account_id, search, call.proven.nonce, call.at)
        large = sum(len(document.content) for document in found.documents) > LARGE
        return _xml(200, await self._run(large, reply.documents, call.addressing, found))

    async def _handed(self, call: _Call, handed: HandedOut | None) -> HttpReply:
        if handed is None:
            return _xml(200, reply.next_document(call.addressing, None))
        try:
            body = reply.next_document(call.addressing, handed)
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
