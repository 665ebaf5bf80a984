"""Importing a registry file: compared with what is stored, then written whole or not at all.

Persons and entities are known by idSISC, accounts by login, certificates by fingerprint, identifiers by value,
representations by representative, principal and first day. What is there is changed to what the file says; what the file
does not mention stays. Nothing is ever given back by an import: an ended representation stays ended, a revoked
certificate revoked, and a login, certificate or identifier never moves to somebody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, Table, delete, insert, select, update
from sqlalchemy.engine import Connection, Engine

from gateway.database import bump, writing
from registry.accounts import Secrets, secret_about
from registry.document import (
    ImportRefused,
    NewAccount,
    NewCertificate,
    NewEntity,
    NewPerson,
    NewPush,
    NewRepresentation,
    Problem,
    load,
)
from registry.facts import PARTY
from registry.push import register
from registry.reading import read
from registry.tables import accounts, certificates, entities, identifiers, permissions, persons, representations

Entry = NewPerson | NewEntity | NewRepresentation


@dataclass(frozen=True, slots=True)
class Report:
    """How many rows of each table were added, changed, removed (permissions only) and found as they should be."""

    added: Mapping[str, int]
    changed: Mapping[str, int]
    removed: Mapping[str, int]
    unchanged: Mapping[str, int]
    dry_run: bool


def import_file(
    engine: Engine,
    path: Path,
    secrets: Secrets | None = None,
    dry_run: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Bring the registry to what the file at `path` says, in one transaction; `dry_run` rolls it back at the end.

    `secrets` encrypts channel passwords and is needed only for a file that has some. `advance` is told how many of the
    file's entries are done. Raises ImportRefused with all problems (nothing is written then), OSError, SQLAlchemyError.
    """
    register, problems = read(load(path), path.parent)
    if secrets is None:
        problems += [
            Problem(f"{account.place}.password", "there is no key to encrypt passwords with; make the gateway's keys first")
            for person in register.persons
            for account in person.accounts
            if account.password is not None
        ]
    if problems:
        raise ImportRefused(problems)
    with writing(engine) as connection:
        change = _Change(connection, secrets)
        entries: list[Entry] = [*register.persons, *register.entities, *register.representations]
        for done, entry in enumerate(entries, 1):
            change.enter(entry)
            advance(done, len(entries))
        change.refuse_cycles()
        if change.problems:
            raise ImportRefused(change.problems)
        if any((change.added + change.changed + change.removed).values()):
            bump(connection, "registry")
        if dry_run:
            connection.rollback()
    return Report(+change.added, +change.changed, +change.removed, +change.unchanged, dry_run)


