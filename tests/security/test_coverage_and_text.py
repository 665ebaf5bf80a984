"""Families S (what is covered) and C (changes of the text), and references that leave the document (R)."""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from tests.security.documents import (
    C14N10,
    DS,
    ENVELOPE,
    ENVELOPED,
    EXC,
    SHA256,
    code,
    inner_signed,
    judge,
    reference,
    root_signed,
    signature,
    signed,
    transform,
)  # fmt: skip
from tests.security.pki import trader_b

XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
BASE64 = f"{DS}base64"
CONSTANT = (
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"><a/></xsl:template>'
    "</xsl:stylesheet>"
)


def _whole(*references: str, **options: object) -> bytes:
    return signed(ENVELOPE.format(inner="", root=signature(*references, **options)))  # type: ignore[arg-type]


def _unsigned(element: str) -> bytes:
    return ENVELOPE.format(inner="", root=element).encode()


def _by_filter(algorithm: str, content: str) -> bytes:
    return _whole(reference("", (ENVELOPED, transform(algorithm, content))))


MANIFEST = (
    f'<ds:Object><ds:Manifest Id="m1"><ds:Reference URI="#d1"><ds:DigestMethod Algorithm="{SHA256}"/>'
    "<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ds:Manifest></ds:Object>"
)

COVERAGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no signature": (lambda: _unsigned(""), "signature.missing"),
    "empty signature": (lambda: _unsigned(f'<Signature xmlns="{DS}"/>'), "signature.structure"),
    "signature in a comment": (
        lambda: root_signed().replace(b"<ds:Signature ", b"<!--<ds:Signature ").replace(b"</ds:Signature>", b"</ds:Signature>-->"),
        "signature.missing",
    ),
    "wrong namespace": (lambda: root_signed().replace(DS.encode(), b"urn:not:dsig#"), "signature.missing"),
    "no reference": (lambda: root_signed_without_reference(), "signature.structure"),
    "only the header": (
        lambda: signed(
            ENVELOPE.format(inner="", root=signature(reference("#h1", (EXC,)))).replace("<e:Header>", '<e:Header Id="h1">')
        ),
        "signature.coverage",
    ),
    "only its own object": (
        lambda: _whole(reference("#o1", (EXC,)), extra='<ds:Object Id="o1"><a/></ds:Object>'),
        "signature.coverage",
    ),
    "only KeyInfo": (
        lambda: signed(
            ENVELOPE.format(inner="", root=signature(reference("#k1", (EXC,))).replace("<ds:KeyInfo>", '<ds:KeyInfo Id="k1">'))
        ),
        "signature.coverage",
    ),
    "only a manifest": (lambda: _whole(reference("#m1", (EXC,)), extra=MANIFEST), "signature.coverage"),
    "a manifest by its type": (
        lambda: _whole(reference(""), reference("#m1", (EXC,), type_=f"{DS}Manifest"), extra=MANIFEST),
        "signature.coverage",
    ),
    "xpath drops a field": (
        lambda: _by_filter(
            XPATH, '<ds:XPath xmlns:d="urn:test:declaration">not(ancestor-or-self::d:LRN)</ds:XPath>'
        ),
        "signature.transform",
    ),
    "xpath false": (lambda: _by_filter(XPATH, "<ds:XPath>false()</ds:XPath>"), "signature.transform"),
    "xpath filter 2": (
        lambda: _by_filter(FILTER2, f'<f:XPath xmlns:f="{FILTER2}" Filter="subtract">//*[local-name()=\'LRN\']</f:XPath>'),
        "signature.transform",
    ),
    "base64": (lambda: _with_unsigned_transform(BASE64), "signature.transform"),
    "xslt": (lambda: _with_unsigned_transform(XSLT, CONSTANT), "signature.transform"),
    "enveloped after canonicalisation": (
        lambda: ENVELOPE.format(
            inner="", root=signature(reference("", (EXC, ENVELOPED), value="AAAA")).replace("<ds:SignatureValue/>", VALUE)
        ).encode(),
        "signature.transform",
    ),
    "the signature itself": (lambda: _whole(reference("#s1", (ENVELOPED, EXC))), "signature.coverage"),
    "with comments in the transform": (
        lambda: _whole(reference("", (ENVELOPED, f"{EXC}WithComments"))),
        "signature.transform",
    ),
    "with comments in SignedInfo": (lambda: _whole(reference(""), c14n=f"{C14N10}#WithComments"), "signature.algorithm"),
    "two signatures": (
        lambda: signed(
            ENVELOPE.format(inner=signature(reference("#d1")).replace('Id="s1"', ""), root=signature(reference("")))
        ),
        "signature.multiple",
    ),
    "two separate elements": (
        lambda: signed(
            ENVELOPE.format(inner="", root=signature(reference("#h1", (EXC,)), reference("#d1", (EXC,)))).replace(
                "<e:Header>", '<e:Header Id="h1">'
            )
        ),
        "signature.coverage",
    ),
    "somebody else's signature": (
        lambda: inner_signed().replace(b"LRN-1", b"LRN-2"),
        "signature.digest",
    ),
}  # fmt: skip
VALUE = "<ds:SignatureValue>AAAA</ds:SignatureValue>"


