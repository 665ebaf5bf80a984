"""A small certificate authority of our own: the development root, the seal under it, persons for demo and tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.security.templates import SigningKey

_DAYS = 3 * 365


def new_key(kind: str = "P-256") -> SigningKey:
    """`P-256` or `RSA-2048`. Raises ValueError for others."""
    if kind == "P-256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "RSA-2048":
        return rsa.generate_private_key(65537, 2048)
    raise ValueError(f"unknown kind of key {kind}: P-256 or RSA-2048")


def make_root(name: str, *, now: datetime | None = None, days: int = 2 * _DAYS) -> tuple[SigningKey, x509.Certificate]:
    """A self-signed authority that may certify end entities only."""
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key, now, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def issue(
    issuer: x509.Certificate,
    issuer_key: SigningKey,
    name: str,
    *,
    key: SigningKey | None = None,
    kind: str = "P-256",
    organization: str | None = None,
    now: datetime | None = None,
    days: int = _DAYS,
) -> tuple[SigningKey, x509.Certificate]:
    """A certificate for signing documents (digitalSignature and contentCommitment), valid from an hour before `now`."""
    key = key or new_key(kind)
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        parts.insert(1, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = _builder(x509.Name(parts), issuer.subject, key, now, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return key, builder.sign(issuer_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: SigningKey, now: datetime | None, days: int) -> x509.CertificateBuilder:
    now = now or datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
