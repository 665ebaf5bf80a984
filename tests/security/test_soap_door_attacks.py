"""Attacks on the SOAP door, each with the fault it gets; none reaches a keeper. The list: soap_attacks.py."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from gateway.collection import Found
from gateway.endpoints.soap import reply
from gateway.endpoints.soap.document import safe_filename
from gateway.faults import NO_SCHEMA, SECURITY
from tests.security.soap_attacks import (
    CLIENT,
    DOCUMENTS,
    ENVELOPES,
    HARMLESS,
    HEADERS,
    S12,
    SECURITY_ERROR,
    SERVER,
    STRINGS,
    TRANSPORT,
    VERSION,
    attached,
    created,
    expires,
    good,
    timestamp,
)
from tests.soap_requests import (
    DOCUMENT,
    LOGIN,
    PASSWORD,
    SOAP,
    Gate,
    Token,
    Waiting,
    accept_body,
    addressing,
    ago,
    b64,
    content,
    digest_b,
    documents_body,
    envelope,
    next_body,
    reason,
    security,
    told,
)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("body", [accept_body(), next_body(), "<garbage/>"], ids=["accept", "next", "garbage"])
def test_headers(name: str, body: str) -> None:
    gate = Gate()
    headers, code = HEADERS[name]
    reply = gate.post(envelope(body, headers))
    fault = told(reply)
    assert fault[0] == code
    assert fault[1] == STRINGS.get(code, fault[1])
    assert fault[2:] == (None, None, None)
    assert reply.status == 500
    assert gate.untouched()


@pytest.mark.parametrize("name", HARMLESS)
def test_headers_that_change_nothing(name: str) -> None:
    gate = Gate()
    reply = gate.post(envelope(headers=HARMLESS[name] + addressing() + good()))
    assert reply.status == 200
    assert len(gate.received) == 1
    assert b"169.254" not in reply.body
    assert b"victim" not in reply.body
    assert b"somebody-else" not in reply.body


def test_security_marked_must_understand_is_understood() -> None:
    gate = Gate()
    marked = security(Token().xml(), f' xmlns:s="{SOAP}" s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"')
    assert gate.post(envelope(headers=addressing() + marked)).status == 200


def test_a_timestamp_that_holds_passes() -> None:
    gate = Gate()
    fine = timestamp(created(ago(seconds=5)) + expires(ago(seconds=-295)))
    assert gate.post(envelope(headers=addressing() + fine)).status == 200
    assert gate.post(envelope(headers=addressing() + timestamp(created(ago(seconds=5))))).status == 200


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes(name: str) -> None:
    gate = Gate()
    body, code = ENVELOPES[name]
    reply = gate.post(body)
    fault = told(reply)
    assert fault[0] == code
    assert fault[1]
    assert fault[2] is None
    assert reply.status == 500
    assert reply.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert gate.untouched()
    assert b"root:" not in reply.body


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "two contents"])
def test_documents(name: str) -> None:
    gate = Gate()
    reply = gate.post(envelope(accept_body(DOCUMENTS[name])))
    assert told(reply) == (SERVER, "Błąd komunikacji", "techErrorFault", "E003", NO_SCHEMA)
    assert reason(reply)[0].startswith("receive.")
    assert all(len(sentence) > 30 for sentence in reason(reply)[1:])
    assert gate.untouched()


def test_two_contents_are_no_valid_request() -> None:
    gate = Gate()
    assert told(gate.post(envelope(accept_body(DOCUMENTS["two contents"]))))[0] == CLIENT
    assert gate.untouched()


def test_bad_content_of_an_unknown_sender_is_not_talked_about() -> None:
    """Whoever is not known learns nothing but that, however bad the rest is."""
    gate = Gate()
    for inner in DOCUMENTS.values():
        headers = addressing() + security(Token(login="nikt@nigdzie.example").xml())
        assert told(gate.post(envelope(accept_body(inner), headers)))[:2] == (SECURITY_ERROR, SECURITY)
    assert gate.untouched()


def test_t13_fault_of_unknown_and_wrong_password_are_the_same_bytes_but_for_ids() -> None:
    import re

    def shape(token: Token) -> bytes:
        headers = addressing(MessageID="urn:uuid:1") + security(token.xml())
        return re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"ID", Gate().post(envelope(headers=headers)).body)

    spoilt = [
        Token(login="nikt@nigdzie.example"),
        Token(password="x"),
        Token(login="old@firma.example"),
        Token(created=ago(days=1)),
        Token(nonce=b"1"),
    ]
    assert len({shape(token) for token in spoilt}) == 1


def test_t13_unknown_accounts_cost_the_same_work() -> None:
    """The digest is computed for an unknown account too (counted, because a clock would make a flaky test)."""
    from gateway.endpoints.soap import token as module

    counts = []
    original = module._base64_sha1
    for login in (LOGIN, "nikt@nigdzie.example", "old@firma.example"):
        calls: list[int] = []

        def counting(data: bytes, calls: list[int] = calls) -> bytes:
            calls.append(len(data))
            return original(data)

        module._base64_sha1 = counting  # type: ignore[assignment]
        try:
            Gate().post(envelope(headers=addressing() + security(Token(login=login).xml())))
        finally:
            module._base64_sha1 = original
        counts.append(len(calls))
    assert len(set(counts)) == 1


@pytest.mark.parametrize("action", ["GetDocuments", "GetNextDocumentSisc", "", "urn:x"])
def test_t7_only_the_body_element_decides(action: str) -> None:
    gate = Gate()
    headers = addressing(Action=action or "x") + good()
    reply = gate.http("POST", "", {"content-type": "text/xml", "soapaction": f'"{action}"'}, envelope(next_body(), headers))
    assert reply.status == 200
    assert [account for account, _ in gate.polls] == [7]
    assert not gate.received


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("a.xml\r\nX-Evil: 1", "a.xmlX-Evil_ 1"),
        ("a\x00.xml", "a.xml"),
        ("C:\\a.xml", "a.xml"),
        ("c:a.xml", "c_a.xml"),
        ("\u202elmx.exe", "lmx.exe"),
        ("..", None),
        ("/", None),
        ("", None),
        (None, None),
        (" . ", None),
        ("zażółć.xml", "zażółć.xml"),
        ("a" * 300 + ".xml", "a" * 139 + ".xml"),
        ("a" * 300, "a" * 150),
        ("a." + "b" * 300, "a." + "b" * 148),
    ],
)
def test_t11_file_names(name: str | None, safe: str | None) -> None:
    assert safe_filename(name) == safe


def test_t11_file_names_in_a_request() -> None:
    gate = Gate()
    inner = content(attributes='filename="../x&#13;&#10;y.xml" mime="application/xml"')
    inner += attached(content(b"abc", 'filename="/etc/shadow" mime="other"'))
    assert gate.post(envelope(accept_body(inner))).status == 200
    assert gate.received[0].filename == "xy.xml"
    assert gate.received[0].attachments[0].filename == "shadow"


def test_t11_message_id_cannot_break_out_of_its_header() -> None:
    gate = Gate()
    reply = gate.post(envelope(headers=addressing(MessageID='a&#13;&#10;]]&gt;&lt;/RelatesTo&gt;"') + good()))
    assert b"&#13;&#10;]]&gt;&lt;/RelatesTo&gt;&quot;</RelatesTo>" in reply.body
    assert gate.received[0].message_id == 'a\r\n]]></RelatesTo>"'


def test_searches_asked_for_at_once_hold_few_answers_in_memory() -> None:
    gate, most, now = Gate(), 0, 0

    async def documents(*_: object) -> Found:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return Found()

    gate.documents = documents  # type: ignore[method-assign, assignment]

    async def flood() -> set[int]:
        headers = {"content-type": "text/xml"}
        replies = await asyncio.gather(*(gate.door.handle("POST", "", headers, envelope(documents_body())) for _ in range(40)))
        return {each.status for each in replies}

    assert asyncio.run(flood()) == {200}
    assert most <= 4


def test_a_large_document_is_written_out_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, threads = Gate(), []
    write = reply.next_document

    def next_document(*arguments: Any) -> bytes:
        threads.append(threading.get_ident() == threading.main_thread().ident)
        return write(*arguments)

    monkeypatch.setattr(reply, "next_document", next_document)
    gate.waiting = [Waiting(name, 1, "x.xml", "application/xml", bytes(size), False) for name, size in (("a", 200_000), ("b", 10))]
    assert [gate.post(envelope(next_body())).status for _ in gate.waiting[:]] == [200, 200]
    assert threads == [False, True]


@pytest.mark.parametrize("name", TRANSPORT)
def test_transport(name: str) -> None:
    gate = Gate()
    method, headers, status = TRANSPORT[name]
    assert gate.http(method, "", headers, envelope()).status == status
    assert gate.untouched()


@pytest.mark.parametrize("content_type", ["text/xml", "TEXT/XML; charset=UTF-8", 'application/xml;charset="utf-8"', "text/xml; action=x"])
def test_content_types_taken(content_type: str) -> None:
    assert Gate().post(envelope(), content_type).status == 200


def test_soap_12_type_gets_version_mismatch() -> None:
    assert told(Gate().post(envelope(soap=S12), "application/soap+xml"))[0] == VERSION


def test_no_secret_in_any_answer_or_log(capsys: pytest.CaptureFixture[str]) -> None:
    token = Token(created=ago(days=2))
    reply = Gate().post(envelope(headers=addressing() + security(token.xml())))
    printed = capsys.readouterr()
    for text in (reply.body.decode(), printed.out, printed.err):
        assert PASSWORD not in text
        assert digest_b(token.nonce, token.created, PASSWORD) not in text
        assert b64(DOCUMENT) not in text
