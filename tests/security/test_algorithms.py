"""Family A: algorithms that are weak, confused or unknown, and values that are not what they seem."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.security.documents import DS, ENVELOPE, MORE, by_hand, code, reference, root_signed, rsa_signer, signature, xmlsec_accepts
from tests.security.pki import Party, ca, certificate, rsa_key, trader_a, trader_ec

HMAC256 = f"{MORE}hmac-sha256"
EC256 = f"{MORE}ecdsa-sha256"
PSS256 = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
N_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _by_hand(method: str, sign: Callable[[bytes], bytes], party: Party | None = None, **options: Any) -> bytes:
    return by_hand(ENVELOPE.format(inner="", root=signature(reference(""), party=party, method=method)), sign, **options)


def _public(encoding: Encoding) -> bytes:
    return trader_a().key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def _mac(key: bytes) -> Callable[[bytes], bytes]:
    return lambda octets: hmac.new(key, octets, hashlib.sha256).digest()


def _ec(change: Callable[[int, int], bytes], party: Party | None = None) -> bytes:
    who = party or trader_ec()

    def sign(octets: bytes) -> bytes:
        return change(*decode_dss_signature(who.key.sign(octets, ec.ECDSA(hashes.SHA256()))))

    return _by_hand(EC256, sign, who)


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _pss(salt: int) -> bytes:
    how = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    return _by_hand(PSS256, lambda octets: trader_a().key.sign(octets, how, hashes.SHA256()))


def _value(change: Callable[[bytes], bytes], tag: str = "SignatureValue") -> bytes:
    return re.sub(rf"(<ds:{tag}>)([^<]*)".encode(), lambda m: m[1] + change(m[2]), root_signed())


def _two_infos(forged_first: bool) -> bytes:
    content = root_signed()
    info = re.search(rb"<ds:SignedInfo>.*?</ds:SignedInfo>", content, re.DOTALL)
    assert info is not None
    forged = re.sub(rb"<ds:DigestValue>[^<]*", b"<ds:DigestValue>AAAA", info[0])
    both = forged + info[0] if forged_first else info[0] + forged
    return content.replace(info[0], both)


def _info_in_object() -> bytes:
    content = root_signed()
    info = re.search(rb"<ds:SignedInfo>.*?</ds:SignedInfo>", content, re.DOTALL)
    assert info is not None
    return content.replace(info[0], b"").replace(b"</ds:Signature>", b"<ds:Object>" + info[0] + b"</ds:Object></ds:Signature>")


def _weak(key: Any, method: str = f"{MORE}rsa-sha256", sign: Any = None) -> bytes:
    party = certificate("Trader A", key, ca())
    return _by_hand(method, sign or rsa_signer(party), party)


def _der_signature(hash_: Any) -> Callable[[bytes], bytes]:
    return lambda octets: trader_a().key.sign(octets, padding.PKCS1v15(), hash_)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "rsa-sha1": (lambda: _by_hand(f"{DS}rsa-sha1", _der_signature(hashes.SHA1())), "signature.algorithm"),
    "sha1 digest": (
        lambda: by_hand(
            ENVELOPE.format(inner="", root=signature(reference("", digest=f"{DS}sha1"))),
            rsa_signer(trader_a()),
            lambda octets: hashlib.sha1(octets).digest(),
        ),
        "signature.algorithm",
    ),
    "sha224": (lambda: _by_hand(f"{MORE}rsa-sha224", _der_signature(hashes.SHA224())), "signature.algorithm"),
    "hmac with the certificate": (lambda: _by_hand(HMAC256, _mac(trader_a().pem)), "signature.algorithm"),
    "hmac with the key in DER": (lambda: _by_hand(HMAC256, _mac(_public(Encoding.DER))), "signature.algorithm"),
    "hmac with the key in PEM": (lambda: _by_hand(HMAC256, _mac(_public(Encoding.PEM))), "signature.algorithm"),
    "hmac with the empty key": (lambda: _by_hand(HMAC256, _mac(b"")), "signature.algorithm"),
    "rsa-md5": (lambda: _by_hand(f"{MORE}rsa-md5", _der_signature(hashes.MD5())), "signature.algorithm"),
    "unknown algorithm": (lambda: _by_hand("urn:unknown", rsa_signer(trader_a())), "signature.algorithm"),
    "no algorithm": (lambda: root_signed().replace(b' Algorithm="' + f"{MORE}rsa-sha256".encode() + b'"', b""), "signature.algorithm"),
    "unknown c14n": (lambda: root_signed().replace(b"xml-exc-c14n#", b"xml-exc-c14n#x", 1), "signature.algorithm"),
    "empty value": (lambda: _value(lambda v: b""), "signature.structure"),
    "zero value": (lambda: _value(lambda v: b"A" * 340 + b"AA=="), "signature.value"),
    "bit flipped": (lambda: _value(lambda v: (b"B" if v[:1] == b"A" else b"A") + v[1:]), "signature.value"),
    "junk in base64": (lambda: _value(lambda v: v[:8] + b"!*" + v[8:]), "signature.structure"),
    "junk after the padding": (lambda: _value(lambda v: v + b"AA=="), "signature.structure"),
    "junk in the digest": (lambda: _value(lambda v: v[:4] + b"." + v[4:], "DigestValue"), "signature.structure"),
    "comment in the digest": (lambda: _value(lambda v: v[:4] + b"<!-- x -->" + v[4:], "DigestValue"), "signature.structure"),
    "comment with a forged digest first": (
        lambda: _value(lambda v: b"AAAA<!-- " + v + b" -->", "DigestValue"),
        "signature.structure",
    ),
    "comment with a forged digest last": (lambda: _value(lambda v: b"<!-- " + v + b" -->AAAA", "DigestValue"), "signature.structure"),
    "comment in the value": (lambda: _value(lambda v: v[:9] + b"<!---->" + v[9:]), "signature.structure"),
    "element in the digest": (lambda: _value(lambda v: v + b"<a/>", "DigestValue"), "signature.structure"),
    "two SignedInfo, forged first": (lambda: _two_infos(True), "signature.structure"),
    "two SignedInfo, forged last": (lambda: _two_infos(False), "signature.structure"),
    "SignedInfo in an Object": (_info_in_object, "signature.structure"),
    "order changed": (
        lambda: re.sub(
            rb"(<ds:SignedInfo>.*?</ds:SignedInfo>)(.*?</ds:SignatureValue>)", rb"\2\1", root_signed(), flags=re.DOTALL
        ),
        "signature.structure",
    ),
    "RSA 1024": (lambda: _weak(rsa_key(9, 1024)), "certificate.weak"),
    "RSA exponent 3": (lambda: _weak(rsa.generate_private_key(3, 2048)), "certificate.weak"),
    "DSA": (
        lambda: _weak(
            _DSA, "http://www.w3.org/2009/xmldsig11#dsa-sha256", lambda octets: _DSA.sign(octets, hashes.SHA256())
        ),
        "signature.algorithm",
    ),
    "curve P-224": (
        lambda: _weak(_P224, EC256, lambda octets: _P224.sign(octets, ec.ECDSA(hashes.SHA256()))),
        "certificate.weak",
    ),
    "HMACOutputLength": (
        lambda: root_signed().replace(
            b'rsa-sha256"/>', b'rsa-sha256"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>'
        ),
        "signature.structure",
    ),
    "ECDSA in DER": (lambda: _ec(encode_dss_signature), "signature.value"),
    "ECDSA zero": (lambda: _ec(lambda r, s: bytes(64)), "signature.value"),
    "ECDSA r zero": (lambda: _ec(lambda r, s: _raw(0, s)), "signature.value"),
    "ECDSA s beyond the order": (lambda: _ec(lambda r, s: r.to_bytes(32, "big") + (2**256 - 1).to_bytes(32, "big")), "signature.value"),
    "ECDSA padded": (lambda: _ec(lambda r, s: r.to_bytes(48, "big") + s.to_bytes(48, "big")), "signature.value"),
    "ECDSA named, RSA key": (lambda: _by_hand(EC256, rsa_signer(trader_a())), "signature.algorithm"),
    "RSA named, EC key": (
        lambda: _by_hand(f"{MORE}rsa-sha256", lambda octets: b"1" * 64, trader_ec()),
        "signature.algorithm",
    ),
    "PSS without salt": (lambda: _pss(0), "signature.value"),
    "PSS with much salt": (lambda: _pss(222), "signature.value"),
    "PKCS#1 called PSS": (lambda: _by_hand(PSS256, rsa_signer(trader_a())), "signature.value"),
}  # fmt: skip
_DSA = dsa.generate_private_key(1024)
_P224 = ec.generate_private_key(ec.SECP224R1())


@pytest.mark.parametrize("name", REFUSED)
def test_weak_and_confused_algorithms_are_refused(name: str) -> None:
    make, expected = REFUSED[name]
    assert code(make()) == expected


def test_the_hand_made_ones_are_refused_for_their_fault_alone() -> None:
    assert code(_by_hand(f"{MORE}rsa-sha256", rsa_signer(trader_a()))) == "valid"
    assert code(_ec(_raw)) == "valid"
    assert code(_pss(32)) == "valid"


def test_a_high_s_is_ordinary_ecdsa() -> None:
    content = _ec(lambda r, s: _raw(r, max(s, N_P256 - s)))
    assert xmlsec_accepts(content, trader_ec())
    assert code(content) == "valid"


@pytest.mark.parametrize(("curve", "size", "hash_"), [(ec.SECP384R1(), 48, hashes.SHA384()), (ec.SECP521R1(), 66, hashes.SHA512())])
def test_longer_curves(curve: Any, size: int, hash_: Any) -> None:
    key = ec.generate_private_key(curve)
    party = certificate("Trader A", key, ca())

    def sign(octets: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hash_)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    content = _by_hand(f"{MORE}ecdsa-{hash_.name}", sign, party)
    assert xmlsec_accepts(content, party)
    assert code(content) == "valid"
