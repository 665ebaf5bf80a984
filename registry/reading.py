"""From the loaded YAML of a registry file to a `Register`: forms, check digits, dates, certificates, duplicates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.errors import Failed
from gateway.targets import MAX_URL, split_url
from registry.accounts import LONGEST_LOGIN, normal_login
from registry.dates import end_of, read_day, read_moment, start_of
from registry.document import (
    LARGEST_CERTIFICATE,
    Fields,
    NewAccount,
    NewCertificate,
    NewEntity,
    NewPerson,
    NewPush,
    NewRepresentation,
    Problem,
    Register,
)
from registry.identifiers import KINDS, is_id_sisc, normal, objection
from registry.permissions import is_granted_form
from registry.push import DIGESTS, anchors
from registry.tables import FORMS

EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
PERSON = ("idSISC", "given_names", "family_name", "accounts", "certificates")
ACCOUNT = ("login", "password", "active", "push")
PUSH = ("url", "login", "password", "digest", "certificate")
CERTIFICATE = ("file", "pem", "fingerprint", "subject", "valid_from", "valid_to", "revoked_at")
ENTITY = ("idSISC", "name", "identifiers")
REPRESENTATION = ("person", "agency", "principal", "form", "valid_from", "valid_to", "permissions")

T = TypeVar("T")


def read(tree: Mapping[str, object], folder: Path) -> tuple[Register, list[Problem]]:
    """The register in `tree` and all its problems; certificate files are looked for in `folder`. With problems, the
    register has only what could be read."""
    problems: list[Problem] = []
    top = Fields(tree, "", problems, ("persons", "entities", "representations"))
    register = Register(
        tuple(_person(Fields(item, place, problems, PERSON), folder, problems) for place, item in top.items("persons")),
        tuple(_entity(Fields(item, place, problems, ENTITY)) for place, item in top.items("entities")),
        tuple(_representation(Fields(item, place, problems, REPRESENTATION)) for place, item in top.items("representations")),
    )
    if not len(register) and not problems:
        problems.append(Problem("", "the file holds nothing; write persons, entities or representations"))
    problems += _duplicates(register)
    return register, problems


def _person(fields: Fields, folder: Path, problems: list[Problem]) -> NewPerson:
    return NewPerson(
        fields.place,
        _id_sisc(fields),
        fields.text("given_names", 200),
        fields.text("family_name", 200),
        tuple(_account(Fields(item, place, problems, ACCOUNT), folder, problems) for place, item in fields.items("accounts")),
        tuple(
            certificate
            for place, item in fields.items("certificates")
            if (certificate := _certificate(Fields(item, place, problems, CERTIFICATE), folder)) is not None
        ),
    )


def _id_sisc(fields: Fields) -> str:
    """The value is not repeated in the problem: it may hold a PESEL."""
    value = fields.text("idSISC", 17).upper()
    if value and not is_id_sisc(value):
        fields.problem("an idSISC has 17 letters or digits, and the check digit of the PESEL or NIP in it must be right", "idSISC")
        return ""
    return value


def _account(fields: Fields, folder: Path, problems: list[Problem]) -> NewAccount:
    login = normal_login(fields.text("login", LONGEST_LOGIN))
    if login and not EMAIL.fullmatch(login):
        fields.problem("a login is an e-mail address", "login")
        login = ""
    active = fields.text("active", 5, required=False).lower()
    if active and active not in BOOLEANS:
        fields.problem("write true or false", "active")
    password = fields.text("password", 200, required=False, exact=True) or None
    push = _push(Fields(fields.mapping("push"), fields.at("push"), problems, PUSH), folder) if fields.has("push") else None
    return NewAccount(fields.place, login, password, BOOLEANS.get(active), push)


def _push(fields: Fields, folder: Path) -> NewPush:
    url = fields.text("url", MAX_URL)
    if url:
        try:
            split_url(url)
        except Failed as error:
            fields.problem(error.text("en"), "url")
    digest = fields.text("digest", 1, required=False) or "b"
    if digest not in DIGESTS:
        fields.problem(f"write {' or '.join(DIGESTS)}", "digest")
    password = fields.text("password", 200, required=False, exact=True) or None
    login = fields.text("login", LONGEST_LOGIN)
    if not login.isprintable():  # no envelope can carry it
        fields.problem("this has control characters", "login")
    return NewPush(fields.place, url, login, password, digest, _anchors(fields, folder))


def _anchors(fields: Fields, folder: Path) -> str | None:
    name = fields.text("certificate", 1000, required=False)
    if not name:
        return None
    try:
        return anchors((folder / name).read_text("ascii"))
    except OSError as error:
        fields.problem(f"{name} cannot be read: {error.strerror}", "certificate")
    except ValueError:
        fields.problem(f"{name} is no PEM file of certificates", "certificate")
    return None


def _entity(fields: Fields) -> NewEntity:
    found: list[tuple[str, str]] = []
    for kind, values in fields.mapping("identifiers").items():
        key = f"identifiers.{kind}"
        if kind not in KINDS:
            fields.problem(f"unknown kind; known are {', '.join(KINDS)}", key)
            continue
        for value in values if isinstance(values, list) else [values]:
            text = normal(kind, value) if isinstance(value, str) else ""
            wrong = objection(kind, text)
            if wrong:
                fields.problem(f"'{text[:40]}': {wrong}", key)
            else:
                found.append((kind, text))
    return NewEntity(fields.place, _id_sisc(fields), fields.text("name", 500), tuple(found))


def _representation(fields: Fields) -> NewRepresentation:
    if fields.has("person") == fields.has("agency"):
        fields.problem("name either a person or an agency as the representative")
    person, agency = (fields.text(key, 35, required=False).upper() or None for key in ("person", "agency"))
    form = fields.text("form", 20)
    if form and form not in FORMS:
        fields.problem(f"write {' or '.join(FORMS)}", "form")
    valid_from = _dated(fields, "valid_from", lambda text: start_of(read_day(text)))
    valid_to = _dated(fields, "valid_to", lambda text: end_of(read_day(text)), required=False)
    if valid_from and valid_to and valid_to <= valid_from:
        fields.problem("this day is before valid_from", "valid_to")
    rights = frozenset(_right(fields, place, item) for place, item in fields.items("permissions"))
    if not rights:
        fields.problem("give at least one permission, e.g. NCTS2/CC015C", "permissions")
    principal = fields.text("principal", 35).upper()
    return NewRepresentation(fields.place, person, agency, principal, form, valid_from or NOWHEN, valid_to, rights)


#: stands where a date could not be read; such a register is never written because the problem is in the list
NOWHEN = datetime.fromisoformat("1900-01-01T00:00:00+00:00")


def _right(fields: Fields, place: str, item: object) -> str:
    if isinstance(item, str) and is_granted_form(item):
        return item
    fields.problem("a permission is SYSTEM/DOCUMENT, SYSTEM/*, * or read-all-employees", place.removeprefix(f"{fields.place}."))
    return ""


def _dated(fields: Fields, key: str, reading: Callable[[str], datetime], required: bool = True) -> datetime | None:
    text = fields.text(key, 40, required)
    if not text:
        return None
    try:
        return reading(text)
    except ValueError as error:
        fields.problem(str(error), key)
        return None


def _certificate(fields: Fields, folder: Path) -> NewCertificate | None:
    """From `file`, `pem` or `fingerprint` with dates. X.509 counts notAfter as the last valid second (RFC 5280, 4.1.2.5)."""
    given = [key for key in ("file", "pem", "fingerprint") if fields.has(key)]
    if len(given) != 1:
        fields.problem("give exactly one of file, pem and fingerprint")
        return None
    revoked_at = _dated(fields, "revoked_at", read_moment, required=False)
    if given == ["fingerprint"]:
        return _by_fingerprint(fields, revoked_at)
    for key in ("subject", "valid_from", "valid_to"):
        if fields.has(key):
            fields.problem("leave this out: it is read from the certificate", key)
    try:
        pem = fields.text("pem", LARGEST_CERTIFICATE).encode() if given == ["pem"] else _read_file(fields, folder)
        (certificate,) = x509.load_pem_x509_certificates(pem)
        return NewCertificate(
            fields.place,
            certificate.fingerprint(SHA256()).hex(),
            certificate.subject.rfc4514_string()[:1000],
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc + timedelta(seconds=1),
            revoked_at,
        )
    except OSError as error:
        fields.problem(f"the file cannot be read: {error.strerror}", given[0])
    except ValueError:
        fields.problem("this is not exactly one certificate in PEM form", given[0])
    return None


def _read_file(fields: Fields, folder: Path) -> bytes:
    with (folder / fields.text("file", 500)).open("rb") as file:
        return file.read(LARGEST_CERTIFICATE)


def _by_fingerprint(fields: Fields, revoked_at: datetime | None) -> NewCertificate | None:
    fingerprint = fields.text("fingerprint", 95).replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", fingerprint):
        fields.problem("a fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits", "fingerprint")
    valid_from, valid_to = _dated(fields, "valid_from", read_moment), _dated(fields, "valid_to", read_moment)
    if valid_from is None or valid_to is None:
        return None
    if valid_to <= valid_from:
        fields.problem("this is not after valid_from", "valid_to")
    subject = fields.text("subject", 1000, required=False) or f"SHA-256 {fingerprint}"
    return NewCertificate(fields.place, fingerprint, subject, valid_from, valid_to, revoked_at)


def _duplicates(register: Register) -> list[Problem]:
    """Everything that stands for itself may stand in the file once."""
    people, entities = register.persons, register.entities
    return [
        *_repeated([(person.id_sisc, f"{person.place}.idSISC") for person in people]),
        *_repeated([(account.login, f"{account.place}.login") for person in people for account in person.accounts]),
        *_repeated([(each.fingerprint, each.place) for person in people for each in person.certificates]),
        *_repeated([(entity.id_sisc, f"{entity.place}.idSISC") for entity in entities]),
        *_repeated([(value, f"{entity.place}.identifiers.{kind}") for entity in entities for kind, value in entity.identifiers]),
    ]


def _repeated(named: list[tuple[str, str]]) -> list[Problem]:
    first: dict[str, str] = {}
    problems = []
    for value, place in named:
        if value in first:
            problems.append(Problem(place, f"the same as at {first[value]}; write it once"))
        elif value:
            first[value] = place
    return problems
