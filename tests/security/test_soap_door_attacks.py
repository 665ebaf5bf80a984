"""Attacks on the SOAP door, each with the fault it gets; none reaches a keeper.

Names in brackets are those of the project's list of attacks: T transport, W the WS-Security families.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from gateway.collection import Found
from gateway.endpoints.soap import reply
from gateway.endpoints.soap.document import safe_filename
from gateway.faults import ADDRESSING_INVALID, ADDRESSING_MISSING, NO_SCHEMA, POLICY, SECURITY
from tests.soap_requests import (
    CHANNEL,
    DOCUMENT,
    LOGIN,
    PASSWORD,
    PROFILE,
    PULL,
    SOAP,
    WSA,
    WSA_2004,
    WSU,
    Gate,
    Token,
    Waiting,
    accept_body,
    addressing,
    ago,
    b64,
    content,
    digest_b,
    digest_c,
    documents_body,
    envelope,
    next_body,
    reason,
    security,
    told,
)

CLIENT = f"{{{SOAP}}}Client"
SERVER = f"{{{SOAP}}}Server"
SECURITY_ERROR = "{http://ws.apache.org/wss4j}SecurityError"
MISSING = f"{{{WSA}}}MessageAddressingHeaderRequired"
INVALID = f"{{{WSA}}}InvalidAddressingHeader"
MUST = f"{{{SOAP}}}MustUnderstand"
VERSION = f"{{{SOAP}}}VersionMismatch"

S12 = "http://www.w3.org/2003/05/soap-envelope"


def good() -> str:
    return security(Token().xml())


def timestamp(inner: str) -> str:
    return security(f'<wsu:Timestamp xmlns:wsu="{WSU}">{inner}</wsu:Timestamp>' + Token().xml())


def created(value: str) -> str:
    return f"<wsu:Created>{value}</wsu:Created>"


def expires(value: str) -> str:
    return f"<wsu:Expires>{value}</wsu:Expires>"


def attached(contents: str) -> str:
    return f"<attachments>{contents}</attachments>"


def raw(text: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP}">{text}</s:Envelope>'.encode()


HEADERS = {
    # --- addressing comes first, whatever the token is like
    "no headers": ("", MISSING),
    "token but no addressing": (good(), MISSING),
    "no Action": (addressing(Action="") + good(), MISSING),
    "no MessageID": (addressing(MessageID="") + good(), MISSING),
    "no To": (addressing(To="") + good(), MISSING),
    "blank MessageID": (addressing(MessageID=" \n ") + good(), MISSING),
    "no addressing and a wrong token": (security(Token(password="x").xml()), MISSING),
    "halves of two namespaces": (addressing(Action="") + addressing(WSA_2004, MessageID="", To="") + good(), MISSING),
    "unknown addressing namespace": (addressing("http://schemas.xmlsoap.org/ws/2003/03/addressing") + good(), MISSING),
    "two MessageIDs": (addressing() + addressing(Action="", To="") + good(), INVALID),
    "endless MessageID": (addressing(MessageID="m" * 2001) + good(), INVALID),
    "addressing meant for another actor": (
        addressing().replace("<a:To ", f'<a:To s:actor="urn:other" xmlns:s="{SOAP}" ') + good(),
        MISSING,
    ),
    # --- then the policy
    "no Security": (addressing(), SERVER),
    "[W12] Security for another actor": (addressing() + security(Token().xml(), f' xmlns:s="{SOAP}" s:actor="urn:other"'), SERVER),
    "Security in another namespace": (addressing() + good().replace("wssecurity-secext-1.0", "wssecurity-secext-9.9"), SERVER),
    "only a Timestamp": (addressing() + security(created(ago(seconds=1))), SERVER),
    # --- then the token
    "[W12] two Security headers": (addressing() + good() + good(), SECURITY_ERROR),
    "[W12] good and empty Security": (addressing() + good() + security(""), SECURITY_ERROR),
    "two tokens": (addressing() + security(Token().xml() + Token().xml()), SECURITY_ERROR),
    "[W19-21] unknown token beside": (
        addressing()
        + security(Token().xml() + '<wsse:SecurityTokenReference><wsse:Reference URI="http://x/"/></wsse:SecurityTokenReference>'),
        SECURITY_ERROR,
    ),
    "[W21] an encrypted key beside": (
        addressing() + security('<x:EncryptedKey xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>' + Token().xml()),
        SECURITY_ERROR,
    ),
    "[W11] password in clear": (addressing() + security(Token(type_=f"{PROFILE}#PasswordText").xml()), SERVER),
    "[W11] empty password": (addressing() + security(Token(password="").xml()), SECURITY_ERROR),
    "[W11] digest over the nonce's text": (
        addressing() + security(Token(digest=lambda n, c, p: digest_b(b64(n).encode(), c, p)).xml()),
        SECURITY_ERROR,
    ),
    "[T3] digest with the raw inner hash": (addressing() + security(Token(digest=digest_c).xml()), SECURITY_ERROR),
    "[T2, W5] old Created": (addressing() + security(Token(created=ago(seconds=301)).xml()), SECURITY_ERROR),
    "[T2, W6] Created a little ahead of the window": (addressing() + security(Token(created=ago(seconds=-301)).xml()), SECURITY_ERROR),
    "[T2, W6] Created years ahead": (addressing() + security(Token(created=ago(days=-3000)).xml()), SECURITY_ERROR),
    "[T4, W10] no nonce": (addressing() + security(Token().xml(Nonce="")), SECURITY_ERROR),
    "[T4, W10] nonce too short": (addressing() + security(Token(nonce=b"1234567").xml()), SECURITY_ERROR),
    "[W10] empty nonce": (addressing() + security(Token(nonce=b"").xml()), SECURITY_ERROR),
    "[W10] huge nonce": (addressing() + security(Token(nonce=b"n" * 30_000).xml()), SECURITY_ERROR),
    "[W10] nonce of another encoding": (addressing() + security(Token(encoding="urn:hex").xml()), SECURITY_ERROR),
    "[W8] two Nonces": (addressing() + security(Token().xml(Nonce=Token().parts()["Nonce"] * 2)), SECURITY_ERROR),
    "[W8] two Passwords": (addressing() + security(Token().xml(Password=Token().parts()["Password"] * 2)), SECURITY_ERROR),
    "[W8] no Created": (addressing() + security(Token().xml(Created="")), SECURITY_ERROR),
    "[W9] Created with second 60": (addressing() + security(Token(created="2026-03-01T11:59:60Z").xml()), SECURITY_ERROR),
    "[T5] another account's token": (addressing() + security(Token(login="jan@firma.example").xml()), SECURITY_ERROR),
    "[T13] unknown account": (addressing() + security(Token(login="nikt@nigdzie.example").xml()), SECURITY_ERROR),
    "[T13] inactive account": (addressing() + security(Token(login="old@firma.example").xml()), SECURITY_ERROR),
    "[W14] a signature nobody checks": (
        addressing() + security(Token().xml() + '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'),
        SECURITY_ERROR,
    ),
    "[W5] old Timestamp": (addressing() + timestamp(created(ago(seconds=301)) + expires(ago(seconds=-600))), SECURITY_ERROR),
    "[W4] expired Timestamp": (addressing() + timestamp(created(ago(seconds=60)) + expires(ago(seconds=1))), SECURITY_ERROR),
    "[W7] Expires before Created": (addressing() + timestamp(created(ago(seconds=-100)) + expires(ago(seconds=-50))), SECURITY_ERROR),
    "[W7] Expires listed first": (addressing() + timestamp(expires(ago(seconds=-60)) + created(ago(seconds=1))), SECURITY_ERROR),
    "[W8] two Created": (addressing() + timestamp(created(ago(seconds=1)) * 2), SECURITY_ERROR),
    "[W8] empty Timestamp": (addressing() + timestamp(""), SECURITY_ERROR),
    "[W9] Timestamp without zone": (addressing() + timestamp(created("2026-03-01T12:00:00")), SECURITY_ERROR),
    "[W8] two Timestamps": (
        addressing() + security((f"<wsu:Timestamp>{created(ago(seconds=1))}</wsu:Timestamp>") * 2 + Token().xml()),
        SECURITY_ERROR,
    ),
    # --- mustUnderstand
    "[T8] unknown header": (addressing() + good() + f'<x:Vital xmlns:x="urn:x" xmlns:s="{SOAP}" s:mustUnderstand="1"/>', MUST),
    "[T8] odd value": (addressing() + good() + f'<x:Vital xmlns:x="urn:x" xmlns:s="{SOAP}" s:mustUnderstand="true"/>', MUST),
}
STRINGS = {MISSING: ADDRESSING_MISSING, INVALID: ADDRESSING_INVALID, SERVER: POLICY, SECURITY_ERROR: SECURITY}


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


HARMLESS = {
    "no mustUnderstand": f'<x:Note xmlns:x="urn:x" xmlns:s="{SOAP}" s:mustUnderstand="0"/>',
    "mustUnderstand for another actor": f'<x:Note xmlns:x="urn:x" xmlns:s="{SOAP}" s:mustUnderstand="1" s:actor="urn:other"/>',
    "[W15] ReplyTo pointing inside": f'<ReplyTo xmlns="{WSA}"><Address>http://169.254.169.254/</Address></ReplyTo>',
    "[W15] FaultTo at a victim": f'<FaultTo xmlns="{WSA}"><Address>http://victim.example/</Address></FaultTo>',
    "[W17] RelatesTo another's message": f'<RelatesTo xmlns="{WSA}">urn:uuid:somebody-else</RelatesTo>',
    "[W13] an old Timestamp outside the Security header": (
        f'<wsu:Timestamp xmlns:wsu="{WSU}"><wsu:Created>2001-01-01T00:00:00Z</wsu:Created></wsu:Timestamp>'
    ),
    "[W13] a Body in the Header": f'<s:Body xmlns:s="{SOAP}">{next_body()}</s:Body>',
}


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


ENVELOPES = {
    "empty": (b"", CLIENT),
    "no XML": (b"Hello", CLIENT),
    "HTML": (b"<html/>", CLIENT),
    "cut off": (envelope()[:-30], CLIENT),
    "two roots": (envelope() + envelope(), CLIENT),
    "NUL": (envelope().replace(b"NCTS2", b"NC\x00TS2"), CLIENT),
    "control character reference": (envelope().replace(b"NCTS2", b"NC&#1;TS2"), CLIENT),
    "overlong UTF-8": (envelope().replace(b"NCTS2", b"NC\xc0\x80TS2"), CLIENT),
    "surrogate": (envelope().replace(b"NCTS2", b"NC\xed\xa0\x80TS2"), CLIENT),
    "unbound prefix": (envelope().replace(b"<system>", b"<q:system>"), CLIENT),
    "double attribute": (envelope().replace(b"<content ", b'<content mime="other" '), CLIENT),
    "[X10] DOCTYPE": (b"<!DOCTYPE a>" + envelope(), CLIENT),
    "[X1] entities": (b'<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]>' + envelope().replace(b"NCTS2", b"&c;"), CLIENT),
    "[X2] external entity": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + envelope().replace(b"NCTS2", b"&b;"), CLIENT),
    "[X2] parameter entity": (b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://x/">%p;]>' + envelope(), CLIENT),
    "undeclared entity": (envelope().replace(b"NCTS2", b"&b;"), CLIENT),
    "[X9] instruction in front": (b'<?xml-stylesheet href="http://x/"?>' + envelope(), CLIENT),
    "[X9] instruction inside": (envelope().replace(b"NCTS2", b"NC<?x?>TS2"), CLIENT),
    "XML 1.1": (b'<?xml version="1.1"?>' + envelope(), CLIENT),
    "[X5] 10,000 levels": (envelope("<a>" * 10_000 + "</a>" * 10_000), CLIENT),
    "[X6] 100,000 attributes": (envelope("<a " + " ".join(f'a{i}=""' for i in range(100_000)) + "/>"), CLIENT),
    "envelope in another namespace": (envelope(soap="urn:soap"), VERSION),
    "envelope without namespace": (b"<Envelope/>", VERSION),
    "SOAP 1.2": (envelope(soap=S12), VERSION),
    "no Body": (raw("<s:Header/>"), CLIENT),
    "nothing inside": (raw(""), CLIENT),
    "Header after Body": (raw("<s:Body/><s:Header/>"), CLIENT),
    "two Headers": (raw("<s:Header/><s:Header/><s:Body/>"), CLIENT),
    "two Bodies": (envelope().replace(b"</s:Body>", b"</s:Body><s:Body/>"), CLIENT),
    "[W13] Security inside the Body": (envelope(security(Token().xml()) + accept_body(), addressing()), SERVER),
    "two operations": (envelope(next_body() + accept_body()), CLIENT),
    "nothing in the Body": (envelope(""), CLIENT),
    "unknown operation": (envelope(f'<DeleteDocumentRequest xmlns="{PULL}"/>'), CLIENT),
    "operation in no namespace": (envelope("<GetNextDocumentRequest/>"), CLIENT),
    "operation in the document's namespace": (envelope(f'<GetNextDocumentRequest xmlns="{CHANNEL}"/>'), CLIENT),
    "a response as request": (envelope(f'<GetNextDocumentResponse xmlns="{PULL}"/>'), CLIENT),
    "[W24] an encrypted Body": (envelope('<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>'), CLIENT),
    "[W22] 10,000 headers": (envelope(headers="<x/>" * 10_000 + addressing() + security(Token().xml())), CLIENT),
    "[W23] SOAP array of a huge size": (
        envelope(f'<p:x xmlns:p="{PULL}" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" e:arrayType="p:x[2147483647]"/>'),
        CLIENT,
    ),
}


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


DOCUMENTS = {
    "[T10] garbage": content("QUJD*DRE"),
    "[T10] truncated": content(b64(DOCUMENT)[:-1]),
    "[T10] data after padding": content("QQ==QUJD"),
    "[T10] URL alphabet": content("QU-_"),
    "no text": content(""),
    "no content element": "<targetSystems/>",
    "content in no namespace": content().replace("<content ", '<content xmlns="" '),
    "two contents": content() * 2,
    "[W19] XOP include of a file": content('<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="file:///etc/passwd"/>'),
    "[W19] XOP include beside Base64": content(b64(DOCUMENT) + '<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:a"/>'),
    "[T10] XML that is called a PDF": content(attributes='mime="application/pdf"'),
    "[T10] attachment that is no PDF": content() + attached(content(attributes='mime="application/pdf"')),
    "[T10] attachment that is no XML": content() + attached(content(b"%PDF-1.7", 'mime="application/xml"')),
    "two attachments": content() + attached(content() * 2),
    "attachment with bad Base64": content() + attached(content("Q")),
    "empty attachment": content() + attached(content("")),
}


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


TRANSPORT = {
    "[W18] SOAP 1.1 in the type of 1.2": ("POST", {"content-type": "application/soap+xml"}, 500),
    "JSON": ("POST", {"content-type": "application/json"}, 415),
    "no type": ("POST", {}, 415),
    "MTOM": ("POST", {"content-type": 'multipart/related; type="application/xop+xml"; boundary=x'}, 415),
    "[T9] gzip": ("POST", {"content-type": "text/xml", "content-encoding": "gzip"}, 415),
    "PUT": ("PUT", {"content-type": "text/xml"}, 405),
    "DELETE": ("DELETE", {}, 405),
    "unknown charset": ("POST", {"content-type": "text/xml; charset=utf-7"}, 500),
}


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