class _Change:
    """One import in its transaction: rows written so far, and problems that only the stored data can show."""

    def __init__(self, connection: Connection, secrets: Secrets | None) -> None:
        self.problems: list[Problem] = []
        self.added: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        self.unchanged: Counter[str] = Counter()
        self._connection = connection
        self._secrets = secrets
        self._parties: dict[str, int | None] = {}  # looked up once all entities are in
        self._seen: set[tuple[object, ...]] = set()
        self._agencies: list[tuple[str, int, int]] = []  # place, agency, principal

    def enter(self, entry: Entry) -> None:
        """Write one entry and what belongs to it."""
        if isinstance(entry, NewPerson):
            self._person(entry)
        elif isinstance(entry, NewEntity):
            self._entity(entry)
        else:
            self._representation(entry)

    def _person(self, person: NewPerson) -> None:
        names = {"given_names": person.given_names, "family_name": person.family_name}
        person_id = self._upsert(persons, {"id_sisc": person.id_sisc}, names)
        for account in person.accounts:
            self._account(account, person_id)
        for certificate in person.certificates:
            self._certificate(certificate, person_id)

    def _account(self, account: NewAccount, person_id: int) -> None:
        stored = self._one(accounts, {"login": account.login})
        if stored is not None and stored["person_id"] not in (None, person_id):
            self._problem(f"{account.place}.login", "this login belongs to another person; end that account first")
            return
        values: dict[str, object] = {"person_id": person_id}
        if account.active is not None or stored is None:
            values["active"] = account.active is not False
        if account.password is not None and self._secrets is not None:
            cipher, about = stored["channel_secret"] if stored else None, secret_about(account.login)
            plain = account.password.encode()
            if cipher is None or self._secrets.decrypt(cipher, about) != plain:
                values |= {"channel_secret": self._secrets.encrypt(plain, about), "former_secret": None, "former_until": None}
        account_id = self._upsert(accounts, {"login": account.login}, values)
        if account.push is not None:
            self._push(account.push, account_id)

    def _push(self, new: NewPush, account_id: int) -> None:
        try:
            done = register(self._connection, self._secrets, account_id, new, datetime.now(UTC))
        except ValueError as error:
            self._problem(f"{new.place}.password", str(error))
            return
        {"added": self.added, "changed": self.changed, "unchanged": self.unchanged}[done]["push_endpoints"] += 1

    def _certificate(self, certificate: NewCertificate, person_id: int) -> None:
        stored = self._one(certificates, {"fingerprint": certificate.fingerprint})
        if stored is not None and stored["person_id"] != person_id:
            self._problem(certificate.place, "this certificate belongs to another person")
            return
        values = {"person_id": person_id, "subject": certificate.subject}
        values |= {"valid_from": certificate.valid_from, "valid_to": certificate.valid_to}
        revoked = [at for at in (certificate.revoked_at, stored["revoked_at"] if stored else None) if at is not None]
        self._upsert(certificates, {"fingerprint": certificate.fingerprint}, {**values, "revoked_at": min(revoked, default=None)})

    def _entity(self, entity: NewEntity) -> None:
        entity_id = self._upsert(entities, {"id_sisc": entity.id_sisc}, {"name": entity.name})
        for kind, value in entity.identifiers:
            stored = self._one(identifiers, {"value": value})
            if stored is not None and stored["entity_id"] != entity_id:
                self._problem(f"{entity.place}.identifiers.{kind}", f"{value} belongs to another entity")
            else:
                self._upsert(identifiers, {"value": value}, {"kind": kind, "entity_id": entity_id})
        for value in (entity.id_sisc, *(value for _, value in entity.identifiers)):
            if len(self._entities_named(value)) > 1:
                self._problem(entity.place, f"{value} is the idSISC of one entity and an identifier of another")

    def _representation(self, new: NewRepresentation) -> None:
        person_id = agency_id = None
        if new.person is not None:
            person = self._one(persons, {"id_sisc": new.person})
            if person is None:
                self._problem(f"{new.place}.person", "no person with this idSISC is in the file or in the registry")
            else:
                person_id = person["person_id"]
        elif new.agency is not None:
            agency_id = self._party(new.agency, f"{new.place}.agency")
        principal_id = self._party(new.principal, f"{new.place}.principal")
        if principal_id is None or (person_id is None and agency_id is None):
            return
        if agency_id == principal_id:
            self._problem(new.place, "an agency cannot represent itself")
            return
        key = {"person_id": person_id, "agency_id": agency_id, "principal_id": principal_id, "valid_from": new.valid_from}
        if tuple(key.values()) in self._seen:
            self._problem(new.place, "this representation (same representative, principal and valid_from) stands in the file twice")
            return
        self._seen.add(tuple(key.values()))
        if agency_id is not None:
            self._agencies.append((new.place, agency_id, principal_id))
        representation_id = self._upsert(representations, key, {"form": new.form, "valid_to": new.valid_to})
        self._permissions(representation_id, new.permissions)

    def _permissions(self, representation_id: int, wanted: frozenset[str]) -> None:
        own = permissions.c.representation_id == representation_id
        stored = set(self._connection.execute(select(permissions.c.permission).where(own)).scalars())
        if stored - wanted:
            self._connection.execute(delete(permissions).where(own, permissions.c.permission.in_(stored - wanted)))
        new = [{"representation_id": representation_id, "permission": right} for right in sorted(wanted - stored)]
        if new:
            self._connection.execute(insert(permissions), new)
        self.added["permissions"] += len(new)
        self.removed["permissions"] += len(stored - wanted)
        self.unchanged["permissions"] += len(stored & wanted)

    def refuse_cycles(self) -> None:
        """Note every agency link of the file that leads, over links that have not been ended, back to its own agency."""
        step = select(representations.c.principal_id).where(representations.c.agency_id.is_not(None), representations.c.ended_at.is_(None))
        for place, agency_id, principal_id in self._agencies:
            reached, waiting = {principal_id}, [principal_id]
            while waiting and agency_id not in reached:
                further = set(self._connection.execute(step.where(representations.c.agency_id == waiting.pop())).scalars()) - reached
                reached |= further
                waiting += further
            if agency_id in reached:
                self._problem(place, "agencies that represent one another in a circle are not allowed; end one of the links")

    def _party(self, name: str, place: str) -> int | None:
        """The entity with that idSISC or identifier; none is a problem."""
        if name not in self._parties:
            found = self._entities_named(name)
            self._parties[name] = found.pop() if len(found) == 1 else None
        if self._parties[name] is None:
            self._problem(place, f"no entity '{name}' is in the file or in the registry")
        return self._parties[name]

    def _entities_named(self, name: str) -> set[int]:
        rows = self._connection.execute(PARTY, {"party": name})
        return {row.entity_id for row in rows}

    def _problem(self, place: str, text: str) -> None:
        self.problems.append(Problem(place, text))

    def _one(self, table: Table, key: Mapping[str, object]) -> RowMapping | None:
        statement = select(table).where(*(table.c[name] == value for name, value in key.items()))
        return self._connection.execute(statement).mappings().one_or_none()

    def _upsert(self, table: Table, key: Mapping[str, object], values: Mapping[str, object]) -> Any:
        """Insert the row with this key or bring its `values` up to date; gives its primary key."""
        stored = self._one(table, key)
        number = next(iter(table.primary_key.columns))
        if stored is None:
            inserted = self._connection.execute(insert(table).values(**key, **values)).inserted_primary_key
            self.added[table.name] += 1
            return inserted[0] if inserted is not None else None
        if any(stored[name] != value for name, value in values.items()):
            self._connection.execute(update(table).where(number == stored[number.name]).values(**values))
            self.changed[table.name] += 1
        else:
            self.unchanged[table.name] += 1
        return stored[number.name]