def root_signed_without_reference() -> bytes:
    return ENVELOPE.format(inner="", root=signature()).replace("<ds:SignatureValue/>", VALUE).encode()


def _with_unsigned_transform(algorithm: str, content: str = "") -> bytes:
    made = signature(reference("", (ENVELOPED, transform(algorithm, content)), value="AAAA")).replace("<ds:SignatureValue/>", VALUE)
    return ENVELOPE.format(inner="", root=made).encode()


@pytest.mark.parametrize(("before", "after"), [("{}", ""), ("", "{}")])
@pytest.mark.parametrize(("text", "verdict"), [("LRN FORGED", "signature.coverage"), ("\n\t ", "valid")])
def test_no_text_but_white_space_stands_beside_the_signed_element(before: str, after: str, text: str, verdict: str) -> None:
    content = inner_signed().decode()
    placed = content.replace("<e:Body>", "<e:Body>" + before.format(text)).replace("</e:Body>", after.format(text) + "</e:Body>")
    assert placed != content
    assert code(placed.encode()) == verdict


@pytest.mark.parametrize("name", COVERAGE)
def test_what_is_not_covered_is_refused(name: str) -> None:
    make, expected = COVERAGE[name]
    assert code(make()) == expected


def _replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    return edit


TEXT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "instruction inside": (_replaced("LRN-1", "LRN<?x?>-1"), "parse.instruction"),
    "white space in text": (_replaced("LRN-1", " LRN-1"), "signature.digest"),
    "pretty-printed": (_replaced("<d:LRN>", "\n  <d:LRN>"), "signature.digest"),
    "double-escaped ampersand": (_replaced("&amp;", "&amp;amp;"), "signature.digest"),
    "decomposed letters": (_replaced("Żółć", unicodedata.normalize("NFD", "Żółć")), "signature.digest"),
    "carriage return added": (_replaced("LRN-1", "LRN-1&#13;"), "signature.digest"),
    "prefix renamed": (lambda c: c.replace(b"<d:Note/>", b'<q:Note xmlns:q="urn:test:declaration"/>'), "signature.digest"),
    "amount changed": (_replaced('amount="5"', 'amount="50"'), "signature.digest"),
    "attribute added": (_replaced("<d:Note", '<d:Note a="b"'), "signature.digest"),
    "element removed": (_replaced("<d:Note/>", ""), "signature.digest"),
    "element added": (_replaced("<d:Note/>", "<d:Note/><d:Note/>"), "signature.digest"),
    "value of another document": (lambda c: c.replace(b"m-1", b"m-3").replace(b"LRN-1", b"LRN-3"), "signature.digest"),
}


@pytest.mark.parametrize("name", TEXT)
def test_changed_text_is_refused(name: str) -> None:
    edit, expected = TEXT[name]
    assert code(edit(root_signed())) == expected


def test_the_signed_info_cannot_be_changed() -> None:
    content = root_signed()
    first = content.index(b"<ds:DigestValue>") + len(b"<ds:DigestValue>")
    flipped = content[:first] + (b"B" if content[first : first + 1] == b"A" else b"A") + content[first + 1 :]
    assert code(flipped) == "signature.value"


def test_a_comment_never_cuts_a_value() -> None:
    tree, _ = judge(root_signed().replace(b"LRN-1", b"LRN<!-- nothing -->-1"))
    assert tree.findtext(".//{urn:test:declaration}LRN") == "LRN-1"


def test_a_namespace_added_above_changes_an_inclusive_form_only() -> None:
    inclusive = signed(ENVELOPE.format(inner="", root=signature(reference("#d1", (C14N10,)))))
    added = b'<e:Body xmlns:added="urn:added"'
    assert code(inclusive.replace(b"<e:Body", added)) == "signature.digest"
    assert code(inner_signed().replace(b"<e:Body", added)) == "valid"
    lang = b'<e:Body xml:lang="pl"'
    assert code(inclusive.replace(b"<e:Body", lang)) == "signature.digest"
    assert code(inner_signed().replace(b"<e:Body", lang)) == "valid"


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9/x.xml", "https://127.0.0.1:9/", "file:///etc/hostname", "/etc/hostname", "relative.xml", "ftp://127.0.0.1/x",
        "data:text/xml,<a/>".replace("<", "&lt;"), "#xpointer(/)", "#xpointer(id('d1'))", "#nowhere", "#", "#element(/1)", "?d1", " #d1",
    ],
)  # fmt: skip
def test_references_out_of_the_document_are_refused(uri: str) -> None:
    made = signature(reference(uri, value="AAAA")).replace("<ds:SignatureValue/>", VALUE)
    assert code(ENVELOPE.format(inner="", root=made).encode()) == "signature.reference"


