"""Issue section *Bad input*: whatever a known sender hands in gets the right fault or NPP, and never leads to a delivery."""

from __future__ import annotations

import codecs
import hashlib
import re
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from adapters.ncts import samples
from gateway.faults import ADMINISTRATION_ONLY, COMMUNICATION, NO_SCHEMA
from tests.acceptance.caller import Caller, unsigned
from tests.acceptance.estate import Estate
from tests.acceptance.test_main_job import recoded
from tests.security.documents import DS, EXC, reference, signature, signed, transform, x509

MEGABYTE = 1024 * 1024
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def with_doctype(document: bytes, inner: str, use: str = "") -> bytes:
    head, mark, rest = document.partition(b"?>\n")
    return head + mark + f"<!DOCTYPE x [{inner}]>".encode() + rest.replace(b"<LRN>", b"<LRN>" + use.encode())


def nested(document: bytes, depth: int) -> bytes:
    return document.replace(b"<TransitOperation>", b"<TransitOperation>" + b"<x>" * depth + b"</x>" * depth, 1)


def attributed(document: bytes, count: int) -> bytes:
    return document.replace(b"<TransitOperation>", b"<TransitOperation " + b" ".join(b'a%d="1"' % n for n in range(count)) + b">", 1)


def inside(document: bytes, what: bytes) -> bytes:
    return document.replace(b"<TransitOperation>", b"<TransitOperation>" + what, 1)


#: Documents that are no acceptable XML of a known kind -> our code. All of them: fault E003, no sysRef, nothing stored.
FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "not XML": (lambda d: b"to nie jest XML", "parse.malformed"),
    "cut off": (lambda d: d[:-20], "parse.malformed"),
    "text after the root": (lambda d: d + b"x", "parse.malformed"),
    "DTD": (lambda d: with_doctype(d, ""), "parse.doctype"),
    "entities: billion laughs": (lambda d: with_doctype(d, f'<!ENTITY l0 "ha">{LAUGHS}', "&l9;"), "parse.doctype"),
    "external entity": (lambda d: with_doctype(d, '<!ENTITY e SYSTEM "file:///etc/passwd">', "&e;"), "parse.doctype"),
    "external DTD": (lambda d: d.replace(b"?>\n", b'?>\n<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">', 1), "parse.doctype"),
    "undeclared entity": (lambda d: inside(d, b"&nic;"), "parse.malformed"),
    "nested 10,000 deep": (lambda d: nested(d, 10_000), "parse.limit"),
    "nested 65 deep": (lambda d: nested(d, 65), "parse.limit"),
    "100,000 attributes": (lambda d: attributed(d, 100_000), "parse.limit"),
    "65 attributes": (lambda d: attributed(d, 65), "parse.limit"),
    "namespace declarations": (lambda d: inside(d, b"<x " + b" ".join(b'xmlns:n%d="u"' % n for n in range(2_000)) + b"/>"), "parse.limit"),
    "6 MB in one text": (lambda d: d.replace(b"<LRN>", b"<LRN>" + b"x" * 6 * MEGABYTE), "parse.limit"),
    "wrong namespace": (lambda d: d.replace(b"http://ncts.dgtaxud.ec", b"http://ncts.dgtaxud.ec/"), "identify.unknown"),
    "no namespace": (lambda d: b"<CC015C><LRN>1</LRN></CC015C>", "identify.unknown"),
    "unknown root": (lambda d: d.replace(b"CC015C", b"CC999C"), "identify.unknown"),
    "instruction inside": (lambda d: inside(d, b"<?php phpinfo() ?>"), "parse.instruction"),
    "XInclude": (
        lambda d: inside(d, b'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'),
        "parse.inclusion",
    ),
    "NUL": (lambda d: d.replace(b"<LRN>", b"<LRN>\0"), "parse.malformed"),
    "control character by reference": (lambda d: d.replace(b"<LRN>", b"<LRN>&#1;"), "parse.malformed"),
    "windows-1250 declared as UTF-8": (lambda d: d.decode().encode("cp1250"), "parse.encoding"),
    "UTF-8 declared as UTF-16": (lambda d: d.replace(b"'UTF-8'", b"'UTF-16'"), "parse.encoding"),
    "UTF-8 declared as US-ASCII": (lambda d: d.replace(b"'UTF-8'", b"'US-ASCII'"), "parse.encoding"),
    "UTF-16 without byte order mark": (lambda d: recoded(d, "UTF-16", "utf-16-le"), "parse.encoding"),
    "UTF-16 mark on UTF-8": (lambda d: codecs.BOM_UTF16_LE + d, "parse.encoding"),
    "UTF-32": (lambda d: recoded(d, "UTF-32", "utf-32"), "parse.encoding"),
    "UTF-7": (lambda d: recoded(d, "UTF-7", "utf-7"), "parse.encoding"),
    "EBCDIC": (lambda d: d.decode().replace("UTF-8", "cp037").encode("cp037", "replace"), "parse.encoding"),
    "overlong UTF-8": (lambda d: d.replace(b"<LRN>", b"<LRN>\xc0\xaf"), "parse.encoding"),
    "surrogate in UTF-8": (lambda d: d.replace(b"<LRN>", b"<LRN>\xed\xa0\x80"), "parse.encoding"),
    "gzip": (lambda d: zlib.compress(d, wbits=31), "parse.encoding|parse.malformed"),
    "double Base64": (lambda d: b64encode(d), "parse.malformed"),
    "a SOAP envelope": (lambda d: b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>', "identify.unknown"),
}


