"""The key folder, secrets at rest, and issuing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509

from gateway.errors import Failed
from gateway.security import keys
from gateway.security.authority import issue
from gateway.security.revocation import NoRevocation
from gateway.security.sign import sign_enveloped
from gateway.security.signatures import Verifier
from gateway.security.xml import parse


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(keys.UNLOCK, raising=False)
    monkeypatch.delenv(keys.UNLOCK_FILE, raising=False)
    keys.initialise(tmp_path / "keys")
    return tmp_path / "keys"


def failure(action: object, *arguments: object) -> str:
    with pytest.raises(Failed) as failed:
        action(*arguments)  # type: ignore[operator]
    for language in ("pl", "en"):
        assert "{" not in failed.value.text(language)
    return failed.value.code


def test_a_fresh_folder_has_all_and_hides_its_keys(folder: Path) -> None:
    for name in ("seal.key", "secrets.key", "authority.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    key, certificate = keys.load_seal(folder)
    assert certificate.public_key() == key.public_key()
    assert len((folder / "secrets.key").read_bytes()) == 32


def test_keys_are_never_overwritten(folder: Path) -> None:
    before = (folder / "seal.key").read_bytes()
    with pytest.raises(FileExistsError):
        keys.initialise(folder)
    assert (folder / "seal.key").read_bytes() == before


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_a_person_issued_here_signs_and_is_trusted(folder: Path, kind: str) -> None:
    from datetime import UTC, datetime

    authority = keys.load_authority(folder)
    key, certificate = issue(authority.certificate, authority.key, "Jan Kowalski", kind=kind)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    verifier = Verifier(keys.load_trust(folder), NoRevocation())
    content = sign_enveloped(b"<a><b>1</b></a>", key, certificate)
    _, report = verifier.verify(verifier.set_aside(parse(content)), datetime.now(UTC))
    assert "CN=Jan Kowalski" in report.signer.subject


@pytest.mark.parametrize("name", ["seal.key", "secrets.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_keys_that_others_can_read_are_refused(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    load = keys.load_seal if name == "seal.key" else keys.load_secrets
    with pytest.raises(Failed) as failed:
        load(folder)
    assert failed.value.code == "keys.readable_by_others"
    assert f"chmod 600 {folder / name}" in failed.value.text("en")
    assert f"chmod 600 {folder / name}" in failed.value.text("pl")


def test_the_seal_can_be_under_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.UNLOCK, "tajne hasło")
    keys.initialise(tmp_path)
    assert b"ENCRYPTED" in (tmp_path / "seal.key").read_bytes()
    keys.load_seal(tmp_path)
    monkeypatch.setenv(keys.UNLOCK, "inne")
    assert failure(keys.load_seal, tmp_path) == "keys.unreadable"
    monkeypatch.delenv(keys.UNLOCK)
    assert failure(keys.load_seal, tmp_path) == "keys.unreadable"
    keys.write_private(tmp_path / "passphrase", "tajne hasło\n".encode())
    monkeypatch.setenv(keys.UNLOCK_FILE, str(tmp_path / "passphrase"))
    keys.load_seal(tmp_path)


def test_broken_folders_are_named_failures(folder: Path, tmp_path: Path) -> None:
    assert failure(keys.load_seal, tmp_path / "nowhere") == "keys.missing"
    assert failure(keys.load_trust, tmp_path / "nowhere") == "keys.missing"
    keys.initialise(tmp_path / "other")
    (folder / "seal.pem").write_bytes((tmp_path / "other" / "seal.pem").read_bytes())
    assert failure(keys.load_seal, folder) == "keys.mismatch"
    (folder / "seal.key").write_bytes(b"rubbish")
    assert failure(keys.load_seal, folder) == "keys.unreadable"
    (folder / "secrets.key").write_bytes(b"short")
    assert failure(keys.load_secrets, folder) == "keys.unreadable"


def test_secrets_are_bound_to_key_and_place(folder: Path, tmp_path: Path) -> None:
    secrets = keys.load_secrets(folder)
    encrypted = secrets.encrypt("hasło".encode(), "account/1/password")
    assert "hasło".encode() not in encrypted
    assert secrets.encrypt("hasło".encode(), "account/1/password") != encrypted
    assert secrets.decrypt(encrypted, "account/1/password").decode() == "hasło"
    assert failure(secrets.decrypt, encrypted, "account/2/password") == "keys.secret"
    assert failure(secrets.decrypt, encrypted[:-1] + bytes([encrypted[-1] ^ 1]), "account/1/password") == "keys.secret"
    assert failure(secrets.decrypt, b"", "account/1/password") == "keys.secret"
    keys.initialise(tmp_path / "other")
    assert failure(keys.load_secrets(tmp_path / "other").decrypt, encrypted, "account/1/password") == "keys.secret"