def test_a_reference_without_uri_is_refused() -> None:
    made = signature(reference(None, value="AAAA")).replace("<ds:SignatureValue/>", VALUE)
    assert code(ENVELOPE.format(inner="", root=made).encode()) == "signature.reference"


def test_five_references_pass_and_six_do_not() -> None:
    one = reference("")
    assert code(_whole(*[one] * 5)) == "valid"
    assert code(_whole(*[one] * 6)) == "signature.limit"
    assert code(_whole(*[one] * 1000)) == "signature.limit"


def test_three_transforms_pass_and_four_do_not() -> None:
    assert code(_whole(reference("", (ENVELOPED, EXC, EXC)))) == "valid"
    assert code(_whole(reference("", (ENVELOPED, EXC, EXC, EXC)))) == "signature.limit"
    assert code(_whole(reference("", (ENVELOPED, *[EXC] * 999)))) == "signature.limit"


def test_many_signatures_are_counted_and_not_judged() -> None:
    made = f'<Signature xmlns="{DS}"/>'
    assert code(_unsigned(made * 5)) == "signature.multiple"
    assert code(_unsigned(made * 500)) == "signature.limit"


def test_a_relative_namespace_uri_has_no_canonical_form() -> None:
    content = root_signed().replace(b"<d:Note/>", b'<d:Note xmlns:v="void"/>')
    assert code(content) == "signature.structure"


def test_good_signature_of_another_trader_names_him() -> None:
    _, report = judge(root_signed(party=trader_b()))
    assert report.signer.subject == "CN=Trader B"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<ds:KeyInfo>', '<ds:KeyInfo a="b">'),
        ('<ds:X509Data>', '<ds:X509Data>text'),
        ('</ds:KeyInfo>', '</ds:KeyInfo>text'),
        ('<ds:X509Certificate>', '<ds:X509Certificate xml:lang="pl">'),
        ('<ds:SignedInfo>', '<ds:SignedInfo xmlns:x="urn:x" x:a="b">'),
        ('Id="s1"', 'Id="1s"'),
        ('Id="s1"', 'Id="s1" Hd="s1"'),
        ('</ds:KeyInfo>', '</ds:KeyInfo><ds:KeyInfo/>'),
        ('</ds:KeyInfo>', '</ds:KeyInfo><x:Foreign xmlns:x="urn:x"/>'),
    ],
)  # fmt: skip
def test_what_the_schema_of_signatures_does_not_have_is_refused(old: str, new: str) -> None:
    content = root_signed()
    assert old.encode() in content
    assert code(content.replace(old.encode(), new.encode(), 1)) == "signature.structure"


def test_the_path_of_what_is_signed_finds_it_whatever_its_namespace() -> None:
    xmlns = "urn:it&apos;s&apos;"
    content = signed(ENVELOPE.replace("urn:test:envelope", xmlns).format(inner="", root=signature(reference("#d1", (EXC,)))))
    _, report = judge(content)
    (found,) = etree.fromstring(content).xpath(report.signed)
    assert found.get("Id") == "d1"


def test_a_certificate_of_garbage_is_refused_wherever_it_breaks() -> None:
    """`cryptography` reads certificates piece by piece, so each broken piece fails at another place."""
    der = trader_b().certificate.public_bytes(Encoding.DER)
    broken = [der[:at] + bytes([der[at] ^ 0x15]) + der[at + 1 :] for at in range(0, len(der), 3)]
    made = root_signed(party=trader_b())
    stages = {code(made.replace(trader_b().base64.encode(), b64encode(each))).partition(".")[0] for each in broken}
    assert stages == {"signature", "certificate"}


def test_the_parts_of_a_signature_are_small_and_prefixes_few() -> None:
    """They are canonicalised before the signer is known, so a stranger must not make them expensive."""

    def made(elements: int, prefixes: int) -> bytes:
        content = f'<ds:Object Id="o1">{"<a/>" * (elements - 1)}</ds:Object>'
        names = f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="{" ".join(f"p{n}" for n in range(prefixes))}"/>'
        return _whole(reference("", (ENVELOPED, transform(EXC, names))), reference("#o1", (EXC,)), extra=content)

    assert code(made(10_000, 32)) == "valid"
    assert code(made(10_001, 32)) == "signature.limit"
    assert code(made(10_000, 33)) == "signature.limit"
