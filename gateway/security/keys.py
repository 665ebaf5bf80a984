"""The key folder: the seal, the trust anchors, and the key that encrypts secrets in the database.

    seal.key      private key of the seal, PKCS#8 PEM, for its owner only, optionally under a passphrase
    seal.pem      its certificate
    trust/*.pem   the authorities whose certificates sign messages to us
    secrets.key   32 random bytes, for its owner only

`initialise` makes a development set; production puts its own files in the same places.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.errors import Failed
from gateway.security.authority import issue, make_root
from gateway.security.certificates import Trust, load_anchors
from gateway.security.templates import SigningKey

UNLOCK = "BRAMA_SEAL_PASSPHRASE"  # the variable with the passphrase of the seal
UNLOCK_FILE = "BRAMA_SEAL_PASSPHRASE_FILE"  # or with the name of a file that holds it
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Authority:
    """The development authority, to issue persons' certificates for demo and tests."""

    key: SigningKey
    certificate: x509.Certificate


class Secrets:
    """Small secrets for the database, encrypted with AES-256-GCM and bound to their place by `purpose`."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, secret: bytes, purpose: str) -> bytes:
        """`purpose` names the place (table, column, row): a value moved to another place cannot be decrypted there."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def decrypt(self, encrypted: bytes, purpose: str) -> bytes:
        """Raises Failed(keys.secret) when it was changed, belongs elsewhere or was encrypted with another key."""
        try:
            return self._cipher.decrypt(encrypted[:_NONCE], encrypted[_NONCE:], purpose.encode())
        except (InvalidTag, ValueError):
            raise Failed("keys.secret") from None


def initialise(folder: Path, kind: str = "P-256") -> Authority:
    """Fill an empty folder: a development root, the seal under it, the secrets key. `kind` is P-256 or RSA-2048.

    The passphrase, if set, encrypts the seal. The root's own key stays in `authority.key` for issuing demo certificates.
    Raises FileExistsError when there is a seal already: keys are never overwritten.
    """
    if (folder / "seal.key").exists():
        raise FileExistsError(f"{folder / 'seal.key'} exists; move it away to make new keys")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "trust").mkdir(exist_ok=True)
    root_key, root = make_root("Brama development CA")
    seal_key, seal = issue(root, root_key, "Brama seal", kind=kind, organization="Brama")
    (folder / "trust" / "brama-development-ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "seal.pem").write_bytes(seal.public_bytes(Encoding.PEM))
    write_private(folder / "authority.key", _pem(root_key, None))
    write_private(folder / "secrets.key", secrets.token_bytes(32))
    write_private(folder / "seal.key", _pem(seal_key, _passphrase()))
    return Authority(root_key, root)


def load_seal(folder: Path) -> tuple[SigningKey, x509.Certificate]:
    """The seal's key and certificate. Raises Failed(keys.missing | keys.readable_by_others | keys.unreadable | keys.mismatch)."""
    path = folder / "seal.key"
    key = _load_key(path, _passphrase())
    certificate = load_anchors([_existing(folder / "seal.pem")])[0]
    if certificate.public_key() != key.public_key():
        raise Failed("keys.mismatch", path=str(path))
    return key, certificate


def load_authority(folder: Path) -> Authority:
    """The development authority that `initialise` made. Raises Failed(keys.*)."""
    key = _load_key(folder / "authority.key", None)
    return Authority(key, load_anchors([_existing(folder / "trust" / "brama-development-ca.pem")])[0])


def load_trust(folder: Path) -> Trust:
    """The anchors of the folder. Raises Failed(keys.missing | keys.unreadable)."""
    return Trust(load_anchors([_existing(folder / "trust")]))


def load_secrets(folder: Path) -> Secrets:
    """Raises Failed(keys.missing | keys.readable_by_others | keys.unreadable)."""
    path = folder / "secrets.key"
    key = read_private(path)
    if len(key) != 32:
        raise Failed("keys.unreadable", path=str(path), detail=f"{len(key)} bytes, 32 are needed")
    return Secrets(key)


def read_private(path: Path) -> bytes:
    """A file that only its owner may read. Raises Failed(keys.missing | keys.readable_by_others | keys.unreadable)."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Failed("keys.readable_by_others", path=str(path))
            return file.read()
    except FileNotFoundError:
        raise Failed("keys.missing", path=str(path)) from None
    except OSError as error:
        raise Failed("keys.unreadable", path=str(path), detail=error.strerror or type(error).__name__) from None


def write_private(path: Path, content: bytes) -> None:
    """Make a new file that only its owner may read. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _load_key(path: Path, passphrase: bytes | None) -> SigningKey:
    pem = read_private(path)
    try:
        encrypted = b"ENCRYPTED" in pem
        key = load_pem_private_key(pem, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = f" (is {UNLOCK} right?)" if b"ENCRYPTED" in pem else ""
        raise Failed("keys.unreadable", path=str(path), detail=f"{type(error).__name__}{hint}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Failed("keys.unreadable", path=str(path), detail="neither an RSA nor an elliptic curve key")
    return key


def _passphrase() -> bytes | None:
    """From the variable, or from the file that the other variable names (its last line end does not count)."""
    given = os.environ.get(UNLOCK)
    if given:
        return given.encode()
    file = os.environ.get(UNLOCK_FILE)
    return read_private(Path(file)).rstrip(b"\r\n") if file else None


def _existing(path: Path) -> Path:
    if not path.exists():
        raise Failed("keys.missing", path=str(path))
    return path


def _pem(key: SigningKey, passphrase: bytes | None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
