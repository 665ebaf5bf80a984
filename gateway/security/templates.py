"""The text of a XAdES-B-B signature (ETSI EN 319 132-1, section 6) in exclusive canonical form.

Every part is written the way its canonical form looks, so a signature needs no tree: digests are taken from the text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.security.algorithms import CURVES, ECDSA_SHA256, RSA_SHA256, SHA256, b2a
from gateway.security.canonical import EXCLUSIVE
from gateway.security.structure import ENVELOPED
from gateway.security.structure import NAMESPACE as DS
from gateway.security.xades import NAMESPACE as XADES
from gateway.security.xades import SIGNED_PROPERTIES_TYPE

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DIGEST = '<ds:DigestMethod{ns} Algorithm="' + SHA256 + '"></ds:DigestMethod><ds:DigestValue{ns}>{value}</ds:DigestValue>'
_XMLNS = f' xmlns:ds="{DS}"'


@dataclass(frozen=True, slots=True)
class SignatureTemplate:
    """Key, certificate and all text of a signature that does not change. `xades=False`: plain XML-DSig."""

    key: SigningKey
    certificate: str  # DER in Base64
    certificate_digest: str
    method: str
    canonicalization: str
    xades: bool

    @classmethod
    def of(
        cls, key: SigningKey, certificate: x509.Certificate, *, canonicalization: str = EXCLUSIVE, xades: bool = True
    ) -> SignatureTemplate:
        """`canonicalization` applies to the document only; the signature's own parts are always exclusive."""
        der = certificate.public_bytes(Encoding.DER)
        method = ECDSA_SHA256 if isinstance(key, ec.EllipticCurvePrivateKey) else RSA_SHA256
        return cls(key, b2a(der), digest(der), method, canonicalization, xades)

    def signature(self, document_digest: str, mark: str, at: datetime) -> str:
        """The ds:Signature over a document with this SHA-256 (Base64). `mark` makes the Ids unique where receipts are
        collected in one document; `at` is the claimed signing time."""
        properties = self._properties(mark, at) if self.xades else ""
        info = self._signed_info(document_digest, mark, properties)
        value = b2a(self._sign(info.encode()))
        qualifying = f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="#s-{mark}">{properties}</xades:QualifyingProperties>'
        holder = f"<ds:Object>{qualifying}</ds:Object>" if self.xades else ""
        return (
            f'<ds:Signature{_XMLNS} Id="s-{mark}">{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
            f"<ds:X509Certificate>{self.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{holder}</ds:Signature>"
        )

    def _signed_info(self, document_digest: str, mark: str, properties: str) -> str:
        document = (
            f'<ds:Reference Id="r-{mark}" URI=""><ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"></ds:Transform>'
            f'<ds:Transform Algorithm="{self.canonicalization}"></ds:Transform></ds:Transforms>'
            f"{_DIGEST.format(ns='', value=document_digest)}</ds:Reference>"
        )
        signed_properties = (
            f'<ds:Reference Type="{SIGNED_PROPERTIES_TYPE}" URI="#p-{mark}"><ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}">'
            f"</ds:Transform></ds:Transforms>{_DIGEST.format(ns='', value=digest(properties.encode()))}</ds:Reference>"
        )
        return (
            f'<ds:SignedInfo{_XMLNS}><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
            f'<ds:SignatureMethod Algorithm="{self.method}"></ds:SignatureMethod>{document}'
            f"{signed_properties if self.xades else ''}</ds:SignedInfo>"
        )

    def _properties(self, mark: str, at: datetime) -> str:
        return (
            f'<xades:SignedProperties xmlns:xades="{XADES}" Id="p-{mark}"><xades:SignedSignatureProperties>'
            f"<xades:SigningTime>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</xades:SigningTime><xades:SigningCertificateV2><xades:Cert>"
            f"<xades:CertDigest>{_DIGEST.format(ns=_XMLNS, value=self.certificate_digest)}</xades:CertDigest></xades:Cert>"
            f"</xades:SigningCertificateV2></xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
            f'<xades:DataObjectFormat ObjectReference="#r-{mark}"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat>'
            f"</xades:SignedDataObjectProperties></xades:SignedProperties>"
        )

    def _sign(self, octets: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        size = CURVES[self.key.curve.name]
        r, s = decode_dss_signature(self.key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def digest(octets: bytes) -> str:
    """SHA-256 in Base64."""
    return b2a(hashlib.sha256(octets).digest())
