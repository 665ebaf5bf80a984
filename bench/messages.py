"""Signed declarations for one run, each with its own LRN and message identification, and the requests that carry them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha1
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.ncts.samples import cc015c
from gateway.demo.people import AGENCY, ANNA, IMPORTER, Person
from gateway.endpoints.soap.contract import CHANNEL, PULL
from gateway.endpoints.soap.token import hashed_password
from gateway.security.sign import sign_enveloped

#: KB of the declaration -> its goods items
ITEMS = {5: 1, 20: 11}
PATH = "/seap_wsChannel/DocumentHandlingPort"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_TOKEN = f"{_WSS}username-token-profile-1.0"

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header xmlns:wsa="http://www.w3.org/2005/08/addressing">'
    "<wsa:Action>{pull}/DocumentHandlingPort/{operation}Request</wsa:Action>"
    "<wsa:MessageID>urn:uuid:{message_id}</wsa:MessageID><wsa:To>{url}</wsa:To>"
    f'<wsse:Security xmlns:wsse="{_WSS}wssecurity-secext-1.0.xsd"><wsse:UsernameToken><wsse:Username>{{login}}</wsse:Username>'
    f'<wsse:Password Type="{_TOKEN}#PasswordDigest">{{digest}}</wsse:Password>'
    f'<wsse:Nonce EncodingType="{_WSS}soap-message-security-1.0#Base64Binary">{{nonce}}</wsse:Nonce>'
    f'<wsu:Created xmlns:wsu="{_WSS}wssecurity-utility-1.0.xsd">{{created}}</wsu:Created></wsse:UsernameToken></wsse:Security>'
    '</soap:Header><soap:Body><pull:{operation}Request xmlns:pull="{pull}">{inner}</pull:{operation}Request></soap:Body></soap:Envelope>'
)
_DOCUMENT = (
    f'<document xmlns="{CHANNEL}"><content filename="CC015C.xml" mime="application/xml">{{content}}</content>'
    "<targetSystems><system>NCTS2</system></targetSystems></document>"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Where the signed declarations of one size lie, and how large they are on average, in bytes."""

    file: Path
    count: int
    unsigned: int
    signed: int

    def read(self, start: int = 0, count: int | None = None) -> list[bytes]:
        messages: list[bytes] = pickle.loads(self.file.read_bytes())
        return messages[start : None if count is None else start + count]


def sign_many(home: Path, size: int, count: int) -> Signed:
    """`count` declarations of `size` KB, signed by the demo's declarant as XAdES-BES with RSA-2048, in a file of `home`."""
    people = home / "people"
    certificate = (people / f"{ANNA.login}.pem").read_bytes()
    key = (people / f"{ANNA.login}.key").read_bytes()
    chunks = [range(start, min(start + 250, count)) for start in range(0, count, 250)]
    with multiprocessing.get_context("spawn").Pool(min(len(chunks), os.cpu_count() or 1)) as pool:
        messages = [message for part in pool.imap(partial(_sign, size, key, certificate), chunks) for message in part]
    file = home / f"signed-{size}.pickle"
    file.write_bytes(pickle.dumps(messages))
    return Signed(file, count, len(_declaration(size, 0)), sum(map(len, messages)) // count)


def _sign(size: int, key: bytes, certificate: bytes, numbers: range) -> list[bytes]:
    private, holder = load_pem_private_key(key, None), x509.load_pem_x509_certificate(certificate)
    assert isinstance(private, rsa.RSAPrivateKey)
    return [sign_enveloped(_declaration(size, number), private, holder) for number in numbers]


def _declaration(size: int, number: int) -> bytes:
    name = f"B{size}-{number}"
    return cc015c(name, name, sender=AGENCY.eori, holder_eori=IMPORTER.eori, items=ITEMS[size], at=datetime.now(UTC))


def http_request(message: bytes, host: str) -> bytes:
    """A whole HTTP request with one signed declaration, a fresh nonce, MessageID and digest token; good for five minutes."""
    body = _request(ANNA, host, "AcceptDocument", _DOCUMENT.format(content=b64encode(message).decode()))
    head = f'POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: ""\r\n'
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def reading_request(person: Person, operation: str, criteria: str = "") -> bytes:
    """The body of a request that reads; `criteria` are elements without prefix."""
    return _request(person, "localhost", operation, re.sub(r"<(/?)", r"<\1pull:", criteria))


def _request(person: Person, host: str, operation: str, inner: str) -> bytes:
    nonce, created = os.urandom(16), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    digest = b64encode(sha1(nonce + created.encode() + hashed_password(person.password).encode()).digest()).decode()
    return _ENVELOPE.format(
        message_id=uuid4(),
        url=f"http://{host}{PATH}",
        login=person.login,
        digest=digest,
        nonce=b64encode(nonce).decode(),
        created=created,
        pull=PULL,
        operation=operation,
        inner=inner,
    ).encode()
