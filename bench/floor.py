"""The floor: the bare library calls that no gateway can do without, for the same messages.

Parse (lxml), XSD (the gateway's own compiled grammar), SHA-256 and Base64 decoding of the content, the three exclusive
canonical forms of an enveloped XAdES signature (document, SignedProperties, SignedInfo) with their digests, one RSA
verification, a receipt from a text template signed with P-256, and one raw sqlite3 commit (WAL, synchronous=FULL) shared
by 16 messages; HTTP is a bare ASGI application under the same server. No check, no decision, no SOAP, no history.
"""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time_ns
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from bench.load import Generator
from bench.messages import Signed
from bench.processes import cpu_seconds
from gateway.demo.people import ANNA
from gateway.message import DocumentType
from schemas.reader import SchemaReader
from schemas.shipped import shipped_editions

STEPS = ("base64", "hash", "parse", "validate", "canonicalise and digest", "verify RSA", "receipt", "commit / 16", "HTTP")
TYPE = DocumentType("NCTS2", "P5", "{http://ncts.dgtaxud.ec}CC015C", "in")
BATCH = 16
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_PROPERTIES = f"{_DS}Object/{{http://uri.etsi.org/01903/v1.3.2#}}QualifyingProperties/{{http://uri.etsi.org/01903/v1.3.2#}}SignedProperties"
_INFO = (
    '<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:CanonicalizationMethod Algorithm='
    '"http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm='
    '"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"></ds:SignatureMethod><ds:Reference URI="">%s</ds:Reference></ds:SignedInfo>'
)


@dataclass(frozen=True, slots=True)
class Floor:
    """Microseconds of CPU per message, by step. `alone`: of a commit that no other message shares, which is not in the total."""

    steps: dict[str, float]
    alone: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.steps.values())

    @property
    def total_alone(self) -> float:
        """The floor of a sender who waits for each answer before he sends again: nobody shares his commits."""
        return self.total - self.steps["commit / 16"] + self.alone


class Bare:
    """Runs the library calls. One instance per process; `home` is a prepared set-up with its keys and people."""

    def __init__(self, home: Path) -> None:
        reader = SchemaReader(shipped_editions())
        self._schema = reader.grammar(*reader.catalogue.document(TYPE)).schema
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, collect_ids=False)
        certificate = x509.load_pem_x509_certificate((home / "people" / f"{ANNA.login}.pem").read_bytes())
        self._key: Any = certificate.public_key()
        self._certificate = b64encode(certificate.public_bytes(Encoding.DER)).decode()
        self._seal = ec.generate_private_key(ec.SECP256R1())
        self._home = home

    def measure(self, messages: list[bytes]) -> dict[str, float]:
        """CPU by step over all `messages`, which go through the whole chain one after another, as they do in a server."""
        spent = dict.fromkeys(STEPS[:-1], 0)
        encoded = [b64encode(message) for message in messages]
        with self._database() as database:
            for start in range(0, len(encoded), BATCH):
                rows = [self._one(content, spent) for content in encoded[start : start + BATCH]]
                begun = process_time_ns()
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT INTO m (body, receipt) VALUES (?, ?)", rows)
                database.execute("COMMIT")
                spent["commit / 16"] += process_time_ns() - begun
        return {step: nanoseconds / 1000 / len(messages) for step, nanoseconds in spent.items()}

    def commit_alone(self, messages: list[bytes]) -> float:
        """CPU of a commit for each message, in microseconds."""
        spent = 0
        with self._database() as database:
            for message in messages:
                begun = process_time_ns()
                database.execute("BEGIN IMMEDIATE")
                database.execute("INSERT INTO m (body, receipt) VALUES (?, ?)", (message, message))
                database.execute("COMMIT")
                spent += process_time_ns() - begun
        return spent / 1000 / len(messages)

    def _one(self, encoded: bytes, spent: dict[str, int]) -> tuple[bytes, bytes]:
        marks = [process_time_ns()]
        content = b64decode(encoded)
        marks.append(process_time_ns())
        digest = hashlib.sha256(content).hexdigest()
        marks.append(process_time_ns())
        root = etree.fromstring(content, self._parser)
        marks.append(process_time_ns())
        signature: Any = root[-1]
        info, value = signature[0], b64decode(signature[1].text)
        signed = _c14n(info)
        parts = hashlib.sha256(_c14n(signature.find(_PROPERTIES))).digest()
        root.remove(signature)
        whole = hashlib.sha256(_c14n(root)).digest()
        marks.append(process_time_ns())
        valid = self._schema.validate(root)
        marks.append(process_time_ns())
        self._key.verify(value, signed, padding.PKCS1v15(), hashes.SHA256())
        marks.append(process_time_ns())
        receipt = self._receipt(digest)
        marks.append(process_time_ns())
        expected = [b64decode(element.text) for element in info.iter(f"{_DS}DigestValue")]
        if not valid or expected != [whole, parts]:
            raise RuntimeError("the floor was given a message that does not verify")
        order = ("base64", "hash", "parse", "canonicalise and digest", "validate", "verify RSA", "receipt")
        for step, begun, ended in zip(order, marks, marks[1:], strict=False):
            spent[step] += ended - begun
        return content, receipt

    def _receipt(self, digest: str) -> bytes:
        body = f"<r:Receipt xmlns:r='urn:floor'><r:Digest>{digest}</r:Digest><r:At>{time.time()}</r:At></r:Receipt>"
        info = _INFO % b64encode(hashlib.sha256(body.encode()).digest()).decode()
        r, s = decode_dss_signature(self._seal.sign(info.encode(), ec.ECDSA(hashes.SHA256())))
        value = b64encode(r.to_bytes(32) + s.to_bytes(32)).decode()
        return f"{body}<ds:Signature>{info}{value}{self._certificate}</ds:Signature>".encode()

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        file = self._home / "floor.db"
        database = sqlite3.connect(file, isolation_level=None)
        try:
            for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=250"):
                database.execute(f"PRAGMA {pragma}")
            database.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, body BLOB NOT NULL, receipt BLOB NOT NULL)")
            yield database
        finally:
            database.close()
            file.unlink()


def _c14n(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


class BareServer:
    """The bare ASGI application in a process of its own."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._host = f"127.0.0.1:{probe.getsockname()[1]}"
        self._process = subprocess.Popen([sys.executable, "-m", "bench.bare_http", self._host.rpartition(":")[2]])
        self._await()

    def _await(self) -> None:
        address, _, port = self._host.rpartition(":")
        for _ in range(200):
            try:
                socket.create_connection((address, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the bare server did not come up")

    def measure(self, signed: Signed, count: int, clients: int, home: Path) -> float:
        """Microseconds of CPU of the server per request, with the same requests as the gateway gets."""
        generator = Generator(signed, 0, count, clients, self._host, home)
        before = cpu_seconds(self._process.pid)
        load = generator.go()
        spent = cpu_seconds(self._process.pid) - before
        if len(load.sys_refs) != count:
            raise RuntimeError("the bare server lost a request")
        return spent * 1e6 / count

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(15)