@pytest.fixture(scope="module")
def sender(house: Estate, spare: Callable[[], Caller]) -> Caller:
    return spare()


def messages_of(caller: Caller) -> int:
    query = "SELECT count(*) FROM messages WHERE account_id = (SELECT account_id FROM accounts WHERE login = ?)"
    return int(caller.estate.rows(query, caller.login)[0][0])


def arrived(house: Estate, document: bytes) -> bool:
    digest = hashlib.sha256(document).hexdigest()
    return any(entry["sha256"] == digest for entry in house.control("log")["arrivals"])


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_document_of_ours_gets_a_fault_and_leaves_nothing(house: Estate, sender: Caller, name: str) -> None:
    spoil, codes = FAULTS[name]
    good = sender.declare("FAULT-1")
    document = spoil(good)
    assert document != good
    before, logged = messages_of(sender), len(house.log("serve"))
    reply = sender.send(document)
    code, string, detail, error, words = reply.fault
    assert (string, detail, error) == (COMMUNICATION, "techErrorFault", "E003")
    assert code == "{http://schemas.xmlsoap.org/soap/envelope/}Server"
    assert words == NO_SCHEMA
    assert reply.reason[0] in codes.split("|")
    assert all(len(sentence) > 30 for sentence in reply.reason[1:]), "our own sentences, in both languages, say what to change"
    assert b"root:" not in reply.body, "nothing of a file"
    fresh = house.log("serve")[logged:]
    assert any(f'"{wanted}"' in fresh for wanted in codes.split("|")), fresh
    assert hashlib.sha256(document).hexdigest() in fresh, "the log keeps code and digest of an authenticated sender's document"
    assert messages_of(sender) == before
    assert sender.drain() == []
    assert not arrived(house, document)


def test_a_document_that_only_the_administration_sends(house: Estate, sender: Caller) -> None:
    document = sender.sign(samples.cc029c(lrn="ADMIN-1", mrn=samples.mrn("PL", 1, 2026), message_id="ADMIN-1"))
    before = messages_of(sender)
    _, string, detail, error, words = sender.send(document).fault
    assert (string, detail, error) == (ADMINISTRATION_ONLY, "techErrorFault", "E003")
    assert words == ADMINISTRATION_ONLY
    assert messages_of(sender) == before
    assert not arrived(house, document)


