"""Importing a registry file: idempotent, whole or not at all, every problem with its place."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from gateway.database import generation, metadata, writing
from registry.accounts import Accounts, channel_password
from registry.changes import end_representation, revoke_certificate
from registry.document import MAX_SIZE, ImportRefused
from registry.importing import import_file
from registry.tables import accounts, certificates, representations
from tests.registry_setting import AGENCY, ANNA, CLIENT, COMPANY, FINGERPRINT, REGISTER, PlainSecrets, import_text, new_engine

NOW = dt.datetime(2026, 6, 15, 10, tzinfo=dt.UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return new_engine(tmp_path)


def contents(engine: Engine) -> dict[str, list[object]]:
    with engine.connect() as connection:
        return {name: [tuple(row) for row in connection.execute(select(table))] for name, table in metadata.tables.items()}


def number(engine: Engine) -> int:
    with engine.connect() as connection:
        return generation(connection, "registry")


def problems(engine: Engine, folder: Path, text: str) -> dict[str, str]:
    """The problems of the text by place; asserts that nothing was written."""
    before = contents(engine)
    with pytest.raises(ImportRefused) as refused:
        import_text(engine, folder, text)
    assert contents(engine) == before
    return {problem.place: problem.text for problem in refused.value.problems}


def test_import_then_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    report = import_text(engine, tmp_path, REGISTER)
    assert report.added == {
        "persons": 2, "accounts": 2, "certificates": 2, "entities": 3, "identifiers": 5, "representations": 3, "permissions": 3
    }  # fmt: skip
    assert number(engine) == 1
    before = contents(engine)
    again = import_text(engine, tmp_path, REGISTER)
    assert (again.added, again.changed, again.removed) == ({}, {}, {})
    assert sum(again.unchanged.values()) == sum(report.added.values())
    assert contents(engine) == before
    assert number(engine) == 1


def test_dry_run_reports_and_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    before = contents(engine)
    assert import_text(engine, tmp_path, REGISTER, dry_run=True).added["persons"] == 2
    assert contents(engine) == before


def test_changes_are_made_and_counted(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    changed = REGISTER.replace("name: Klient", "name: Klient SA").replace("[NCTS2/CC015C]", "[NCTS2/CC013C]")
    report = import_text(engine, tmp_path, changed.replace("2026-12-31", "2026-11-30"))
    assert report.changed == {"entities": 1, "representations": 1}
    assert (report.added, report.removed) == ({"permissions": 1}, {"permissions": 1})
    assert number(engine) == 2


def test_days_become_instants_in_warsaw(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    with engine.connect() as connection:
        row = connection.execute(select(representations).where(representations.c.agency_id.is_not(None))).one()
    assert row.valid_from == dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)
    assert row.valid_to == dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)


def test_password_is_stored_encrypted_and_never_shown(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    account = Accounts(engine).find(ANNA.upper())
    assert account is not None
    assert account.secret_ciphertext is not None
    assert "hasło".encode() not in account.secret_ciphertext
    assert channel_password(account, PlainSecrets()) == "tajne-hasło".encode()
    assert "secret" not in repr(account)
    other = Accounts(engine).find("bartek@agencja.example")
    assert other is not None
    assert channel_password(other, PlainSecrets()) is None
    with pytest.raises(ImportRefused, match="tajne") as refused:
        import_text(engine, tmp_path, REGISTER + "tajne: 1")
    assert "tajne-hasło" not in str(refused.value)


def test_password_without_a_key_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(REGISTER)
    with pytest.raises(ImportRefused, match=re.escape("persons[0].accounts[0].password")):
        import_file(engine, tmp_path / "r.yaml", None)


def test_new_password_replaces_and_suspending_works(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    import_text(engine, tmp_path, REGISTER.replace("password: tajne-hasło", "password: ' nowe ', active: false"))
    account = Accounts(engine).find(ANNA)
    assert account is not None
    assert not account.active
    assert channel_password(account, PlainSecrets()) == b" nowe "
    import_text(engine, tmp_path, REGISTER.replace(", password: tajne-hasło", ""))
    account = Accounts(engine).find(ANNA)
    assert account is not None
    assert not account.active, "an import that does not mention active leaves it"


def test_ended_and_revoked_stay_so(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    with writing(engine) as connection:
        assert end_representation(connection, 1, NOW) == NOW
        assert end_representation(connection, 1, NOW + dt.timedelta(1)) == NOW
        assert end_representation(connection, 99, NOW) is None
        assert revoke_certificate(connection, FINGERPRINT, NOW) == NOW
    report = import_text(engine, tmp_path, REGISTER)
    assert not report.changed
    with engine.connect() as connection:
        assert connection.execute(select(representations.c.ended_at)).scalars().first() == NOW
        assert connection.execute(select(certificates.c.revoked_at).where(certificates.c.fingerprint == FINGERPRINT)).scalar() == NOW


def certificate_pem() -> tuple[bytes, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Anna Test")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=365))
    certificate = builder.sign(key, SHA256())
    return certificate.public_bytes(Encoding.PEM), certificate


def test_certificates_from_file_and_inline(engine: Engine, tmp_path: Path) -> None:
    (pem, first), (inline, second) = certificate_pem(), certificate_pem()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "anna.pem").write_bytes(pem)
    indented = inline.decode().replace("\n", "\n          ")
    import_text(
        engine,
        tmp_path,
        f"""
