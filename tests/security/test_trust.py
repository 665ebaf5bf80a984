"""Family K: whose certificate it is, and whether it may sign."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import Failed, Rejected
from gateway.security.certificates import Trust, load_anchors
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Verifier
from gateway.security.xml import parse
from tests.security import documents, pki
from tests.security.documents import code, judge, root_signed
from tests.security.pki import AT, DAY, Party, ca, certificate, key_usage, other_ca, rsa_key, stranger, trader_a, trader_b

EKU = ExtendedKeyUsageOID


def _leaf(**options: Any) -> Party:
    return certificate("Trader A", rsa_key(1), options.pop("issuer", None) or ca(), **options)


def _purposes(*purposes: x509.ObjectIdentifier) -> Party:
    return _leaf(extensions=((x509.ExtendedKeyUsage(purposes), False),))


def _key_value(party: Party) -> str:
    numbers = party.key.public_key().public_numbers()
    modulus = b64encode(numbers.n.to_bytes(256, "big")).decode()
    return f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"


def _signed_with(signer: Party, key_info: str) -> bytes:
    return root_signed(party=signer, key_info=key_info)


def _info(*parts: str) -> str:
    return f"<ds:KeyInfo>{''.join(parts)}</ds:KeyInfo>"


def _certificates(*parties: Party) -> str:
    return documents.x509(*(party.base64 for party in parties))


def _intermediate(name: str, number: int, issuer: Party, **options: Any) -> Party:
    return certificate(name, rsa_key(number), issuer, ca=True, **options)


def _chained(*authorities: Party, **options: Any) -> bytes:
    leaf = certificate(options.pop("name", "Trader A"), rsa_key(1), authorities[-1], **options)
    return _signed_with(leaf, _certificates(leaf, *authorities))


def _constrained(permitted: Any = None, excluded: Any = None) -> Party:
    return _intermediate("Inter", 30, ca(), extensions=((x509.NameConstraints(permitted, excluded), True),))


def _name(text: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]))


def _dns(*names: str) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return ((x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),)


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("0.4.0.194112.1.2"), None)])

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "self-signed with the victim's subject": (lambda: root_signed(party=stranger()), "certificate.untrusted"),
    "authority of the same name": (lambda: root_signed(party=_leaf(issuer=other_ca())), "certificate.untrusted"),
    "authority of the same name, chain included": (
        lambda: _signed_with(leaf := _leaf(issuer=other_ca()), _certificates(leaf, other_ca())),
        "certificate.untrusted",
    ),
    "leaf used as authority": (
        lambda: _signed_with(leaf := certificate("Victim", rsa_key(5), trader_a()), _certificates(leaf)),
        "certificate.untrusted",
    ),
    "leaf used as authority, chain included": (
        lambda: _signed_with(leaf := certificate("Victim", rsa_key(5), trader_a()), _certificates(leaf, trader_a())),
        "signature.structure",
    ),
    "expired": (lambda: root_signed(party=_leaf(end=AT - DAY)), "certificate.expired"),
    "not yet valid": (lambda: root_signed(party=_leaf(start=AT + DAY)), "certificate.not_yet_valid"),
    "usage without signature": (lambda: root_signed(party=_leaf(usage=key_usage(key_encipherment=True))), "certificate.usage"),
    "usage for certificates only": (lambda: root_signed(party=_leaf(usage=key_usage(key_cert_sign=True))), "certificate.usage"),
    "server certificate": (lambda: root_signed(party=_purposes(EKU.SERVER_AUTH)), "certificate.usage"),
    "time stamp certificate": (lambda: root_signed(party=_purposes(EKU.TIME_STAMPING)), "certificate.usage"),
    "signed by the authority itself": (lambda: root_signed(party=ca()), "certificate.usage"),
    "signed by an intermediate authority": (
        lambda: root_signed(party=_intermediate("Inter", 30, ca(), usage=key_usage(key_cert_sign=True, digital_signature=True))),
        "certificate.usage",
    ),
    "bare key only": (lambda: _signed_with(stranger(), _info(_key_value(stranger()))), "certificate.missing"),
    "attacker's key, victim's certificate": (
        lambda: _signed_with(stranger(), _info(_key_value(stranger()), _certificates(trader_a())[12:-13])),
        "signature.structure",
    ),
    "victim's certificate, attacker's key behind": (
        lambda: _signed_with(stranger(), _info(_certificates(trader_a())[12:-13], _key_value(stranger()))),
        "signature.structure",
    ),
    "attacker and victim": (lambda: _signed_with(stranger(), _certificates(stranger(), trader_a())), "signature.structure"),
    "victim and attacker": (lambda: _signed_with(stranger(), _certificates(trader_a(), stranger())), "signature.structure"),
    "two traders, the first is good": (lambda: _signed_with(trader_a(), _certificates(trader_a(), trader_b())), "signature.structure"),
    "two X509Data of two traders": (
        lambda: _signed_with(trader_a(), _info(_certificates(trader_a())[12:-13], _certificates(trader_b())[12:-13])),
        "signature.structure",
    ),
    "another trader's certificate": (lambda: _signed_with(trader_b(), _certificates(trader_a())), "signature.value"),
    "no KeyInfo": (lambda: root_signed(key_info=""), "certificate.missing"),
    "empty KeyInfo": (lambda: root_signed(key_info="<ds:KeyInfo/>"), "certificate.missing"),
    "key name only": (lambda: root_signed(key_info="<ds:KeyInfo><ds:KeyName>Trader A</ds:KeyName></ds:KeyInfo>"), "certificate.missing"),
    "retrieval method": (
        lambda: root_signed(
            key_info=_info(_certificates(trader_a())[12:-13], '<ds:RetrievalMethod URI="http://127.0.0.1:9/c.crt"/>')
        ),
        "signature.structure",
    ),
    "certificate that is none": (lambda: root_signed(key_info=documents.x509("AAAA")), "signature.structure"),
    "serial number of another": (
        lambda: root_signed(
            key_info=_info(
                _certificates(trader_a())[12:-13],
                "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=x</ds:X509IssuerName>"
                "<ds:X509SerialNumber>7</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>",
            )
        ),
        "signature.structure",
    ),
    "path longer than allowed": (
        lambda: _chained(one := _intermediate("One", 30, ca(), path_length=0), _intermediate("Two", 31, one)),
        "certificate.untrusted",
    ),
    "intermediate without its right": (
        lambda: _chained(_intermediate("One", 30, ca(), usage=key_usage(digital_signature=True))),
        "certificate.untrusted",
    ),
    "intermediate expired": (lambda: _chained(_intermediate("One", 30, ca(), end=AT - DAY)), "certificate.untrusted"),
    "intermediate signed with SHA-1": (lambda: _sha1_chain(), "certificate.weak"),
    "intermediate with a weak key": (lambda: _weak_chain(), "certificate.untrusted"),
    "subject not permitted": (lambda: _chained(_constrained(permitted=[_name("Trader B")])), "certificate.untrusted"),
    "subject excluded": (lambda: _chained(_constrained(excluded=[_name("Trader A")])), "certificate.untrusted"),
    "host not permitted": (
        lambda: _chained(_constrained(permitted=[x509.DNSName("a.example")]), extensions=_dns("b.example")),
        "certificate.untrusted",
    ),
    "host excluded": (
        lambda: _chained(_constrained(excluded=[x509.DNSName("a.example")]), extensions=_dns("x.a.example")),
        "certificate.untrusted",
    ),
    "constraint of a kind not understood": (
        lambda: _chained(
            _constrained(permitted=[x509.UniformResourceIdentifier("example")]),
            extensions=((x509.SubjectAlternativeName([x509.UniformResourceIdentifier("http://x")]), False),),
        ),
        "certificate.untrusted",
    ),
    "unknown critical extension": (lambda: root_signed(party=_leaf(extensions=((UNKNOWN, True),))), "certificate.untrusted"),
    "unknown critical extension above": (
        lambda: _chained(_intermediate("One", 30, ca(), extensions=((UNKNOWN, True),))),
        "certificate.untrusted",
    ),
}  # fmt: skip


def _sha1_chain() -> bytes:
    """`cryptography` makes no SHA-1 certificates: change the algorithm in a good one and sign it again."""
    good = _intermediate("One", 30, ca())
    der = good.certificate.public_bytes(Encoding.DER).replace(SHA256_RSA, SHA1_RSA)
    signed = ca().key.sign(x509.load_der_x509_certificate(der).tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())
    return _chained(Party(good.key, x509.load_der_x509_certificate(der[: -len(signed)] + signed)))


SHA256_RSA, SHA1_RSA = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")


def _weak_chain() -> bytes:
    weak = certificate("One", rsa_key(40, 1024), ca(), ca=True)
    leaf = certificate("Trader A", rsa_key(1), weak)
    return _signed_with(leaf, _certificates(leaf, weak))


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_certificates_are_refused(name: str) -> None:
    make, expected = REFUSED[name]
    assert code(make()) == expected


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "non-repudiation only": lambda: root_signed(party=_leaf(usage=key_usage(content_commitment=True))),
    "no key usage": lambda: root_signed(party=_leaf(usage=None)),
    "critical certificate policies": lambda: root_signed(party=_leaf(extensions=((POLICIES, True),))),
    "client certificate": lambda: root_signed(party=_purposes(EKU.CLIENT_AUTH)),
    "mail certificate": lambda: root_signed(party=_purposes(EKU.EMAIL_PROTECTION, EKU.SERVER_AUTH)),
    "any purpose": lambda: root_signed(party=_purposes(EKU.ANY_EXTENDED_KEY_USAGE)),
    "document signing": lambda: root_signed(party=_purposes(x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"))),
    "unknown extension, not critical": lambda: root_signed(party=_leaf(extensions=((UNKNOWN, False),))),
    "chain of two": lambda: _chained(one := _intermediate("One", 30, ca(), path_length=1), _intermediate("Two", 31, one)),
    "chain in any order": lambda: _signed_with(
        leaf := certificate("Trader A", rsa_key(1), one := _intermediate("One", 30, ca())), _certificates(ca(), one, leaf)
    ),
    "subject permitted": lambda: _chained(_constrained(permitted=[_name("Trader A")])),
    "host permitted": lambda: _chained(_constrained(permitted=[x509.DNSName("a.example")]), extensions=_dns("x.a.example")),
    "same certificate twice": lambda: _signed_with(trader_a(), _certificates(trader_a(), trader_a())),
    "key name of anybody": lambda: root_signed(
        key_info=_info("<ds:KeyName>Trader B</ds:KeyName>", _certificates(trader_a())[12:-13])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_normal_european_certificates_are_accepted(name: str) -> None:
    _, report = judge(ACCEPTED[name]())
    assert report.signer.subject == "CN=Trader A"


def test_eight_certificates_pass_and_nine_do_not() -> None:
    more = [certificate(f"CA {n}", rsa_key(100), ca=True) for n in range(8)]
    assert code(_signed_with(trader_a(), _certificates(trader_a(), *more[:7]))) == "valid"
    assert code(_signed_with(trader_a(), _certificates(trader_a(), *more))) == "signature.limit"


def test_a_pinned_certificate_stands_for_itself_and_is_no_authority() -> None:
    assert code(root_signed(party=stranger()), [stranger()]) == "valid"
    assert code(root_signed(party=certificate("Victim", rsa_key(5), stranger())), [stranger()]) == "certificate.untrusted"


def test_a_kept_chain_is_still_judged_by_the_time() -> None:
    verifier = Verifier(Trust([ca().certificate]), NoRevocation())
    content = root_signed()
    verifier.verify(verifier.set_aside(parse(content)), AT)
    verifier.verify(verifier.set_aside(parse(content)), AT + 29 * DAY)
    with pytest.raises(Rejected) as refusal:
        verifier.verify(verifier.set_aside(parse(content)), AT + 31 * DAY)
    assert refusal.value.code == "certificate.expired"


def test_the_root_expires_too() -> None:
    old = certificate("Old CA", rsa_key(100), ca=True, end=AT - DAY)
    assert code(root_signed(party=certificate("Trader A", rsa_key(1), old)), [old]) == "certificate.untrusted"


def test_refusals_say_in_both_languages_what_to_change() -> None:
    with pytest.raises(Rejected) as refusal:
        judge(root_signed(party=_leaf(end=AT - DAY)))
    for language in ("pl", "en"):
        assert "CN=Trader A" in refusal.value.text(language)
        assert "2026-11-19" in refusal.value.text(language)
        assert not re.search(r"\?|\{", refusal.value.text(language))


def test_anchors_come_from_pem_der_and_folders(tmp_path: Any) -> None:
    (tmp_path / "both.pem").write_bytes(ca().pem + other_ca().pem)
    (tmp_path / "one.der").write_bytes(pki.stranger().certificate.public_bytes(Encoding.DER))
    (tmp_path / "README.txt").write_text("not a certificate")
    assert load_anchors([tmp_path]) == [ca().certificate, other_ca().certificate, stranger().certificate]
    assert load_anchors([tmp_path / "one.der"]) == [stranger().certificate]


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_unreadable_anchors_are_a_named_failure(tmp_path: Any, content: bytes) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    for place in (path, tmp_path, tmp_path / "missing.pem"):
        with pytest.raises(Failed) as failure:
            load_anchors([place])
        assert failure.value.code == "keys.unreadable"
