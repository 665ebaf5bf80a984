"""What a trader's software does: a plain zeep client of the SEAP channel, with addressing and a digest token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from zeep import Client, Settings
from zeep.cache import InMemoryCache
from zeep.transports import Transport
from zeep.wsa import WsAddressingPlugin
from zeep.wsse.username import UsernameToken

from gateway.demo.people import Person
from gateway.endpoints.soap.token import hashed_password
from gateway.security.sign import sign_enveloped

CRD = "{http://crd.gov.pl/xml/schematy/UPO/2008/05/09/}"


@dataclass(frozen=True, slots=True)
class Collected:
    """A document taken from the mailbox. `sys_ref` is the message it belongs to, where the document says so."""

    filename: str
    content: bytes

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.content, etree.XMLParser(resolve_entities=False, no_network=True))

    @property
    def kind(self) -> str:
        return self.filename.partition(".")[0].partition("_")[0]

    def information(self, kind: str) -> list[str]:
        """The texts of a receipt's InformacjaUzupelniajaca of this type."""
        name = f"{CRD}TypInformacjiUzupelniajacej"
        return [e.text or "" for e in self.root.iter(f"{CRD}InformacjaUzupelniajaca") if e.get(name) == kind]


class Trader:
    """One person's software: signs with his key, calls with his account."""

    def __init__(self, person: Person, url: str, people: Path) -> None:
        self.person = person
        self._certificate = x509.load_pem_x509_certificate((people / f"{person.login}.pem").read_bytes())
        self._key: Any = load_pem_private_key((people / f"{person.login}.key").read_bytes(), None)
        token = UsernameToken(person.login, hashed_password(person.password), use_digest=True)
        self._client = Client(
            f"{url}/seap_wsChannel/DocumentHandlingPort?wsdl",
            wsse=token,
            plugins=[WsAddressingPlugin()],
            transport=Transport(cache=InMemoryCache(), timeout=30, operation_timeout=30),
            settings=Settings(strict=True),
        )

    def sign(self, document: bytes) -> bytes:
        """The document with an enveloped XAdES signature of this person."""
        return sign_enveloped(document, self._key, self._certificate)

    def submit(self, document: bytes, filename: str) -> str:
        """AcceptDocument; gives the sysRef. Raises zeep's Fault."""
        content = {"_value_1": document, "filename": filename, "mime": "application/xml"}
        result = self._client.service.AcceptDocument(document={"content": content, "targetSystems": {"system": ["NCTS2"]}})
        return str(result.sysRef if hasattr(result, "sysRef") else result)

    def next(self) -> tuple[Collected | None, bool]:
        """GetNextDocument: a document, if one waits, and whether more do."""
        response = self._client.service.GetNextDocument()
        if response is None or response.document is None:
            return None, False
        content = response.document.content
        return Collected(content.filename, content._value_1), bool(response.hasNext)

    def collect(self, seconds: float) -> Iterator[Collected]:
        """Every document that comes within `seconds`."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            document, _ = self.next()
            if document is None:
                time.sleep(0.15)
            else:
                yield document
