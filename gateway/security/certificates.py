"""Trust: from the certificates in a signature to one of our anchors, or the reason why not.

The walk is our own and not `cryptography.x509.verification`: that answers with one sentence for everything, where a
trader needs to know whether the certificate expired, is not for signing or has an unknown issuer; and it holds name
constraints against alternative names only, never against the subject, where customs certificates have their names.
Source: RFC 5280, section 6.1. Policies are not evaluated, so critical certificate policies (usual in Europe) pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from gateway.errors import Failed, Rejected
from gateway.message import Signer
from gateway.security.algorithms import CURVES
from gateway.security.names import breach

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
MAX_PATH = 8
MAX_RSA_BITS = 8192  # checking longer ones costs milliseconds
_CACHE_SIZE = 10_000
_HASHES = frozenset({"sha256", "sha384", "sha512"})
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
#: RFC 9336 document signing, and Microsoft's older one
_SIGNING_PURPOSES = frozenset(
    {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
        ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),
    }
)


@dataclass(frozen=True, slots=True)
class Holder:
    """The one certificate that can have signed, with its key, and the other certificates that came along."""

    digest: bytes  # SHA-256 over all of them: the name in the cache
    der: bytes
    certificate: x509.Certificate
    key: PublicKeyTypes
    signer: Signer
    not_before: datetime
    not_after: datetime
    others: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class _Window:
    """When every certificate of a chain is valid."""

    start: datetime
    end: datetime


class Trust:
    """The anchors, and the chains that led to them before. Safe to share between threads."""

    def __init__(self, anchors: Iterable[x509.Certificate]) -> None:
        self._anchors: dict[bytes, list[x509.Certificate]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.subject.public_bytes(), []).append(anchor)
        self._cache: dict[bytes, tuple[Holder, _Window]] = {}

    def holder(self, certificates: Sequence[bytes]) -> Holder:
        """Who can have signed. Raises Rejected(signature.structure | certificate.weak | certificate.usage)."""
        digest = hashlib.sha256(b"".join(certificates)).digest()
        cached = self._cache.get(digest)
        return cached[0] if cached else _read_holder(digest, certificates)

    def judge(self, holder: Holder, at: datetime) -> None:
        """Was the holder's certificate good for signing at `at`, and does it lead to an anchor?

        Raises Rejected(certificate.*). A chain found once is kept; its validity is asked anew every time.
        """
        cached = self._cache.get(holder.digest)
        if cached is not None and cached[1].start <= at <= cached[1].end:
            return
        subject = holder.signer.subject
        if at > holder.not_after:
            raise Rejected("certificate.expired", subject=subject, date=holder.not_after.isoformat())
        if at < holder.not_before:
            raise Rejected("certificate.not_yet_valid", subject=subject, date=holder.not_before.isoformat())
        _check_usage(holder.certificate, subject)
        chain = _Search(self._anchors, holder.others, at).chain(holder.certificate)
        window = _Window(max(c.not_valid_before_utc for c in chain), min(c.not_valid_after_utc for c in chain))
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        self._cache[holder.digest] = (holder, window)


class _Search:
    """Looks for one path from a certificate up to an anchor, deepest first, within a budget of signature checks."""

    def __init__(self, anchors: dict[bytes, list[x509.Certificate]], others: tuple[x509.Certificate, ...], at: datetime) -> None:
        self._anchors = anchors
        self._others = others
        self._at = at
        self._budget = 32
        self._reason: Rejected | None = None

    def chain(self, leaf: x509.Certificate) -> list[x509.Certificate]:
        """From the leaf to the anchor. Raises Rejected(certificate.untrusted | certificate.weak)."""
        path = self._extend([leaf])
        if path is not None:
            return path
        subject, issuer = describe(leaf.subject), describe(leaf.issuer)
        own = leaf.subject == leaf.issuer
        detail = "it is signed by itself" if own else f"its issuer '{issuer}' is unknown"
        raise self._reason or Rejected("certificate.untrusted", subject=subject, detail=detail)

    def _extend(self, path: list[x509.Certificate]) -> list[x509.Certificate] | None:
        last = path[-1]
        anchors = self._anchors.get(last.issuer.public_bytes(), [])
        if last in self._anchors.get(last.subject.public_bytes(), []) and self._unobjectionable(path):
            return path  # the certificate itself was declared trusted
        for issuer in anchors:
            if self._issues(issuer, path) and self._unobjectionable([*path, issuer]):
                return [*path, issuer]
        if len(path) < MAX_PATH:
            for issuer in self._others:
                if issuer not in path and issuer.subject == last.issuer and self._issues(issuer, path):
                    found = self._extend([*path, issuer])
                    if found is not None:
                        return found
        return None

    def _issues(self, issuer: x509.Certificate, path: list[x509.Certificate]) -> bool:
        """Did `issuer` sign the last of the path, and was it allowed to? The first objection becomes the reason."""
        self._budget -= 1
        if self._budget < 0:
            return False
        if not _strongly_signed(path[-1]):
            return self._object(path, "a certificate of its chain is signed with SHA-1 or another weak hash", "certificate.weak")
        try:
            path[-1].verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            return self._object(path, f"it was not signed by the key of '{describe(issuer.subject)}'")
        objection = _authority_objection(issuer, len(path) - 1, self._at)
        return self._object(path, objection) if objection else True

    def _unobjectionable(self, path: list[x509.Certificate]) -> bool:
        """Critical extensions and name constraints of the whole path."""
        for place, certificate in enumerate(path):
            unknown = [e.oid.dotted_string for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]
            if unknown:
                return self._object(path, f"a critical extension is not understood ({unknown[0]})")
            constraints = _extension(certificate, x509.NameConstraints)
            broken = constraints and next(filter(None, (breach(constraints, below) for below in path[:place])), None)
            if broken:
                return self._object(path, f"its issuer may not certify that name ({broken})")
        return True

    def _object(self, path: list[x509.Certificate], detail: str, code: str = "certificate.untrusted") -> bool:
        self._reason = self._reason or Rejected(code, subject=describe(path[0].subject), detail=detail)
        return False


def load_anchors(paths: Iterable[Path]) -> list[x509.Certificate]:
    """The certificates in PEM (one or more a file) or DER files, or in folders of such. Raises Failed(keys.unreadable)."""
    anchors: list[x509.Certificate] = []
    for path in paths:
        try:
            files = sorted(f for f in path.iterdir() if f.suffix in {".pem", ".crt", ".cer", ".der"}) if path.is_dir() else [path]
            found = [certificate for file in files for certificate in _read_certificates(file.read_bytes())]
        except (OSError, ValueError) as error:
            raise Failed("keys.unreadable", path=str(path), detail=str(error) or type(error).__name__) from None
        if not found:
            raise Failed("keys.unreadable", path=str(path), detail="there is no certificate in it")
        anchors += found
    return anchors


def describe(name: x509.Name) -> str:
    """A distinguished name for people (RFC 4514), printable and at most 200 characters."""
    text = name.rfc4514_string()
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or "(no name)"


def _read_certificates(content: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN" not in content:
        return [_read(content)]
    return [_read(certificate.public_bytes(Encoding.DER)) for certificate in x509.load_pem_x509_certificates(content)]


def _read(der: bytes) -> x509.Certificate:
    """`cryptography` reads the parts of a certificate when they are asked for: ask for all of them. Raises ValueError."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
        certificate.not_valid_before_utc, certificate.not_valid_after_utc  # noqa: B018
        certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        if certificate.serial_number < 1:
            raise ValueError("RFC 5280 wants a positive serial number")
    except Exception as error:
        # Many kinds of errors for many kinds of garbage, all with one meaning.
        raise ValueError(f"a certificate cannot be read ({type(error).__name__})") from None
    return certificate


