"""The signed properties of XAdES 1.3.2 (ETSI EN 319 132-1): found where they belong, referenced, and true.

Checked: Target, the reference of type SignedProperties, the digest of the signing certificate, the claimed signing time.
Other signed properties are taken as they are; unsigned properties (time stamps) prove nothing here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.algorithms import DIGESTS, decode_base64
from gateway.security.certificates import Holder
from gateway.security.structure import DS, OBJECT, Reference, SignatureParts

NAMESPACE = "http://uri.etsi.org/01903/v1.3.2#"
XADES = f"{{{NAMESPACE}}}"
QUALIFYING_PROPERTIES = f"{XADES}QualifyingProperties"
SIGNED_PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"

#: A claimed time without zone may be any local time.
_ZONELESS_SLACK = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """What the properties say about the signer: identifier and value of the digest, serial number where given."""

    digest_method: str
    digest: bytes
    serial: int | None


@dataclass(frozen=True, slots=True)
class SignedProperties:
    """`certificate` is None only when a reference covers the KeyInfo, which then names the signer."""

    claimed_at: datetime | None
    zoned: bool
    certificate: SigningCertificate | None


def read_properties(parts: SignatureParts, inside: tuple[tuple[Reference, _Element], ...]) -> SignedProperties | None:
    """None when the signature is no XAdES signature. Raises Rejected(signature.properties)."""
    all_qualifying = list(parts.element.iter(QUALIFYING_PROPERTIES))
    typed = [target for reference, target in inside if reference.type == SIGNED_PROPERTIES_TYPE]
    if not all_qualifying:
        if any(reference.type == SIGNED_PROPERTIES_TYPE for reference in parts.references):
            raise _wrong("a reference says SignedProperties and there are none")
        return None
    signed = _signed_properties(parts, all_qualifying)
    if len(typed) != 1 or typed[0] is not signed or sum(r.type == SIGNED_PROPERTIES_TYPE for r in parts.references) != 1:
        raise _wrong("SignedProperties are not referenced exactly once with their type")
    signature_properties = _child(signed, f"{XADES}SignedSignatureProperties")
    if signature_properties is None:
        raise _wrong("SignedSignatureProperties are missing")
    certificate = _signing_certificate(signature_properties)
    if certificate is None and not any(target is parts.key_info for _, target in inside):
        raise _wrong("neither SigningCertificate nor a reference to KeyInfo says who signed")
    claimed_at, zoned = _signing_time(signature_properties)
    return SignedProperties(claimed_at, zoned, certificate)


def check_properties(properties: SignedProperties, holder: Holder, at: datetime, tolerance: timedelta) -> None:
    """Do the properties fit the certificate that signed, and is the claimed time possible at `at`?

    Raises Rejected(signature.properties).
    """
    named = properties.certificate
    if named is not None:
        if hashlib.new(DIGESTS[named.digest_method][0], holder.der).digest() != named.digest:
            raise _wrong("SigningCertificate names another certificate than the one that signed")
        if named.serial is not None and named.serial != holder.signer.serial:
            raise _wrong("SigningCertificate names another serial number than that of the certificate that signed")
    claimed = properties.claimed_at
    if claimed is None:
        return
    slack = tolerance if properties.zoned else max(tolerance, _ZONELESS_SLACK)
    if claimed > at + slack:
        raise _wrong(f"SigningTime {claimed.isoformat()} lies in the future")
    if claimed < holder.not_before - slack:
        raise _wrong(f"SigningTime {claimed.isoformat()} lies before the certificate's start")


def _signed_properties(parts: SignatureParts, all_qualifying: list[_Element]) -> _Element:
    qualifying = all_qualifying[0]
    holder = qualifying.getparent()
    if len(all_qualifying) != 1 or holder is None or holder.tag != OBJECT or holder.getparent() is not parts.element:
        raise _wrong("QualifyingProperties must stand once, directly in an Object of the signature")
    signature_id = parts.element.get("Id")
    if not signature_id or qualifying.get("Target") != f"#{signature_id}":
        raise _wrong("Target does not point at the signature")
    signed = list(qualifying.iter(f"{XADES}SignedProperties"))
    if len(signed) != 1 or signed[0].getparent() is not qualifying:
        raise _wrong("SignedProperties must stand once, directly in QualifyingProperties")
    return signed[0]


def _child(element: _Element, name: str) -> _Element | None:
    """The first child of this name. `find` says the same in Python and takes ten times as long."""
    return next(element.iterchildren(name), None)


def _signing_certificate(properties: _Element) -> SigningCertificate | None:
    """The first Cert, which by the standard is the signer's; the others name its chain."""
    found = list(properties.iterchildren(f"{XADES}SigningCertificate"))
    found += properties.iterchildren(f"{XADES}SigningCertificateV2")
    named: list[SigningCertificate] = []
    for element in found:
        cert = _child(element, f"{XADES}Cert")
        digest = None if cert is None else _child(cert, f"{XADES}CertDigest")
        method = None if digest is None else _child(digest, f"{DS}DigestMethod")
        if cert is None or digest is None or method is None:
            raise _wrong("SigningCertificate has no digest")
        algorithm = method.get("Algorithm", "")
        if algorithm not in DIGESTS:
            raise Rejected("signature.algorithm", algorithm=algorithm or "(none)")
        serial = cert.findtext(f"{XADES}IssuerSerial/{DS}X509SerialNumber")
        number = serial.strip() if serial is not None else None
        if number is not None and not (number.isascii() and number.isdigit()):
            raise _wrong("the serial number of SigningCertificate is not a number")
        content = _child(digest, f"{DS}DigestValue")
        value = decode_base64(None if content is None else content.text, "CertDigest")
        named.append(SigningCertificate(algorithm, value, None if number is None else int(number[:60])))
    if any(other.digest_method == named[0].digest_method and other.digest != named[0].digest for other in named[1:]):
        raise _wrong("SigningCertificate and SigningCertificateV2 name different certificates")
    return named[-1] if named else None


def _signing_time(properties: _Element) -> tuple[datetime | None, bool]:
    times = list(properties.iterchildren(f"{XADES}SigningTime"))
    if not times:
        return None, True
    try:
        (element,) = times
        claimed = datetime.fromisoformat((element.text or "").strip())
        zoned = claimed.tzinfo is not None
        return (claimed if zoned else claimed.replace(tzinfo=UTC)).astimezone(UTC), zoned
    except (ValueError, OverflowError):
        raise _wrong("SigningTime is not one dateTime") from None


def _wrong(detail: str) -> Rejected:
    return Rejected("signature.properties", detail=detail)
