"""A small registry in a file database, for the tests of the registry: Anna stands for an agency and one company."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import Engine

import registry.tables  # noqa: F401  its tables join the metadata
from gateway.database import metadata, open_engine
from registry.importing import Report, import_file

ANNA = "anna@agencja.example"
BARTEK = "bartek@agencja.example"
FINGERPRINT, OTHER_FINGERPRINT = "a1" * 32, "b2" * 32
AGENCY, CLIENT, COMPANY = "PL700000001500000", "PL852963741300000", "PL777000111100000"

REGISTER = f"""
persons:
  - idSISC: 80010112340000000
    given_names: Anna
    family_name: Przykładowa
    accounts: [{{login: {ANNA}, password: tajne-hasło}}]
    certificates: [{{fingerprint: {FINGERPRINT}, subject: CN=Anna, valid_from: 2020-01-01, valid_to: 2040-01-01}}]
  - idSISC: 75050543218000000
    given_names: Bartek
    family_name: Inny
    accounts: [{{login: {BARTEK}}}]
    certificates: [{{fingerprint: {OTHER_FINGERPRINT}, subject: CN=Bartek, valid_from: 2020-01-01, valid_to: 2040-01-01}}]
entities:
  - {{idSISC: {AGENCY}, name: Agencja, identifiers: {{EORI: {AGENCY}, NIP: 700-000-00-15}}}}
  - {{idSISC: {CLIENT}, name: Klient, identifiers: {{EORI: {CLIENT}, REGON: 852963747}}}}
  - {{idSISC: {COMPANY}, name: Firma, identifiers: {{EORI: {COMPANY}}}}}
representations:
  - {{person: 80010112340000000, principal: {AGENCY}, form: employee, valid_from: 2026-01-01, permissions: [NCTS2/*]}}
  - {{agency: {AGENCY}, principal: {CLIENT}, form: power_of_attorney, valid_from: 2026-01-01, valid_to: 2026-12-31,
     permissions: [NCTS2/CC015C]}}
  - {{person: 80010112340000000, principal: {COMPANY}, form: power_of_attorney, valid_from: 2026-01-01, permissions: ["*"]}}
"""


class PlainSecrets:
    """Stands in for the key store: reversible, bound to `about`, and visibly not the plain text."""

    def encrypt(self, plain: bytes, about: str) -> bytes:
        return about.encode() + b"|" + plain[::-1]

    def decrypt(self, cipher: bytes, about: str) -> bytes:
        owner, _, reversed_plain = cipher.partition(b"|")
        if owner != about.encode():
            raise ValueError("this secret belongs to something else")
        return reversed_plain[::-1]


def new_engine(folder: Path) -> Engine:
    engine = open_engine(f"sqlite:///{folder / 'brama.db'}")
    metadata.create_all(engine)
    return engine


def import_text(engine: Engine, folder: Path, text: str, dry_run: bool = False, secrets: PlainSecrets | None = None) -> Report:
    path = folder / "register.yaml"
    path.write_text(text, encoding="utf-8")
    return import_file(engine, path, secrets or PlainSecrets(), dry_run)