persons:
  - idSISC: 80010112340000000
    given_names: Anna
    family_name: P
    certificates:
      - file: keys/anna.pem
      - pem: |
          {indented}
        revoked_at: 2026-05-01T12:00:00
""",
    )
    with engine.connect() as connection:
        rows = {row.fingerprint: row for row in connection.execute(select(certificates))}
    assert set(rows) == {first.fingerprint(SHA256()).hex(), second.fingerprint(SHA256()).hex()}
    row = rows[second.fingerprint(SHA256()).hex()]
    assert row.subject == "CN=Anna Test"
    assert row.valid_to == second.not_valid_after_utc + dt.timedelta(seconds=1)
    assert row.revoked_at == dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)


def test_all_problems_at_once_each_with_its_place(engine: Engine, tmp_path: Path) -> None:
    found = problems(
        engine,
        tmp_path,
        """
persons:
  - idSISC: 80010112341000000
    given_names: Anna
    nickname: A
    accounts: [{login: not-an-address, active: perhaps}, text]
    certificates:
      - {file: nowhere.pem}
      - {pem: junk}
      - {}
      - {fingerprint: a1b2, valid_from: 2026-01-01, valid_to: 2026-02-30}
      - {fingerprint: XX, pem: y}
entities:
  - {idSISC: short, name: N, identifiers: {NIP: 1234563219, REGON: [123456785, 1], VAT: 5, EORI: {a: b}}}
representations:
  - {person: 80010112340000000, agency: x, principal: y, form: friend, valid_from: 2026-05-01, valid_to: 2026-04-30,
     permissions: [a b, NCTS2]}
  - {principal: y, form: employee, permissions: all}
surplus: 1
""",
    )
    assert set(found) == {
        "surplus", "persons[0].idSISC", "persons[0].family_name", "persons[0].nickname", "persons[0].accounts[0].login",
        "persons[0].accounts[0].active", "persons[0].accounts[1]", "persons[0].accounts[1].login", "persons[0].certificates[0].file",
        "persons[0].certificates[1].pem", "persons[0].certificates[2]", "persons[0].certificates[3].fingerprint",
        "persons[0].certificates[3].valid_to", "persons[0].certificates[4]", "entities[0].idSISC", "entities[0].identifiers.NIP",
        "entities[0].identifiers.REGON", "entities[0].identifiers.VAT", "entities[0].identifiers.EORI", "representations[0]",
        "representations[0].form", "representations[0].valid_to", "representations[0].permissions[0]",
        "representations[0].permissions[1]", "representations[1]", "representations[1].valid_from", "representations[1].permissions",
    }  # fmt: skip
    assert "80010112341" not in " ".join(found.values()), "a PESEL is never repeated in a problem"


def test_duplicates_in_the_file(engine: Engine, tmp_path: Path) -> None:
    person = "{idSISC: 80010112340000000, given_names: A, family_name: B, accounts: [{login: a@b.pl}]}"
    entity = f"{{idSISC: {AGENCY}, name: N, identifiers: {{EORI: {AGENCY}}}}}"
    found = problems(engine, tmp_path, f"persons: [{person}, {person}]\nentities: [{entity}, {entity}]")
    assert set(found) == {"persons[1].idSISC", "persons[1].accounts[0].login", "entities[1].idSISC", "entities[1].identifiers.EORI"}
    twice = REGISTER + f"  - {{person: 80010112340000000, principal: {AGENCY}, form: employee, valid_from: 2026-01-01, permissions: ['*']}}"
    assert set(problems(engine, tmp_path, twice)) == {"representations[3]"}


def test_nothing_moves_to_somebody_else(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    found = problems(
        engine,
        tmp_path,
        f"""
