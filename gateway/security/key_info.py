"""Who a signature says made it: the certificates in KeyInfo, and nothing that contradicts them.

KeyName and the subject, issuer and key identifiers of X509Data are hints and prove nothing: the signer is the one
certificate that is no authority. A RetrievalMethod is refused, never followed.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.algorithms import decode_base64
from gateway.security.structure import DS

MAX_CERTIFICATES = 8
_DS11 = "{http://www.w3.org/2009/xmldsig11#}"
_CURVES = {"urn:oid:1.2.840.10045.3.1.7": "secp256r1", "urn:oid:1.3.132.0.34": "secp384r1", "urn:oid:1.3.132.0.35": "secp521r1"}
_HINTS = frozenset({f"{DS}X509SubjectName", f"{DS}X509SKI", f"{DS}X509CRL", f"{_DS11}X509Digest"})


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """Certificates (DER) in their order, serial numbers named beside them, and a bare key if there is one."""

    certificates: tuple[bytes, ...]
    serials: tuple[int, ...]
    key: rsa.RSAPublicNumbers | bytes | None  # an elliptic point as its X9.62 octets


def read_key_info(element: _Element | None) -> KeyInfo:
    """Raises Rejected(certificate.missing | signature.structure | signature.limit)."""
    certificates: list[bytes] = []
    serials: list[int] = []
    keys: list[rsa.RSAPublicNumbers | bytes] = []
    for child in element if element is not None else ():
        if child.tag == f"{DS}X509Data":
            _read_x509_data(child, certificates, serials)
        elif child.tag == f"{DS}KeyValue":
            keys.append(_read_key_value(child))
        elif child.tag != f"{DS}KeyName":
            raise _wrong(f"{_local(child)} in KeyInfo is not taken, put the certificate into X509Data")
    if len(keys) > 1:
        raise _wrong("KeyInfo has several KeyValue")
    if not certificates:
        raise Rejected("certificate.missing")
    return KeyInfo(tuple(certificates), tuple(serials), keys[0] if keys else None)


def check_bare_key(info: KeyInfo, key: PublicKeyTypes) -> None:
    """A KeyValue beside the certificate must be the certificate's key. Raises Rejected(signature.structure)."""
    if info.key is None:
        return
    if isinstance(key, rsa.RSAPublicKey):
        same = key.public_numbers() == info.key
    elif isinstance(key, ec.EllipticCurvePublicKey):
        same = key.curve.name.encode() + key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) == info.key
    else:
        same = False
    if not same:
        raise _wrong("KeyValue is another key than that of the certificate")


def _read_x509_data(element: _Element, certificates: list[bytes], serials: list[int]) -> None:
    for child in element:
        if child.tag == f"{DS}X509Certificate":
            if len(certificates) == MAX_CERTIFICATES:
                raise Rejected("signature.limit", what="certificates", value=f"> {MAX_CERTIFICATES}", limit=MAX_CERTIFICATES)
            if len(child):
                raise _wrong("X509Certificate has elements inside")
            der = decode_base64(child.text, "X509Certificate")
            if der not in certificates:
                certificates.append(der)
        elif child.tag == f"{DS}X509IssuerSerial":
            number = (child.findtext(f"{DS}X509SerialNumber") or "").strip()
            if not (number.isascii() and number.isdigit() and len(number) <= 60):
                raise _wrong("X509SerialNumber is not a number")
            serials.append(int(number))
        elif child.tag not in _HINTS:
            raise _wrong(f"{_local(child)} does not belong in X509Data")


def _read_key_value(element: _Element) -> rsa.RSAPublicNumbers | bytes:
    """Raises Rejected(signature.structure) for anything but an RSA key or a point on a named curve."""
    children = list(element)
    if len(children) == 1 and children[0].tag == f"{DS}RSAKeyValue":
        modulus = decode_base64(children[0].findtext(f"{DS}Modulus"), "Modulus")
        exponent = decode_base64(children[0].findtext(f"{DS}Exponent"), "Exponent")
        return rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    if len(children) == 1 and children[0].tag == f"{_DS11}ECKeyValue":
        named = children[0].find(f"{_DS11}NamedCurve")
        curve = _CURVES.get("" if named is None else named.get("URI", ""))
        if curve is not None:
            return curve.encode() + decode_base64(children[0].findtext(f"{_DS11}PublicKey"), "PublicKey")
    raise _wrong("KeyValue is neither an RSA key nor one on a named curve")


def _local(element: _Element) -> str:
    return str(element.tag).rpartition("}")[2][:100]


def _wrong(detail: str) -> Rejected:
    return Rejected("signature.structure", detail=detail)
