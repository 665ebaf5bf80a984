"""XAdES: signed properties must be referenced and true; our seal and signer judged by other engines."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import signxml
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.xades import XAdESSigner, XAdESVerifier

from gateway.security.canonical import EXCLUSIVE, Canonicalization, octets
from gateway.security.seal import Seal
from gateway.security.templates import SignatureTemplate, digest
from tests.security.documents import DS, ENVELOPE, code, judge, root_signed, xmlsec_accepts
from tests.security.pki import AT, DAY, Party, ca, certificate, ec_key, rsa_key, trader_a, trader_b, trader_ec

PLAIN = ENVELOPE.format(inner="", root="")
RECEIPT = '<r:UPP xmlns:r="urn:test:receipt"><r:Number>ŻÓŁĆ &amp; 1</r:Number><r:Empty></r:Empty></r:UPP>'


class _Fixed:
    def __init__(self, at: datetime = AT) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


class _Changed(SignatureTemplate):
    """A signer whose signed properties are wrong, but truly signed."""

    change: Callable[[str], str] = staticmethod(lambda text: text)

    def _properties(self, mark: str, at: datetime) -> str:
        return type(self).change(super()._properties(mark, at))


def _with(change: Callable[[str], str], at: datetime = AT, party: Party | None = None, rest: Callable[[str], str] = lambda t: t) -> bytes:
    party = party or trader_a()

    class Template(_Changed):
        pass

    Template.change = staticmethod(change)
    root = etree.fromstring(PLAIN.encode())
    text = Template.of(party.key, party.certificate).signature(digest(octets(root, Canonicalization(EXCLUSIVE))), "m", at)
    root.append(etree.fromstring(rest(text)))
    return etree.tostring(root)


def _same(text: str) -> str:
    return text


def _edit(pattern: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        changed = re.sub(pattern, new, text, flags=re.DOTALL)
        assert changed != text
        return changed

    return edit


def _other_certificate(text: str) -> str:
    other = digest(trader_b().certificate.public_bytes(Encoding.DER))
    return _edit(r"(CertDigest>.*?DigestValue[^>]*>)[^<]*", rf"\g<1>{other}")(text)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "certificate of another": (lambda: _with(_other_certificate), "signature.properties"),
    "signed in the future": (lambda: _with(_same, AT + timedelta(minutes=6)), "signature.properties"),
    "signed before the certificate": (lambda: _with(_same, AT - 31 * DAY), "signature.properties"),
    "time that is none": (lambda: _with(_edit(r"SigningTime>[^<]*", "SigningTime>yesterday")), "signature.properties"),
    "time beyond all times": (lambda: _with(_edit(r"SigningTime>[^<]*", "SigningTime>0001-01-01T00:00:00+14:00")), "signature.properties"),
    "no signing certificate": (
        lambda: _with(_edit(r"<xades:SigningCertificateV2>.*</xades:SigningCertificateV2>", "")),
        "signature.properties",
    ),
    "digest by SHA-1": (lambda: _with(_edit(r'(CertDigest>.*?Algorithm=")[^"]*', rf"\g<1>{DS}sha1")), "signature.algorithm"),
    "no signature properties": (
        lambda: _with(_edit(r"<xades:SignedSignatureProperties>.*</xades:SignedSignatureProperties>", "")),
        "signature.properties",
    ),
    "properties changed after signing": (
        lambda: _with(_same, rest=_edit(r"SigningTime>[^<]*", "SigningTime>2026-11-20T11:00:00Z")),
        "signature.digest",
    ),
    "target of another signature": (lambda: _with(_same, rest=_edit('Target="#s-m"', 'Target="#s-x"')), "signature.properties"),
    "no target": (lambda: _with(_same, rest=_edit(' Target="#s-m"', "")), "signature.properties"),
    "properties twice": (
        lambda: _with(_same, rest=_edit("(<ds:Object>.*</ds:Object>)", r"\1<ds:Object><x:QualifyingProperties xmlns:x="
                      r'"http://uri.etsi.org/01903/v1.3.2#" Target="#s-m"/></ds:Object>')),
        "signature.properties",
    ),
    "properties with a second Id": (
        lambda: _with(_same).replace(b"<e:Header>", b'<e:Header id="p-m">'),
        "signature.reference",
    ),
    "properties not referenced": (lambda: _unreferenced(), "signature.properties"),
    "reference without its type": (lambda: _untyped(), "signature.properties"),
    "type without properties": (
        lambda: _with(_same, rest=_edit(r"<ds:Object>.*</ds:Object>", "")),
        "signature.reference",
    ),
}  # fmt: skip


def _unreferenced() -> bytes:
    """A good XML-DSig signature that carries properties nobody signed."""
    unsigned = (
        '<ds:Object><x:QualifyingProperties xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Target="#s1"><x:SignedProperties Id="p1">'
        "<x:SignedSignatureProperties/></x:SignedProperties></x:QualifyingProperties></ds:Object>"
    )
    return root_signed(extra=unsigned)


def _untyped() -> bytes:
    class Template(SignatureTemplate):
        def _signed_info(self, document_digest: str, mark: str, properties: str) -> str:
            return _edit(' Type="[^"]*"', "")(super()._signed_info(document_digest, mark, properties))

    root = etree.fromstring(PLAIN.encode())
    made = Template.of(trader_a().key, trader_a().certificate)
    root.append(etree.fromstring(made.signature(digest(octets(root, Canonicalization(EXCLUSIVE))), "m", AT)))
    return etree.tostring(root)


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_properties_are_refused(name: str) -> None:
    make, expected = REFUSED[name]
    assert code(make()) == expected


def test_the_changed_ones_are_refused_for_their_fault_alone() -> None:
    assert code(_with(_same)) == "valid"
    assert code(_with(_same, AT + timedelta(minutes=5))) == "valid"
    assert code(_with(_edit(r"SigningTime>[^<]*", "SigningTime>2026-11-20T13:30:00"))) == "valid"  # no zone: may be local time


@pytest.mark.parametrize("party", [trader_a, trader_ec])
@pytest.mark.parametrize("c14n", ["http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"])
def test_signatures_by_signxml_are_accepted(party: Callable[[], Party], c14n: str) -> None:
    made = party()
    now = datetime.now(UTC)
    who = certificate(
        "Trader now",
        made.key,
        ca_now := certificate("CA now", ca().key, ca=True, start=now - DAY, end=now + DAY),
        start=now - DAY,
        end=now + DAY,
    )
    algorithm = "rsa-sha256" if made is trader_a() else "ecdsa-sha256"
    signer = XAdESSigner(signature_algorithm=algorithm, c14n_algorithm=c14n)
    content = etree.tostring(signer.sign(etree.fromstring(PLAIN.encode()), key=who.key, cert=[who.certificate]))
    _, report = judge(content, [ca_now], at=now)
    assert report.form == "XAdES-BES"


@pytest.mark.parametrize("key", [ec_key, rsa_key])
def test_receipts_are_accepted_by_every_engine(key: Callable[[], object], tmp_path: Path) -> None:
    party = certificate("Seal", key(), ca())
    content = Seal(party.key, party.certificate, _Fixed()).seal(RECEIPT, "r:UPP")
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    tree, report = judge(content, require_root=True)
    assert octets(tree, Canonicalization(EXCLUSIVE)).decode() == RECEIPT
    assert (report.form, report.claimed_at) == ("XAdES-BES", AT)
    assert xmlsec_accepts(content, party)
    config = signxml.SignatureConfiguration(expect_references=2, location="./")
    results = XAdESVerifier().verify(content, x509_cert=party.certificate, expect_config=_xades_config())
    assert etree.tostring(results[0].signed_xml, method="c14n", exclusive=True).decode() == RECEIPT
    assert signxml.XMLVerifier().verify(content, x509_cert=party.certificate, expect_config=config)
    _accepted_by_command(content, party, tmp_path)


def _xades_config() -> object:
    from signxml.xades import XAdESSignatureConfiguration

    return XAdESSignatureConfiguration(expect_references=2, location="./")


def _accepted_by_command(content: bytes, party: Party, folder: Path) -> None:
    """Debian's xmlsec1, another version of the library, with the chain to our test authority."""
    command = shutil.which("xmlsec1")
    if command is None:
        pytest.skip("xmlsec1 is not installed: sh tests/tools.sh")
    (folder / "ca.pem").write_bytes(ca().pem)
    (folder / "receipt.xml").write_bytes(content)
    properties = "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"
    arguments = ["--verify", "--trusted-pem", "ca.pem", "--id-attr:Id", properties, "--verification-gmt-time", f"{AT:%Y-%m-%d %H:%M:%S}"]
    done = subprocess.run([command, *arguments, "receipt.xml"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_receipt_survives_an_envelope() -> None:
    party = certificate("Seal", ec_key(), ca())
    content = Seal(party.key, party.certificate, _Fixed()).seal(RECEIPT, "r:UPP")
    inner = etree.fromstring(content)
    envelope = etree.fromstring('<s:Envelope xmlns:s="urn:soap" xmlns="urn:default" xmlns:q="urn:q" xml:lang="pl"><s:Body/></s:Envelope>')
    envelope[0].append(inner)
    taken_out = etree.tostring(etree.fromstring(etree.tostring(envelope))[0][0])
    assert code(taken_out, require_root=True) == "valid"


def test_a_seal_goes_where_it_is_told_and_takes_the_time_it_is_given() -> None:
    party = certificate("Seal", ec_key(), ca())
    seal = Seal(party.key, party.certificate, _Fixed())
    nested = '<r:UPP xmlns:r="urn:test:receipt"><r:Sign></r:Sign><r:Last></r:Last></r:UPP>'
    content = seal.seal(nested, "r:Sign", AT - DAY)
    tree, report = judge(content, require_root=True)
    assert report.claimed_at == AT - DAY
    assert octets(tree, Canonicalization(EXCLUSIVE)).decode() == nested
    with pytest.raises(ValueError, match="substring"):
        seal.seal(nested, "r:Nowhere")


def test_two_receipts_in_one_document_have_different_ids() -> None:
    party = certificate("Seal", ec_key(), ca())
    seal = Seal(party.key, party.certificate, _Fixed())
    both = [re.findall(rb'Id="([^"]*)"', seal.seal(RECEIPT.replace("1", n), "r:UPP")) for n in "12"]
    assert not set(both[0]) & set(both[1])


@pytest.mark.parametrize("party", [trader_a, trader_ec])
@pytest.mark.parametrize("method", [signxml.methods.enveloped, signxml.methods.enveloping])
@pytest.mark.parametrize("key_value", [False, True])
@pytest.mark.parametrize("c14n", [signxml.CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0, None])
def test_plain_signatures_by_signxml_are_accepted(party: Callable[[], Party], method: object, key_value: bool, c14n: object) -> None:
    who = party()
    options = {} if c14n is None else {"c14n_algorithm": c14n}
    signer = signxml.XMLSigner(method=method, signature_algorithm="rsa-sha256" if who is trader_a() else "ecdsa-sha256", **options)
    made = signer.sign(etree.fromstring(PLAIN.encode()), key=who.key, cert=[who.certificate], always_add_key_value=key_value)
    tree, report = judge(etree.tostring(made), require_root=True)
    assert tree.tag == "{urn:test:envelope}Envelope"
    assert report.signer.fingerprint == who.certificate.fingerprint(SHA256()).hex()