def _read_holder(digest: bytes, certificates: Sequence[bytes]) -> Holder:
    """The certificate that is no authority; more than one is ambiguous. Of authorities alone the first is named."""
    try:
        loaded = [_read(der) for der in certificates]
    except ValueError as error:
        raise Rejected("signature.structure", detail=f"X509Certificate: {error}") from None
    leaves = [c for c in loaded if not _is_authority(c)]
    if len(leaves) > 1:
        raise Rejected("signature.structure", detail="KeyInfo has several certificates that may have signed")
    leaf = (leaves or loaded)[0]
    key = leaf.public_key()
    weakness = _weakness(key)
    if weakness:
        raise Rejected("certificate.weak", subject=describe(leaf.subject), detail=weakness)
    der = leaf.public_bytes(Encoding.DER)
    signer = Signer(hashlib.sha256(der).hexdigest(), describe(leaf.subject), describe(leaf.issuer), leaf.serial_number)
    others = tuple(c for c in loaded if c is not leaf)
    return Holder(digest, der, leaf, key, signer, leaf.not_valid_before_utc, leaf.not_valid_after_utc, others)


def _weakness(key: PublicKeyTypes) -> str | None:
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        if not 2048 <= key.key_size <= MAX_RSA_BITS:
            return f"RSA with {key.key_size} bits, 2048 to {MAX_RSA_BITS} are taken"
        return f"the RSA exponent is {numbers.e}, at least 65537 is needed" if numbers.e < 65537 else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return None if key.curve.name in CURVES else f"curve {key.curve.name}, P-256, P-384 or P-521 are needed"
    return "neither RSA nor ECDSA"


def _check_usage(certificate: x509.Certificate, subject: str) -> None:
    """Raises Rejected(certificate.usage | certificate.untrusted) unless the certificate is for signing documents."""
    usage = _extension(certificate, x509.KeyUsage)
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if _is_authority(certificate):
        raise Rejected("certificate.usage", subject=subject, detail="it is the certificate of an authority (CA)")
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise Rejected("certificate.usage", subject=subject, detail="keyUsage has neither digitalSignature nor nonRepudiation")
    if purposes is not None and not _SIGNING_PURPOSES.intersection(purposes):
        raise Rejected("certificate.usage", subject=subject, detail="extended key usage has no purpose that includes signing")


def _authority_objection(issuer: x509.Certificate, below: int, at: datetime) -> str | None:
    """Why `issuer` may not certify at `at` with `below` authorities between it and the signer; None when it may."""
    name = describe(issuer.subject)
    constraints = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return f"'{name}' is no authority"
    if constraints.path_length is not None and below > constraints.path_length:
        return f"the chain below '{name}' is longer than allowed ({constraints.path_length})"
    if not issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc:
        return f"the certificate of its issuer '{name}' is not valid at that time"
    weakness = _weakness(issuer.public_key())
    return f"the key of its issuer '{name}' is weak: {weakness}" if weakness else None


def _strongly_signed(certificate: x509.Certificate) -> bool:
    try:
        hashed = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    return hashed is not None and hashed.name in _HASHES


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