persons:
  - idSISC: 90031524688000000
    given_names: C
    family_name: D
    accounts: [{{login: {ANNA}}}]
    certificates: [{{fingerprint: {FINGERPRINT}, valid_from: 2020-01-01, valid_to: 2040-01-01}}]
entities:
  - {{idSISC: DE000000000000001, name: N, identifiers: {{NIP: 7000000015, TC: {CLIENT}}}}}
""",
    )
    assert set(found) == {
        "persons[0].accounts[0].login", "persons[0].certificates[0]", "entities[0].identifiers.NIP", "entities[0].identifiers.TC"
    }  # fmt: skip


def test_a_value_names_one_entity_only(engine: Engine, tmp_path: Path) -> None:
    text = f"entities: [{{idSISC: {AGENCY}, name: N}}, {{idSISC: {CLIENT}, name: M, identifiers: {{TC: {AGENCY}}}}}]"
    assert list(problems(engine, tmp_path, text)) == ["entities[1]"]


def test_unknown_references(engine: Engine, tmp_path: Path) -> None:
    found = problems(
        engine,
        tmp_path,
        """
representations:
  - {person: 80010112340000000, principal: nobody, form: employee, valid_from: 2026-01-01, permissions: ["*"]}
  - {agency: nobody, principal: nobody, form: employee, valid_from: 2026-01-01, permissions: ["*"]}
""",
    )
    assert set(found) == {
        "representations[0].person", "representations[0].principal", "representations[1].agency", "representations[1].principal"
    }  # fmt: skip


def agency_link(agency: str, principal: str) -> str:
    return f"  - {{agency: {agency}, principal: {principal}, form: power_of_attorney, valid_from: 2026-02-01, permissions: ['*']}}\n"


def test_circles_and_self_are_refused_across_file_and_registry(engine: Engine, tmp_path: Path) -> None:
    import_text(engine, tmp_path, REGISTER)
    found = problems(engine, tmp_path, "representations:\n" + agency_link(AGENCY, "7000000015"))
    assert "itself" in found["representations[0]"]
    circle = "representations:\n" + agency_link(CLIENT, COMPANY) + agency_link(COMPANY, AGENCY)
    assert set(problems(engine, tmp_path, circle)) == {"representations[0]", "representations[1]"}
    with writing(engine) as connection:
        end_representation(connection, 2, NOW)
    assert import_text(engine, tmp_path, circle).added["representations"] == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("persons: [", "YAML"),
        ("- a", "mapping"),
        ("", "mapping"),
        ("persons: []", "nothing"),
        ("persons: []\npersons: []", "stands twice"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: " + "[" * 5000, "deep"),
        ("? [a]\n: b", "YAML"),
        ("persons: !!python/object/apply:os.system [echo]", "mapping"),
        ("a: \x01", "YAML"),
    ],
)
def test_bad_files(engine: Engine, tmp_path: Path, text: str, reason: str) -> None:
    assert reason in " ".join(f"{place} {problem}" for place, problem in problems(engine, tmp_path, text).items())


def test_too_large_and_not_text(engine: Engine, tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    with pytest.raises(ImportRefused, match="larger"):
        import_file(engine, large)
    large.write_bytes(b"\xff\xfe\xff\xff\x00\xd8")
    with pytest.raises(ImportRefused, match="YAML"):
        import_file(engine, large)


def test_the_example_of_the_page_imports(engine: Engine, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/reference/registry-yaml.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    assert import_text(engine, tmp_path, example[1]).added["representations"] == 2


def test_problems_found_late_undo_what_was_written_before(engine: Engine, tmp_path: Path) -> None:
    assert problems(engine, tmp_path, REGISTER + agency_link("nobody", CLIENT))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(accounts)).scalar() == 0
