"""The algorithms that are taken, by their W3C identifiers (RFC 9231), and checking one signature value."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gateway.errors import Rejected

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_PSS = "http://www.w3.org/2007/05/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"

#: identifier of a digest -> (name for hashlib, name for people)
DIGESTS = {f"{_ENC}sha256": ("sha256", "SHA-256"), f"{_MORE}sha384": ("sha384", "SHA-384"), f"{_ENC}sha512": ("sha512", "SHA-512")}
SHA256 = f"{_ENC}sha256"
#: P-256, P-384, P-521: RFC 9231 wants r and s each as long as the order of the curve
CURVES = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66}
_WHITE_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class SignatureMethod:
    """How a value is made: kind of key and padding, hash, name for people."""

    kind: Literal["rsa", "rsa-pss", "ecdsa"]
    hash: hashes.HashAlgorithm
    name: str


_HASHES: tuple[hashes.HashAlgorithm, ...] = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
RSA_SHA256 = f"{_MORE}rsa-sha256"
ECDSA_SHA256 = f"{_MORE}ecdsa-sha256"
METHODS: dict[str, SignatureMethod] = {
    **{f"{_MORE}rsa-{h.name}": SignatureMethod("rsa", h, f"RSA-{h.name.upper()}") for h in _HASHES},
    **{f"{_PSS}{h.name}-rsa-MGF1": SignatureMethod("rsa-pss", h, f"RSA-PSS-{h.name.upper()}") for h in _HASHES},
    **{f"{_MORE}ecdsa-{h.name}": SignatureMethod("ecdsa", h, f"ECDSA-{h.name.upper()}") for h in _HASHES},
}


def decode_base64(text: str | None, what: str) -> bytes:
    """Strict Base64 (XML white space allowed, nothing else). Raises Rejected(signature.structure)."""
    try:
        value = binascii.a2b_base64((text or "").encode("ascii").translate(None, _WHITE_SPACE), strict_mode=True)
    except ValueError:
        value = b""
    if not value:
        raise Rejected("signature.structure", detail=f"{what} is not valid Base64")
    return value


def check_value(algorithm: str, key: PublicKeyTypes, value: bytes, signed: bytes) -> None:
    """Does `value` over the octets `signed` come from the holder of `key`? Raises Rejected(signature.value | .algorithm)."""
    method = METHODS[algorithm]
    try:
        if method.kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_ecdsa_der(key, value), signed, ec.ECDSA(method.hash))
        elif method.kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, signed, padding.PKCS1v15(), method.hash)
        elif method.kind == "rsa-pss" and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, signed, padding.PSS(padding.MGF1(method.hash), method.hash.digest_size), method.hash)
        else:
            raise Rejected("signature.algorithm", algorithm=f"{algorithm} (the certificate has another kind of key)")
    except InvalidSignature:
        raise Rejected("signature.value") from None


def _ecdsa_der(key: ec.EllipticCurvePublicKey, value: bytes) -> bytes:
    """From the raw r||s of XML-DSig; the DER form, another length and values out of range are refused."""
    size = CURVES[key.curve.name]
    if len(value) != 2 * size:
        raise Rejected("signature.value")
    r, s = int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big")
    if r == 0 or s == 0:
        raise Rejected("signature.value")
    return encode_dss_signature(r, s)
