"""The list of attacks on the SOAP door, each with the fault it gets: tables for the tests that go through them.

Names in brackets are those of the project's list of attacks: T transport, W the WS-Security families. Some cases need a store
and stand where it is: T1, T6, W1-3 and W16 in tests/acceptance/test_repeats.py (nonces, MessageIDs), T14 in
tests/acceptance/test_reading.py, T15 in tests/unit/test_soap_throttle.py, T9 also in tests/acceptance/test_raw_http.py.
"""

from __future__ import annotations

from gateway.faults import ADDRESSING_INVALID, ADDRESSING_MISSING, POLICY, SECURITY
from tests.soap_requests import (
    CHANNEL,
    DOCUMENT,
    PROFILE,
    PULL,
    SOAP,
    WSA,
    WSA_2004,
    WSU,
    Token,
    accept_body,
    addressing,
    ago,
    b64,
    content,
    digest_b,
    digest_c,
    envelope,
    next_body,
    security,
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


#: headers -> the fault's code
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

#: headers beside good ones that change nothing
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

#: whole bodies -> the fault's code
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

#: what stands in `document`; all but one get E003
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

#: method, HTTP headers -> the status
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