BASE64 = {
    "truncated": lambda text: text[:-3],
    "garbage inside": lambda text: text[:40] + "*" + text[40:],
    "padding inside": lambda text: text[:40] + "==" + text[40:],
    "URL alphabet": lambda text: text.replace("+", "-").replace("/", "_") + "-_-_",
    "empty": lambda text: "",
    "an element inside": lambda text: text[:40] + "<x/>" + text[40:],
}


@pytest.mark.parametrize("name", BASE64)
def test_content_that_is_no_base64(house: Estate, sender: Caller, name: str) -> None:
    before = messages_of(sender)
    string = sender.send(BASE64[name](b64encode(sender.declare("B64-1")).decode())).fault[1]
    assert string == COMMUNICATION
    assert messages_of(sender) == before


# --- from `validate` on: a sysRef, and the verdict as a signed NPP -------------------------------------------------------


@dataclass(frozen=True)
class Signer:
    """A caller's key and certificate as the test's own signing (by libxmlsec1) wants them."""

    caller: Caller

    @property
    def key_pem(self) -> bytes:
        return bytes(self.caller.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def base64(self) -> str:
        return b64encode(self.caller.certificate.public_bytes(Encoding.DER)).decode()


def by_xmlsec(caller: Caller, lrn: str, *references: str, **options: Any) -> bytes:
    """A declaration signed by libxmlsec1 over exactly these references."""
    party: Any = Signer(caller)
    method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    template = signature(*references, party=party, method=method, **options)
    text = unsigned(lrn).decode().partition("?>")[2].replace("</ncts:CC015C>", template + "</ncts:CC015C>")
    assert template in text
    return signed(text, party)


def identified(key_info: str) -> str:
    return key_info.replace("<ds:KeyInfo", '<ds:KeyInfo Id="k1"')


def wrapped(caller: Caller) -> bytes:
    """The forged declaration is the root; the signed one lies whole inside the signature's Object."""
    original = etree.fromstring(caller.declare("WRAP-REAL"))
    forged = etree.fromstring(unsigned("WRAP-FORGED"))
    seal = original.find(f"{{{DS}}}Signature")
    assert seal is not None
    original.remove(seal)
    etree.SubElement(seal, f"{{{DS}}}Object").append(original)
    forged.append(seal)
    return etree.tostring(forged)


def moved(caller: Caller) -> bytes:
    """A valid signature of the same person, cut out of another declaration."""
    seal = etree.fromstring(caller.declare("MOVED-REAL")).find(f"{{{DS}}}Signature")
    forged = etree.fromstring(unsigned("MOVED-FORGED"))
    forged.append(seal)  # type: ignore[arg-type]
    return etree.tostring(forged)


def doubled(caller: Caller) -> bytes:
    document = etree.fromstring(caller.declare("DOUBLE-1"))
    second = etree.fromstring(caller.declare("DOUBLE-2")).find(f"{{{DS}}}Signature")
    document.append(second)  # type: ignore[arg-type]
    return etree.tostring(document)


def by(name: str) -> Callable[[Caller], bytes]:
    """Signed by another person than the account's."""
    return lambda caller: Caller(caller.estate, name).sign(unsigned("BY-OTHER"))


DROP_LRN = "<ds:XPath>not(ancestor-or-self::LRN)</ds:XPath>"
REFUSALS: dict[str, tuple[Callable[[Caller], bytes], str]] = {
    "schema-invalid": (lambda c: c.sign(unsigned("S-1").replace(b"<declarationType>", b"<declarationType>NOT-A-TYPE-")), "validate.schema"),
    "unsigned": (lambda c: unsigned("U-1"), "signature.missing"),
    "empty signature": (
        lambda c: unsigned("U-2").replace(b"</ncts:CC015C>", b'<Signature xmlns="%s"/></ncts:CC015C>' % DS.encode()),
        "signature.structure",
    ),
    "signature over its own object only": (
        lambda c: by_xmlsec(c, "P-1", reference("#o1", (EXC,)), extra='<ds:Object Id="o1">nic</ds:Object>'),
        "signature.coverage",
    ),
    "signature over its key only": (
        lambda c: by_xmlsec(
            c, "P-2", reference("#k1", (EXC,)), key_info=x509(Signer(c).base64).replace("<ds:KeyInfo", '<ds:KeyInfo Id="k1"')
        ),
        "signature.coverage",
    ),
    "signature that leaves out the LRN": (
        lambda c: by_xmlsec(
            c, "P-3", reference("", (f"{DS}enveloped-signature", transform("http://www.w3.org/TR/1999/REC-xpath-19991116", DROP_LRN), EXC))
        ),
        "signature.transform",
    ),
    "wrapped signature": (wrapped, "signature.digest|signature.coverage|signature.structure"),
    "signature of another document": (moved, "signature.digest"),
    "two signatures": (doubled, "signature.multiple"),
    "changed after signing": (lambda c: c.declare("TAMPER-1").replace(b"<LRN>TAMPER-1", b"<LRN>TAMPER-2"), "signature.digest"),
    "signed by a stranger": (by("stranger"), "certificate.untrusted"),
    "expired certificate": (by("expired"), "certificate.expired"),
    "certificate of another person than the account": (by("idle"), "authorize.other_person"),
    "party not registered": (lambda c: c.sign(unsigned("PARTY-1", holder="PL11111111100000")), "authorize.unknown_party"),
    "party missing": (
        lambda c: c.sign(_without(unsigned("PARTY-2"), "HolderOfTheTransitProcedure/identificationNumber")),
        "authorize.no_party|validate.schema",
    ),
}


def _without(document: bytes, path: str) -> bytes:
    root = etree.fromstring(document)
    element = root.find(path)
    assert element is not None
    element.getparent().remove(element)  # type: ignore[union-attr]
    return etree.tostring(root)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_judged_and_refused_gets_a_signed_npp_with_the_reason(house: Estate, sender: Caller, name: str) -> None:
    make, codes = REFUSALS[name]
    document = make(sender)
    sys_ref = sender.submit(document)
    npp = sender.npp()
    assert npp.information("idDokumentuSEAP") == [sys_ref]
    assert npp.information("KodPrzyczynyOdmowy")[0] in codes.split("|")
    polish, english = npp.information("PrzyczynaOdmowy"), npp.information("PrzyczynaOdmowyEN")
    assert polish[0] != english[0]
    assert min(map(len, (*polish, *english))) > 20
    assert house.stored(sys_ref) == document, "refused messages are recorded too"
    assert house.rows("SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message WHERE m.sys_ref = ?", sys_ref) == [(0,)]
    assert not arrived(house, document)


def test_a_person_without_any_representation(house: Estate) -> None:
    idle = Caller(house, "idle")
    sys_ref = idle.submit(idle.declare("IDLE-1"))
    npp = idle.npp()
    assert npp.information("KodPrzyczynyOdmowy") == ["authorize.no_representation"]
    assert npp.information("idDokumentuSEAP") == [sys_ref]
    assert house.at_authority("arrivals", sys_ref) == []


def test_a_schema_violation_names_place_and_reason_in_both_languages(house: Estate, sender: Caller) -> None:
    sender.submit(sender.sign(unsigned("VIOLATION-1").replace(b"<declarationType>", b"<declarationType>NOT-A-TYPE-")))
    npp = sender.npp()
    for language in ("PrzyczynaOdmowy", "PrzyczynaOdmowyEN"):
        placed = [text for text in npp.information(language) if re.match(r"\[\d+:\d+\] /\S*declarationType\S*: ", text)]
        assert len(placed) == 1, npp.information(language)
        assert "NOT-A-TYPE" in placed[0]
