"""A trader who speaks raw HTTP, so that every byte of a call is the test's own."""

from __future__ import annotations

import http.client
import re
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from adapters.ncts.samples import cc015c
from gateway.demo.people import AGENCY, IMPORTER
from gateway.endpoints.soap.contract import CHANNEL
from gateway.security.sign import sign_enveloped
from tests.acceptance.estate import PATIENCE, Estate, password
from tests.soap_requests import Token, accept_body, addressing, content, envelope, next_body, reason, security, told

SOAP_PATH = "/seap_wsChannel/DocumentHandlingPort"
CRD = "{http://crd.gov.pl/xml/schematy/UPO/2008/05/09/}"
XML = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass(frozen=True)
class Reply:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def sys_ref(self) -> str:
        """Of an accepted document; taken as clients do that look for the literal element."""
        assert self.status == 200, (self.status, self.body[:600])
        found = re.search(rb"<sysRef>([0-9a-f-]{36})</sysRef>", self.body)
        assert found, self.body[:600]
        return found[1].decode()

    @property
    def fault(self) -> tuple[str, str, str | None, str | None, str | None]:
        """Code in Clark notation, string, detail's name, errorCode, errorDesc."""
        assert self.status == 500, (self.status, self.body[:600])
        return told(self)  # type: ignore[arg-type]

    @property
    def reason(self) -> tuple[str, str, str]:
        """Our code and sentences (Polish, English) in the header beside a fault."""
        return reason(self)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Mail:
    """A document out of the mailbox."""

    filename: str
    content: bytes

    @property
    def kind(self) -> str:
        return self.filename.partition(".")[0].partition("_")[0]

    def information(self, kind: str) -> list[str]:
        name = f"{CRD}TypInformacjiUzupelniajacej"
        return [e.text or "" for e in etree.fromstring(self.content).iter(f"{CRD}InformacjaUzupelniajaca") if e.get(name) == kind]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unsigned(lrn: str, message_id: str | None = None, *, sender: str = AGENCY.eori, holder: str = IMPORTER.eori, items: int = 1) -> bytes:
    """A declaration nobody has used before (unless `message_id` is given)."""
    return cc015c(lrn, message_id or f"A{uuid4().hex}", sender=sender, holder_eori=holder, items=items, at=datetime.now(UTC))


@dataclass
class Caller:
    """One person's software."""

    estate: Estate
    name: str
    secret: str = ""
    login: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        self.login = self.login or f"{self.name}@agencja.example"
        self.secret = self.secret or password(self.name)

    @cached_property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.estate.home / "people" / f"{self.login}.pem").read_bytes())

    @cached_property
    def key(self) -> Any:
        return load_pem_private_key((self.estate.home / "people" / f"{self.login}.key").read_bytes(), None)

    def sign(self, document: bytes, **options: Any) -> bytes:
        return sign_enveloped(document, self.key, self.certificate, **options)

    def declare(self, lrn: str, message_id: str | None = None, **options: Any) -> bytes:
        """A signed declaration of its own."""
        return self.sign(unsigned(lrn, message_id, **options))

    # --- calls ------------------------------------------------------------------------------------------------------

    def token(self, **changes: Any) -> Token:
        return Token(**{"login": self.login, "password": self.secret, "created": now(), **changes})

    def envelope(self, body: str, *, token: Token | None = None, **addresses: str) -> bytes:
        return envelope(body, addressing(**addresses) + security((token or self.token()).xml()))

    def submission(self, document: bytes | str, **options: Any) -> bytes:
        return self.envelope(accept_body(content(document) + "<targetSystems><system>NCTS2</system></targetSystems>"), **options)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        return post(self.estate.url, SOAP_PATH, body, headers or XML)

    def send(self, document: bytes | str, **options: Any) -> Reply:
        return _patiently(lambda: self.post(self.submission(document, **options)))

    def submit(self, document: bytes | str, **options: Any) -> str:
        """The sysRef."""
        return self.send(document, **options).sys_ref

    def poll(self) -> Mail | None:
        reply = _patiently(lambda: self.post(self.envelope(next_body(), Action="GetNextDocument")))
        assert reply.status == 200, reply.body[:600]
        found = etree.fromstring(reply.body).find(f".//{{{CHANNEL}}}content")
        return None if found is None else Mail(found.get("filename") or "", b64decode(found.text or ""))

    def drain(self) -> list[Mail]:
        """Everything that waits now."""
        taken: list[Mail] = []
        while (mail := self.poll()) is not None:
            taken.append(mail)
        return taken

    def collect(self, last: str, seconds: float = PATIENCE, count: int = 1) -> list[Mail]:
        """All documents until `count` of kind `last` have come."""
        taken: list[Mail] = []
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if (mail := self.poll()) is None:
                time.sleep(0.05)
                continue
            taken.append(mail)
            if [m.kind for m in taken].count(last) == count:
                return taken
        raise AssertionError(f"{count} {last} did not come within {seconds} s, only {[m.kind for m in taken]}")

    def npp(self) -> Mail:
        """The one document that waits, which must be a refusal."""
        taken = self.drain()
        assert [mail.kind for mail in taken] == ["NPP"], [mail.kind for mail in taken]
        return taken[0]


def spares(estate: Estate, number: int) -> Callable[[], Caller]:
    """Gives, one after another, traders whom no other test has used."""
    left = iter(range(number))

    def fresh() -> Caller:
        trader = next(left, None)
        assert trader is not None, "raise TRADERS"
        return Caller(estate, f"trader{trader:02}")

    return fresh


def _patiently(call: Callable[[], Reply]) -> Reply:
    """As trader software should: whoever hears Retry-After (a store busy for a moment) comes again, a few times."""
    for _ in range(5):
        if "retry-after" not in (reply := call()).headers:
            break
        time.sleep(0.3)
    return reply


def post(url: str, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Reply:
    """One request over a connection of its own."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
