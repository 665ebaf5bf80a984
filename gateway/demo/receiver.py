"""A trader's own endpoint for pushed documents, simulated, a process of its own: `python -m gateway.demo.receiver --help`.

    POST /seap            AcceptDocument; checked: addressing, token (digest, age, nonce), schema
    GET  /seap?wsdl       its contract
    GET  /control/log     arrivals and effects as JSON
    POST /control/mode/M  from now on behave like M      POST /control/next/M  only for the next document

It behaves well by default: a document that comes again, by its dispatchId, has no second effect and gets the sysRef of the
first time. It reads what comes with its own few lines, not with the gateway's, so that it is a witness. The control is not
protected: this is a tool for tests and rehearsals.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import click
from lxml import etree

from gateway.endpoints.soap.contract import CHANNEL, PUSH
from gateway.endpoints.soap.push_contract import WSDL, push_sources

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
WSA = "{http://www.w3.org/2005/08/addressing}"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
CH = f"{{{CHANNEL}}}"
WINDOW = 300  # seconds

#: What `mode` and `next` take. Those in the second row take the document before they misbehave.
MODES = ("ok", "down", "business", "emergency", "content", "busy", "security", "redirect", "garbage", "huge", "missing")
AFTER = ("lost", "hang", "slow")
FAULTS = {
    "business": ("businessErrorFault", "B001", "Nie znam tej sprawy"),
    "emergency": ("businessErrorFault", "B010", "Tryb awaryjny"),
    "content": ("techErrorFault", "E003", "Nie znam tego schematu"),
    "busy": ("techErrorFault", "E011", "Za wiele połączeń"),
}


class Wrong(Exception):
    """The call is not what the contract and the policy ask for."""


@dataclass
class Books:
    """What arrived and what it led to, of all threads."""

    login: str
    password: str
    schema: etree.XMLSchema
    arrivals: list[dict[str, Any]] = field(default_factory=list)
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)  # by dispatchId
    nonces: set[str] = field(default_factory=set)
    mode: str = "ok"
    once: deque[str] = field(default_factory=deque)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def log(self) -> dict[str, Any]:
        with self.lock:
            effects = [{"dispatch_id": key, **value} for key, value in self.effects.items()]
            return {"arrivals": list(self.arrivals), "effects": effects, "most_at_once": self.most_at_once}

    def arrive(self, body: bytes) -> tuple[str, str]:
        """Read and check a call; gives the mode to behave in and its dispatchId."""
        with self.lock:
            arrival: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "wrong": ""}
            self.arrivals.append(arrival)
            mode = self.once.popleft() if self.once else self.mode
            arrival["mode"] = mode
            try:
                arrival |= self._read(body)
            except (Wrong, ValueError, etree.XMLSyntaxError) as error:
                arrival["wrong"] = str(error) or type(error).__name__
                raise Wrong(arrival["wrong"]) from None
            return mode, arrival["dispatch_id"]

    def take(self, dispatch_id: str) -> str:
        """The effect, once; gives the sysRef, also to a repeat."""
        with self.lock:
            arrival = next(a for a in reversed(self.arrivals) if a.get("dispatch_id") == dispatch_id)
            kept = {key: arrival[key] for key in ("filename", "sha256")} | {"sys_ref": str(uuid4())}
            return str(self.effects.setdefault(dispatch_id, kept)["sys_ref"])

    def _read(self, body: bytes) -> dict[str, Any]:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)  # a tool of the demo; 20 MB of Base64
        envelope = etree.fromstring(body, parser)
        header, content = envelope.find(f"{SOAP}Header"), envelope.find(f"{SOAP}Body")
        if header is None or content is None or len(content) != 1:
            raise Wrong("no SOAP 1.1 envelope with header and body")
        message_id = _text(header, f"{WSA}MessageID")
        if _text(header, f"{WSA}Action") != "AcceptDocument" or not _text(header, f"{WSA}To"):
            raise Wrong("addressing")
        self._check_token(header)
        if not self.schema.validate(content[0]):
            raise Wrong(f"schema: {str(self.schema.error_log)[:500]}")
        document = content[0][0]
        given = document.find(f"{CH}content")
        if given is None:
            raise Wrong("no content")
        data = base64.b64decode(given.text or "", validate=True)
        found: dict[str, Any] = {name: document.findtext(f"{CH}{name}") for name in ("caseId", "personSISC", "middleSISC", "endSISC")}
        found |= {"message_id": message_id, "dispatch_id": _text(document, f"{CH}dispatchId"), "filename": given.get("filename")}
        found |= {"sha256": hashlib.sha256(data).hexdigest(), "system": document.findtext(f"{CH}targetSystems/{CH}system")}
        return found

    def _check_token(self, header: etree._Element) -> None:
        token = header.find(f"{WSSE}Security/{WSSE}UsernameToken")
        if token is None:
            raise Wrong("no token")
        nonce, created = _text(token, f"{WSSE}Nonce"), _text(token, f"{WSU}Created")
        age = abs((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
        salt = base64.b64decode(nonce, validate=True) + created.encode()
        inner = base64.b64encode(_sha1(self.password.encode()))
        wanted = [base64.b64encode(_sha1(salt + secret)).decode() for secret in (self.password.encode(), inner)]
        said = _text(token, f"{WSSE}Password")
        if _text(token, f"{WSSE}Username") != self.login or not any(hmac.compare_digest(said, w) for w in wanted):
            raise Wrong("token: login or digest")
        if age > WINDOW or nonce in self.nonces:
            raise Wrong("token: stale or used")
        self.nonces.add(nonce)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _text(parent: etree._Element, name: str) -> str:
    found = parent.findtext(name)
    if not found:
        raise Wrong(f"{etree.QName(name).localname} is missing")
    return str(found)


def _schema() -> etree.XMLSchema:
    """The schema of the contract; its two files lie side by side for as long as libxml2 reads them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in push_sources().items():
            Path(folder, name).write_bytes(text)
        (types,) = etree.parse(str(Path(folder, WSDL))).iter("{http://schemas.xmlsoap.org/wsdl/}types")
        Path(folder, "push.xsd").write_bytes(etree.tostring(types[0]))  # with the prefixes of the elements around it
        return etree.XMLSchema(file=str(Path(folder, "push.xsd")))


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    books: Books
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """The log is /control/log."""

    def do_GET(self) -> None:
        if self.path == "/control/log":
            self._send(200, json.dumps(self.books.log()).encode(), "application/json")
        elif self.path == "/seap?wsdl":
            self._send(200, push_sources()[WSDL], "text/xml; charset=utf-8")
        else:
            self._send(404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        what, _, mode = self.path.removeprefix("/control/").partition("/")
        if self.path == "/seap":
            self._accept(body)
        elif what in ("mode", "next") and mode in (*MODES, *AFTER):
            if what == "mode":
                self.books.mode = mode
            else:
                self.books.once.append(mode)
            self._send(200, json.dumps({what: mode}).encode(), "application/json")
        else:
            self._send(404, b"")

    def _accept(self, body: bytes) -> None:
        books = self.books
        with books.lock:
            books.at_once += 1
            books.most_at_once = max(books.most_at_once, books.at_once)
        try:
            mode, dispatch_id = books.arrive(body)
        except Wrong as wrong:
            self._fault(f"<faultcode>soap:SecurityError</faultcode><faultstring>{escape(str(wrong))}</faultstring>")
        else:
            self._behave(mode, dispatch_id)
        finally:
            with books.lock:
                books.at_once -= 1

    def _behave(self, mode: str, dispatch_id: str) -> None:
        if mode in FAULTS:
            name, code, words = FAULTS[mode]
            error = f"<p:error><errorCode xmlns='{CHANNEL}'>{code}</errorCode><errorDesc xmlns='{CHANNEL}'>{words}</errorDesc></p:error>"
            detail = f"<detail><p:{name} xmlns:p='{PUSH}'>{error}</p:{name}></detail>"
            self._fault(f"<faultcode>soap:Server</faultcode><faultstring>{words}</faultstring>{detail}")
        elif mode == "security":
            self._fault("<faultcode xmlns:w='http://ws.apache.org/wss4j'>w:SecurityError</faultcode><faultstring>no</faultstring>")
        elif mode == "redirect":
            self._send(307, b"", location="http://127.0.0.1:1/elsewhere")
        elif mode in ("down", "missing"):
            self._send({"down": 503, "missing": 404}[mode], b"")
        elif mode in ("garbage", "huge"):
            self._send(200, b"<a/>" if mode == "garbage" else b"<a>" + b"x" * 10_000_000)
        else:
            self._take(mode, dispatch_id)

    def _take(self, mode: str, dispatch_id: str) -> None:
        sys_ref = self.books.take(dispatch_id)
        if mode == "lost":
            self.close_connection = True
            return
        time.sleep({"hang": 60.0, "slow": 1.0}.get(mode, 0))
        result = f"<result xmlns='{CHANNEL}'><sysRef>{sys_ref}</sysRef></result>"
        self._soap(200, f"<p:AcceptDocumentResponse xmlns:p='{PUSH}'>{result}</p:AcceptDocumentResponse>")

    def _fault(self, inside: str) -> None:
        self._soap(500, f"<soap:Fault>{inside}</soap:Fault>")

    def _soap(self, status: int, inside: str) -> None:
        envelope = f"<soap:Envelope xmlns:soap='{SOAP[1:-1]}'><soap:Body>{inside}</soap:Body></soap:Envelope>"
        self._send(status, envelope.encode())

    def _send(self, status: int, body: bytes, media: str = "text/xml; charset=utf-8", location: str | None = None) -> None:
        try:
            self.send_response(status)
            self.send_header("content-type", media)
            self.send_header("content-length", str(len(body)))
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the caller has gone


@click.command()
@click.option("--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="port 0: any free port")
@click.option("--login", default="brama", show_default=True, help="the login the gateway must give")
@click.option("--password", default="push-me", show_default=True, help="its password")
@click.option("--certificate", type=click.Path(exists=True, path_type=Path), help="serve HTTPS with this PEM of certificate and key")
def receiver(listen: str, login: str, password: str, certificate: Path | None) -> None:
    """Simulate a trader's own endpoint. Prints one JSON line with its address when it is ready."""
    handler = type("BoundHandler", (Handler,), {"books": Books(login, password, _schema())})
    host, _, port = listen.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    click.echo(json.dumps({"event": "ready", "address": f"{scheme}://{host}:{server.server_port}"}))
    server.serve_forever()


if __name__ == "__main__":
    receiver()
