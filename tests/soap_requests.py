"""What the SOAP tests share: requests as trader software writes them, and a door with keepers that remember."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Any
from uuid import uuid4

from lxml import etree

from gateway.collection import Found, Search, Wanted
from gateway.endpoints.soap.contract import CHANNEL, PULL
from gateway.endpoints.soap.door import HttpReply, SoapDoor
from gateway.errors import Rejected
from gateway.message import Received, Recorded
from gateway.settings import Settings

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
WSA_2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LOGIN, PASSWORD = "anna@agencja.example", "zażółć gęślą"
DOCUMENT = "<Pismo xmlns='urn:test'>Łódź</Pismo>".encode()


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def digest_a(nonce: bytes, created: str, password: str) -> str:
    return b64(sha1(nonce + created.encode() + password.encode()).digest())


def digest_b(nonce: bytes, created: str, password: str) -> str:
    return digest_a(nonce, created, b64(sha1(password.encode()).digest()))


def digest_c(nonce: bytes, created: str, password: str) -> str:
    return b64(sha1(nonce + created.encode() + sha1(password.encode()).digest()).digest())


@dataclass
class Token:
    """A UsernameToken; each field may be spoilt."""

    login: str = LOGIN
    password: str = PASSWORD
    nonce: bytes = field(default_factory=lambda: os.urandom(16))
    created: str = "2026-03-01T12:00:00Z"
    digest: Any = digest_b
    type_: str = f"{PROFILE}#PasswordDigest"
    encoding: str | None = BASE64

    def parts(self) -> dict[str, str]:
        encoding = f' EncodingType="{self.encoding}"' if self.encoding else ""
        return {
            "Username": f"<wsse:Username>{self.login}</wsse:Username>",
            "Password": f'<wsse:Password Type="{self.type_}">{self.digest(self.nonce, self.created, self.password)}</wsse:Password>',
            "Nonce": f"<wsse:Nonce{encoding}>{b64(self.nonce)}</wsse:Nonce>",
            "Created": f"<wsu:Created>{self.created}</wsu:Created>",
        }

    def xml(self, **changes: str) -> str:
        return f"<wsse:UsernameToken>{''.join((self.parts() | changes).values())}</wsse:UsernameToken>"


def security(inner: str, attributes: str = "") -> str:
    return f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"{attributes}>{inner}</wsse:Security>'


def addressing(namespace: str = WSA, **changes: str) -> str:
    values = {"Action": "AcceptDocument", "MessageID": f"urn:uuid:{uuid4()}", "To": "http://ws.example/"} | changes
    return "".join(f'<a:{name} xmlns:a="{namespace}">{value}</a:{name}>' for name, value in values.items() if value)


def content(data: bytes | str = DOCUMENT, attributes: str = 'filename="pismo.xml" mime="application/xml"') -> str:
    return f"<content {attributes}>{data if isinstance(data, str) else b64(data)}</content>"


def accept_body(inner: str | None = None) -> str:
    inner = content() + "<targetSystems><system>NCTS2</system></targetSystems>" if inner is None else inner
    return f'<p:AcceptDocumentRequest xmlns:p="{PULL}"><document xmlns="{CHANNEL}">{inner}</document></p:AcceptDocumentRequest>'


def next_body(inner: str = "") -> str:
    return f'<GetNextDocumentRequest xmlns="{PULL}">{inner}</GetNextDocumentRequest>'


def sisc_body(inner: str = "") -> str:
    return f'<GetNextDocumentSiscRequest xmlns="{PULL}">{inner}</GetNextDocumentSiscRequest>'


def documents_body(inner: str = "") -> str:
    return f'<GetDocumentsRequest xmlns="{PULL}">{inner}</GetDocumentsRequest>'


def envelope(body: str | None = None, headers: str | None = None, *, soap: str = SOAP) -> bytes:
    headers = addressing() + security(Token().xml()) if headers is None else headers
    body = accept_body() if body is None else body
    return f'<s:Envelope xmlns:s="{soap}"><s:Header>{headers}</s:Header><s:Body>{body}</s:Body></s:Envelope>'.encode()


@dataclass(frozen=True)
class KnownAccount:
    account_id: int
    active: bool
    secret: str | None

    def password(self) -> str | None:
        return self.secret


class KnownAccounts(dict[str, KnownAccount]):
    def find(self, login: str) -> KnownAccount | None:
        return self.get(login)


@dataclass(frozen=True)
class Waiting:
    document_id: str
    claim: int
    filename: str
    mime: str
    content: bytes
    has_next: bool
    sys_ref: str | None = None
    dispatch_id: str | None = None
    case_id: str | None = None
    person_sisc: str | None = None
    middle_sisc: str | None = None
    end_sisc: str | None = None


class FixedClock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class Gate:
    """A SoapDoor and what its keepers saw."""

    def __init__(self, **settings: Any) -> None:
        self.received: list[Received] = []
        self.waiting: list[Waiting] = []
        self.settled: list[tuple[str, str, int]] = []
        self.polls: list[tuple[int, str]] = []
        self.asked: list[Wanted | Search] = []
        self.found = Found()
        self.spent: set[tuple[int, str]] = set()  # nonces used up by calls that came to nothing
        self.error: Exception | None = None
        self.accounts = KnownAccounts(
            {
                LOGIN: KnownAccount(7, True, PASSWORD),
                "jan@firma.example": KnownAccount(8, True, "inne"),
                "old@firma.example": KnownAccount(9, False, PASSWORD),
            }
        )
        self.clock = FixedClock()
        self.settings = Settings(public_url="https://brama.example", **settings)
        self.door = SoapDoor(accept=self._accept, mailbox=self, accounts=self.accounts, clock=self.clock, settings=self.settings)

    async def _accept(self, received: Received) -> Recorded:
        if self.error:
            raise self.error
        self.received.append(received)
        return Recorded(received.sys_ref)

    async def next(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> Waiting | None:
        if self.error:
            raise self.error
        self.polls.append((account_id, nonce))
        self.asked.append(wanted)
        return self.waiting.pop(0) if self.waiting else None

    async def next_sisc(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> Waiting | None:
        return await self.next(account_id, wanted, nonce, at)

    async def documents(self, account_id: int, search: Search, nonce: str, at: datetime) -> Found:
        if self.error:
            raise self.error
        self.polls.append((account_id, nonce))
        self.asked.append(search)
        return self.found

    async def spend(self, account_id: int, nonce: str, at: datetime) -> None:
        if (account_id, nonce) in self.spent:
            raise Rejected("token.refused")
        self.spent.add((account_id, nonce))

    async def collected(self, document_id: str, claim: int) -> None:
        self.settled.append(("collected", document_id, claim))

    async def release(self, document_id: str, claim: int) -> None:
        self.settled.append(("released", document_id, claim))

    def http(self, method: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b"") -> HttpReply:
        return asyncio.run(self.door.handle(method, query, headers or {}, body))

    def post(self, body: bytes, content_type: str = "text/xml; charset=utf-8", **headers: str) -> HttpReply:
        return self.http("POST", "", {"content-type": content_type, **headers}, body)

    def untouched(self) -> bool:
        """Nothing reached the keepers."""
        return not self.received and not self.polls and not self.settled


def told(reply: HttpReply) -> tuple[str, str, str | None, str | None, str | None]:
    """Of a fault: code in Clark notation, string, name of the detail, errorCode, errorDesc."""
    root = etree.fromstring(reply.body)
    fault = root.find(f"{{{SOAP}}}Body/{{{SOAP}}}Fault")
    assert fault is not None, reply.body
    code = fault.find("faultcode")
    assert code is not None
    prefix, _, local = (code.text or "").partition(":")
    detail = fault.find("detail")
    entry = detail[0] if detail is not None else None
    return (
        f"{{{code.nsmap[prefix]}}}{local}",
        fault.findtext("faultstring") or "",
        etree.QName(entry).localname if entry is not None else None,
        fault.findtext(f".//{{{CHANNEL}}}errorCode"),
        fault.findtext(f".//{{{CHANNEL}}}errorDesc"),
    )


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")
