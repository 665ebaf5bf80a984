"""What must be accepted: every way in which honest software writes and re-saves a good signature."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from gateway.security.sign import sign_enveloped
from tests.security.documents import (
    C14N10,
    C14N11,
    DECLARATION,
    DS,
    ENVELOPE,
    ENVELOPED,
    EXC,
    MORE,
    SHA256,
    code,
    inner_signed,
    judge,
    reference,
    root_signed,
    signature,
    signed,
    transform,
    xmlsec_accepts,
)  # fmt: skip
from tests.security.pki import Party, trader_a, trader_ec

SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
PREFIXES = f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="x #default"/>'
DEFAULTED = (
    '<Envelope xmlns="urn:test:envelope" Id="e1"><Header><MessageId>m-1</MessageId></Header><Body><Declaration Id="d1"><LRN>LRN-1</LRN>'
    '<Goods xmlns=""><Deep kind="a"/></Goods></Declaration></Body>{}</Envelope>'
)
SURROUNDED = (
    '<e:Envelope xmlns:e="urn:test:envelope" xml:lang="pl" xml:base="http://example.org/a/" xml:id="top"><e:Body xml:base="b/" '
    'xml:space="preserve" xml:id="body"><d:Declaration xmlns:d="urn:test:declaration" Id="d1"{}><d:LRN>1</d:LRN></d:Declaration></e:Body>{}'
    "</e:Envelope>"
)


def _root(*transforms: str, **options: object) -> bytes:
    return signed(ENVELOPE.format(inner="", root=signature(reference("", transforms), **options)))  # type: ignore[arg-type]


def _inner(uri: str, *transforms: str, text: str = ENVELOPE, **options: object) -> bytes:
    made = signature(reference(uri, transforms or None), **options)  # type: ignore[arg-type]
    return signed(text.format(made) if "{}" in text else text.format(inner="", root=made))


def _resaved(encoding: str, **changes: bool) -> bytes:
    text = inner_signed().decode()
    text = re.sub(r"<\?xml[^>]*\?>\n?", "", text)
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'.encode(encoding, "xmlcharrefreplace")


def _surrounded(c14n: str, own: str = "") -> bytes:
    return signed(SURROUNDED.format(own, signature(reference("#d1", (c14n,)), c14n=c14n)))


ENVELOPING = f'<ds:Object Id="o1">{DECLARATION.format(inner="")}</ds:Object>'

ACCEPTED = {
    "inner, exclusive": lambda: inner_signed(),
    "root, exclusive": lambda: root_signed(),
    "root, C14N 1.0": lambda: _root(ENVELOPED, C14N10),
    "root, C14N 1.1": lambda: _root(ENVELOPED, C14N11),
    "root, all C14N 1.0": lambda: _root(ENVELOPED, C14N10, c14n=C14N10),
    "root, all C14N 1.1": lambda: _root(ENVELOPED, C14N11, c14n=C14N11),
    "root by its Id": lambda: _inner("#e1", ENVELOPED, EXC),
    "signature in default namespace, C14N 1.0": lambda: signed(
        ENVELOPE.format(inner="", root=signature(reference("", (ENVELOPED,), p=""), p="", c14n=C14N10))
    ),
    "signature in default namespace, exclusive": lambda: signed(ENVELOPE.format(inner="", root=signature(reference("", p=""), p=""))),
    "everything in default namespaces, C14N 1.0": lambda: signed(
        DEFAULTED.format(signature(reference("", (ENVELOPED, C14N10), p=""), p="", c14n=C14N10))
    ),
    "inner in default namespace, C14N 1.0": lambda: _inner("#d1", C14N10, text=DEFAULTED, c14n=C14N10),
    "inner in default namespace, C14N 1.1": lambda: _inner("#d1", C14N11, text=DEFAULTED, c14n=C14N11),
    "inner, C14N 1.0, inherited namespaces": lambda: _inner("#d1", C14N10, c14n=C14N10),
    "no transform at all": lambda: _inner("#d1"),
    "signature inside the Declaration": lambda: signed(ENVELOPE.format(root="", inner=signature(reference("#d1")))),
    "signature inside the Declaration, C14N 1.0": lambda: signed(
        ENVELOPE.format(root="", inner=signature(reference("#d1", (ENVELOPED, C14N10)), c14n=C14N10))
    ),
    "signature of the whole inside the Declaration": lambda: signed(ENVELOPE.format(root="", inner=signature(reference("")))),
    "PrefixList": lambda: _root(ENVELOPED, transform(EXC, PREFIXES), c14n_content=PREFIXES),
    "PrefixList, inner in default namespace": lambda: _inner("#d1", transform(EXC, PREFIXES), text=DEFAULTED, c14n_content=PREFIXES),
    "root and Declaration": lambda: signed(ENVELOPE.format(inner="", root=signature(reference("#e1"), reference("#d1", (EXC,))))),
    "Declaration and whole, C14N 1.0": lambda: signed(
        ENVELOPE.format(inner="", root=signature(reference("#d1", (C14N10,)), reference("", (ENVELOPED, C14N10))))
    ),
    "SHA-512": lambda: signed(
        ENVELOPE.format(inner="", root=signature(reference("", digest=SHA512), method=f"{MORE}rsa-sha512"))
    ),
    "SHA-384": lambda: signed(ENVELOPE.format(inner="", root=signature(reference("", digest=f"{MORE}sha384"), method=f"{MORE}rsa-sha384"))),
    "ECDSA P-256": lambda: root_signed(party=trader_ec(), method=f"{MORE}ecdsa-sha256"),
    "RSA-PSS": lambda: root_signed(method="http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
    "CRLF": lambda: inner_signed().replace(b"\n", b"\r\n"),
    "UTF-16": lambda: _resaved("utf-16"),
    "ISO-8859-2": lambda: _resaved("iso-8859-2"),
    "windows-1250": lambda: _resaved("windows-1250"),
    "US-ASCII": lambda: _resaved("us-ascii"),
    "byte order mark": lambda: b"\xef\xbb\xbf" + inner_signed(),
    "empty element written out": lambda: root_signed().replace(b"<d:Note/>", b"<d:Note></d:Note>"),
    "attribute order and quotes": lambda: root_signed().replace(b'kind="a" amount="5"', b"amount='5'  kind='a'"),
    "text as CDATA": lambda: root_signed().replace("Żółć &amp; Syn".encode(), "<![CDATA[Żółć & Syn]]>".encode()),
    "signature value in lines": lambda: re.sub(
        rb"(<ds:SignatureValue>)(.{20})", lambda m: m[1] + b"\n   " + m[2] + b"\r\n", root_signed(), flags=re.DOTALL
    ),
    "comment outside the signed part": lambda: inner_signed().replace(b"<e:Header>", b"<e:Header><!-- note -->"),
    "comment inside, read whole": lambda: root_signed().replace(b"LRN-1", b"LRN<!-- x -->-1"),
    "instruction before the root": lambda: inner_signed().replace(b"<e:Envelope", b"<?xml-stylesheet href='http://127.0.0.1:9/x'?><e:Envelope"),
    "instruction before a signed whole": lambda: root_signed().replace(b"<e:Envelope", b"<?x y?><e:Envelope"),
    "schemaLocation on an ancestor": lambda: inner_signed().replace(
        b"<e:Body", b'<e:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x http://127.0.0.1:9/x.xsd"'
    ),
    "xml:lang on an ancestor, exclusive": lambda: inner_signed().replace(b"<e:Body", b'<e:Body xml:lang="pl"'),
    "xml attributes of ancestors, C14N 1.0": lambda: _surrounded(C14N10),
    "xml attributes of ancestors, C14N 1.1": lambda: _surrounded(C14N11),
    "own xml attributes, C14N 1.0": lambda: _surrounded(C14N10, ' xml:lang="en" xml:base="c/"'),
    "own xml attributes, C14N 1.1": lambda: _surrounded(C14N11, ' xml:lang="en" xml:base="c/"'),
    "enveloping, by Object": lambda: signed(signature(reference("#o1", (EXC,)), extra=ENVELOPING)),
    "enveloping, C14N 1.0, by Object": lambda: signed(signature(reference("#o1", None), extra=ENVELOPING, c14n=C14N10)),
    "enveloping, by element": lambda: signed(signature(reference("#d1", (EXC,)), extra=ENVELOPING)),
    "KeyInfo signed too": lambda: signed(
        ENVELOPE.format(
            inner="",
            root=signature(reference(""), reference("#k1", (EXC,))).replace("<ds:KeyInfo>", '<ds:KeyInfo Id="k1">'),
        )
    ),
    "two canonicalisations": lambda: _root(ENVELOPED, C14N10, EXC),
    "KeyValue of the same key": lambda: root_signed(key_info=_key_value(trader_a())),
    "chain included": lambda: root_signed(key_info=_with_chain(trader_a())),
}  # fmt: skip


def _key_value(party: Party) -> str:
    from base64 import b64encode

    numbers = party.key.public_key().public_numbers()
    modulus = b64encode(numbers.n.to_bytes(256, "big")).decode()
    return (
        f"<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
        f"</ds:KeyValue><ds:X509Data><ds:X509Certificate>{party.base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    )


def _with_chain(party: Party) -> str:
    from tests.security.documents import x509
    from tests.security.pki import ca

    return x509(party.base64, ca().base64)


@pytest.mark.parametrize("name", ACCEPTED)
def test_honest_ways_are_accepted(name: str) -> None:
    content = ACCEPTED[name]()
    tree, report = judge(content)
    assert tree.xpath("string(.//*[local-name()='LRN'])") in ("LRN-1", "1")
    original = etree.fromstring(content, etree.XMLParser(remove_comments=True))
    (found,) = original.xpath(report.signed)
    assert found.tag == tree.tag
    assert report.signer.subject in ("CN=Trader A", "CN=Trader EC")


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_oracle_accepts_them_too(name: str) -> None:
    """The list above is honest: libxmlsec1 says the same, but where it digests an instruction added beside the root."""
    party = trader_ec() if name == "ECDSA P-256" else trader_a()
    assert xmlsec_accepts(ACCEPTED[name](), party) is (name != "instruction before a signed whole")


def test_the_payload_is_cut_off_from_what_is_not_signed() -> None:
    tree, report = judge(inner_signed())
    assert tree.getparent() is None
    assert tree.getroottree().getroot() is tree
    assert report.signed.endswith("/*[local-name()='Declaration' and namespace-uri()='urn:test:declaration']")


def test_the_payload_of_a_signed_whole_is_the_parsed_tree_and_keeps_its_text() -> None:
    text = ENVELOPE.format(inner="", root=signature(reference("")) + "tail")
    tree, _ = judge(signed(text))
    assert not list(tree.iter(f"{{{DS}}}Signature"))
    assert (tree[-1].tail or "").endswith("tail")


@pytest.mark.parametrize("c14n", [EXC, C14N10, C14N11])
@pytest.mark.parametrize("xades", [True, False])
@pytest.mark.parametrize("party", [trader_a, trader_ec])
def test_our_own_signer_is_accepted_by_the_oracle_and_by_us(c14n: str, xades: bool, party: object) -> None:
    who = party()  # type: ignore[operator]
    from tests.security.pki import AT

    document = ENVELOPE.format(inner="", root="").encode()
    content = sign_enveloped(document, who.key, who.certificate, xades=xades, c14n=c14n, at=AT)
    assert xmlsec_accepts(content, who)
    _, report = judge(content, require_root=True)
    assert report.form == ("XAdES-BES" if xades else "XML-DSig")
    assert report.claimed_at == (AT if xades else None)
    assert report.revocation == "not checked (policy none)"
    assert SHA256 in content.decode()


def test_bases_that_are_no_uris_are_not_joined() -> None:
    """Where one engine would strip white space and another not, nobody knows what was signed."""
    content = _surrounded(C14N11, ' xml:base="c/"')
    assert code(content.replace(b'xml:base="b/"', b'xml:base="&#10;b/"')) == "signature.structure"
