"""Software without a SOAP stack: it fills in a template, posts it, and looks for literal text in what comes back.

Each habit below was seen in software that works with the official channel, or is what a common HTTP library does by itself.
"""

from __future__ import annotations

import html
import re
import socket
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from gateway.faults import NO_SCHEMA, SECURITY
from tests.acceptance.caller import SOAP_PATH, Caller
from tests.acceptance.estate import PATIENCE, Estate
from tests.soap_requests import WSA_2004, accept_body, addressing, content, digest_a, envelope, next_body, security


def instant(spec: str, zone: str) -> str:
    return datetime.now(UTC).isoformat(timespec=spec).replace("+00:00", zone)


@dataclass(frozen=True)
class Habits:
    """How a piece of software calls."""

    token: dict[str, Any] = field(default_factory=dict)
    created: tuple[str, str] = ("seconds", "Z")
    addressing: dict[str, str] = field(default_factory=dict)
    security: str = ""  # attributes of its header
    before: bytes = b""  # what stands before the envelope
    version: str = "HTTP/1.1"
    headers: tuple[str, ...] = ('SOAPAction: "{operation}"',)
    content_type: str = "text/xml; charset=utf-8"
    chunked: bool = False
    waits: bool = False  # for 100 Continue

    def call(self, caller: Caller, operation: str, body: str) -> bytes:
        """The body of the reply, whatever it is."""
        message_id = f"urn:uuid:{uuid4()}"
        token = caller.token(created=instant(*self.created), **self.token).xml()
        addresses = addressing(**self.addressing, Action=operation, MessageID=message_id)
        sent = self.before + envelope(body, addresses + security(token, self.security))
        reply = self._exchange(caller.estate, operation, sent)
        assert f">{message_id}</RelatesTo>".encode() in reply
        return reply

    def _exchange(self, estate: Estate, operation: str, sent: bytes) -> bytes:
        framing = "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {len(sent)}"
        lines = [f"POST {SOAP_PATH} {self.version}", "Host: puesc.example", f"Content-Type: {self.content_type}", framing]
        lines += ["Connection: close"] if self.version == "HTTP/1.1" and "Connection" not in str(self.headers) else []
        lines += [line.format(operation=operation) for line in self.headers]
        with closing(socket.create_connection(("127.0.0.1", estate.port), timeout=10)) as wire:
            wire.sendall("\r\n".join([*lines, "", ""]).encode())
            if self.waits:
                assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            wire.sendall(b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (sent[:999], sent[999:])) + b"0\r\n\r\n" if self.chunked else sent)
            return answer(wire)


def answer(wire: socket.socket) -> bytes:
    """The whole body: as long as it says it is."""
    reader = wire.makefile("rb")
    assert reader.readline().split()[1] in (b"200", b"500")
    length = 0
    while line := reader.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return reader.read(length)


HABITS = {
    "addressing of 2004/08": Habits(addressing={"namespace": WSA_2004}),
    "bare SOAPAction": Habits(headers=("SOAPAction: {operation}",)),
    "empty SOAPAction": Habits(headers=('SOAPAction: ""',)),
    "no SOAPAction": Habits(headers=()),
    "one SOAPAction for every call": Habits(headers=('SOAPAction: "AcceptDocument"',)),
    "application/xml": Habits(content_type="application/xml"),
    "text/xml without charset": Habits(content_type="text/xml"),
    "digest (a)": Habits(token={"digest": digest_a}),
    "milliseconds, a nonce without EncodingType": Habits(token={"encoding": None}, created=("milliseconds", "Z")),
    "Created with +00:00": Habits(created=("seconds", "+00:00")),
    "mustUnderstand": Habits(security=' xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" soap:mustUnderstand="1"'),
    "byte order mark and XML declaration": Habits(before=b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n'),
    "chunks, as Java and .NET send them": Habits(chunked=True),
    "Expect: 100-continue, as .NET and curl send it": Habits(headers=("Expect: 100-continue", 'SOAPAction: "{operation}"'), waits=True),
    "an offer of HTTP/2, as Java makes it": Habits(
        headers=("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB", "SOAPAction: {operation}")
    ),
    "HTTP/1.0": Habits(version="HTTP/1.0"),
}


@pytest.fixture(scope="module")
def caller(spare: Callable[[], Caller]) -> Caller:
    return spare()


@pytest.mark.parametrize("name", HABITS)
def test_a_template_and_a_pattern_are_enough(caller: Caller, name: str) -> None:
    habits = HABITS[name]
    targets = "<targetSystems><system>NCTS2</system></targetSystems>"
    document = caller.declare(f"PLAIN-{list(HABITS).index(name)}")
    found = re.search(rb"<sysRef>([0-9a-f-]{36})</sysRef>", habits.call(caller, "AcceptDocument", accept_body(content(document) + targets)))
    assert found
    names, give_up = [], time.monotonic() + PATIENCE
    while "CC029C" not in " ".join(names) and time.monotonic() < give_up:
        reply = habits.call(caller, "GetNextDocument", next_body()).decode()
        if (mail := re.search(r'<content filename="([^"]+)" mime="application/xml">([^<]+)</content>', reply)) is None:
            assert 'hasNext="false"' in reply
            time.sleep(0.05)
            continue
        names.append(mail[1])
        assert names != ["UPP.xml"] or found[1] in b64decode(mail[2])
    assert [name.partition(".")[0].partition("_")[0] for name in names] == ["UPP", "CC928C", "CC028C", "CC029C"]


@pytest.mark.parametrize("name", ["addressing of 2004/08", "chunks, as Java and .NET send them"])
def test_faults_are_found_by_their_literal_elements(caller: Caller, name: str) -> None:
    habits = HABITS[name]
    reply = habits.call(caller, "AcceptDocument", accept_body(content(b"no XML"))).decode()
    assert "<faultstring>Błąd komunikacji</faultstring>" in reply
    assert "<errorCode>E003</errorCode>" in reply
    assert f"<errorDesc>{html.escape(NO_SCHEMA)}" in reply
    stranger = Caller(caller.estate, caller.name, "inne")
    assert f"<faultstring>{SECURITY}</faultstring>" in habits.call(stranger, "GetNextDocument", next_body()).decode()
