"""Certificates for tests: authorities and traders, with every fault a certificate can have."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key per number: making RSA keys is slow."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Party:
    key: Any
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = field(default=())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def base64(self) -> str:
        return b64encode(self.certificate.public_bytes(Encoding.DER)).decode()

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_usage(**set_: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: set_.get(name, False) for name in names.split()})


SIGNING = key_usage(digital_signature=True)
CERTIFYING = key_usage(key_cert_sign=True, crl_sign=True)


def certificate(
    name: str | x509.Name,
    key: Any,
    issuer: Party | None = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    usage: x509.KeyUsage | str | None = "usual",
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    start: datetime = AT - 30 * DAY,
    end: datetime = AT + 30 * DAY,
    hash_: Any = None,
    serial: int | None = None,
) -> Party:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) if isinstance(name, str) else name
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if usage == "usual":
        usage = CERTIFYING if ca else SIGNING
    if isinstance(usage, x509.KeyUsage):
        builder = builder.add_extension(usage, critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(issuer.key if issuer else key, hash_ or hashes.SHA256())
    return Party(key, signed, (*issuer.chain, issuer.certificate) if issuer else ())


@cache
def ca() -> Party:
    return certificate("Test Customs CA", rsa_key(100), ca=True)


@cache
def other_ca() -> Party:
    """Another authority of the same name."""
    return certificate("Test Customs CA", rsa_key(101), ca=True)


@cache
def trader_a() -> Party:
    return certificate("Trader A", rsa_key(1), ca())


@cache
def trader_b() -> Party:
    return certificate("Trader B", rsa_key(2), ca())


@cache
def trader_ec() -> Party:
    return certificate("Trader EC", ec_key(1), ca())


@cache
def stranger() -> Party:
    """Self-signed, with the subject of Trader A."""
    return certificate("Trader A", rsa_key(3))
