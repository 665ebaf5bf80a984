"""All that one decision needs from the registry, as values, and the few indexed reads that fetch it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, String, bindparam, literal, select, union_all
from sqlalchemy.engine import Connection

from gateway.database import generation
from registry.tables import accounts, certificates, entities, identifiers, permissions, persons, representations


@dataclass(frozen=True, slots=True)
class Account:
    """The calling account; `person_id` is None when no person is bound to it."""

    active: bool
    person_id: int | None


@dataclass(frozen=True, slots=True)
class Person:
    person_id: int
    id_sisc: str
    name: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate bound to a person; valid in [valid_from, valid_to) and before `revoked_at`."""

    person_id: int
    subject: str
    valid_from: datetime
    valid_to: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entity:
    entity_id: int
    id_sisc: str
    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """One representation; holds in [valid_from, valid_to) and before `ended_at`. `words` say who acts for whom, `names` are
    the identifiers and the idSISC of the one acted for, `principal` is that idSISC."""

    representation_id: int
    words: str
    valid_from: datetime
    valid_to: datetime | None
    ended_at: datetime | None
    rights: frozenset[str]
    names: frozenset[str] = frozenset()
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """`direct` links lead from the person to the party; `chains` are pairs person -> agency, agency -> party."""

    generation: int
    account: Account | None
    person: Person | None
    certificate: Certificate | None
    party: Entity | None
    direct: tuple[Link, ...] = ()
    chains: tuple[tuple[Link, Link], ...] = ()


ACCOUNT = (
    select(accounts.c.active, accounts.c.person_id, persons.c.id_sisc, persons.c.given_names, persons.c.family_name)
    .select_from(accounts.outerjoin(persons))
    .where(accounts.c.account_id == bindparam("account"))
)
CERTIFICATE = select(certificates).where(certificates.c.fingerprint == bindparam("fingerprint"))
PARTY = union_all(
    select(entities).where(entities.c.id_sisc == bindparam("party")),
    select(entities).select_from(identifiers.join(entities)).where(identifiers.c.value == bindparam("party")),
)
_LINK = (
    representations.c.representation_id,
    representations.c.agency_id,
    representations.c.principal_id,
    representations.c.valid_from,
    representations.c.valid_to,
    representations.c.ended_at,
)
TO_PARTY = union_all(
    select(*_LINK, entities.c.name, entities.c.id_sisc)
    .select_from(representations.join(entities, entities.c.entity_id == representations.c.agency_id))
    .where(representations.c.principal_id == bindparam("party"))
    .where(representations.c.agency_id.is_not(None)),  # lets the index of agency links serve
    select(*_LINK, bindparam("name", type_=String).label("name"), literal("").label("id_sisc"))
    .where(representations.c.person_id == bindparam("person"))
    .where(representations.c.principal_id == bindparam("party")),
)
TO_AGENCIES: Select[int, int | None, int, datetime, datetime | None, datetime | None] = select(*_LINK).where(
    representations.c.person_id == bindparam("person"),
    representations.c.principal_id.in_(bindparam("agencies", expanding=True)),
)
RIGHTS = select(permissions.c.representation_id, permissions.c.permission).where(
    permissions.c.representation_id.in_(bindparam("links", expanding=True))
)
NAMES = union_all(
    select(identifiers.c.entity_id, identifiers.c.value).where(identifiers.c.entity_id.in_(bindparam("entities", expanding=True))),
    select(entities.c.entity_id, entities.c.id_sisc).where(entities.c.entity_id.in_(bindparam("entities", expanding=True))),
)


def read_facts(connection: Connection, account_id: int, fingerprint: str, party: str | None) -> Facts:
    """What the registry holds about this caller, certificate and party. Raises SQLAlchemyError.

    The generation is read first: if something is written between the reads, the facts are newer than their number, and
    whoever compares numbers judges again.
    """
    number = generation(connection, "registry")
    account, person = _account(connection, account_id)
    certificate = _certificate(connection, fingerprint)
    entity = _party(connection, party)
    if person is None or entity is None:
        return Facts(number, account, person, certificate, entity)
    direct, chains = _links(connection, person, entity)
    return Facts(number, account, person, certificate, entity, direct, chains)


def _account(connection: Connection, account_id: int) -> tuple[Account | None, Person | None]:
    row = connection.execute(ACCOUNT, {"account": account_id}).one_or_none()
    if row is None:
        return None, None
    account = Account(row.active, row.person_id)
    if row.person_id is None:
        return account, None
    return account, Person(row.person_id, row.id_sisc, f"{row.given_names} {row.family_name}")


def _certificate(connection: Connection, fingerprint: str) -> Certificate | None:
    row = connection.execute(CERTIFICATE, {"fingerprint": fingerprint.lower()}).one_or_none()
    return None if row is None else Certificate(row.person_id, row.subject, row.valid_from, row.valid_to, row.revoked_at)


def _party(connection: Connection, party: str | None) -> Entity | None:
    """The one entity of that identifier or idSISC; two different ones are as good as none."""
    if not party:
        return None
    found = {Entity(row.entity_id, row.id_sisc, row.name) for row in connection.execute(PARTY, {"party": party})}
    return found.pop() if len(found) == 1 else None


def _links(connection: Connection, person: Person, party: Entity) -> tuple[tuple[Link, ...], tuple[tuple[Link, Link], ...]]:
    rows = connection.execute(TO_PARTY, {"person": person.person_id, "party": party.entity_id, "name": person.name}).all()
    agencies = {row.agency_id: (row.name, row.id_sisc) for row in rows if row.agency_id is not None}
    firsts: list[Row[int, int | None, int, datetime, datetime | None, datetime | None]] = []
    if agencies:
        firsts = list(connection.execute(TO_AGENCIES, {"person": person.person_id, "agencies": sorted(agencies)}).all())
    reachable = {row.principal_id for row in firsts}
    seconds = [row for row in rows if row.agency_id is None or row.agency_id in reachable]
    rights = _rights(connection, [row.representation_id for row in (*seconds, *firsts)])
    names = _names(connection, {party.entity_id, *reachable})

    def link(row: Row[*tuple[object, ...]], representative: str, principal: str, id_sisc: str) -> Link:
        words = f"representation {row.representation_id}: {representative} -> {principal}"
        held = frozenset(rights.get(row.representation_id, ()))
        known = frozenset(names.get(row.principal_id, ()))
        return Link(row.representation_id, words, row.valid_from, row.valid_to, row.ended_at, held, known, id_sisc)

    direct = tuple(link(row, person.name, party.name, party.id_sisc) for row in seconds if row.agency_id is None)
    chains = tuple(
        (link(first, person.name, *agencies[first.principal_id]), link(second, second.name, party.name, party.id_sisc))
        for first in firsts
        for second in seconds
        if second.agency_id == first.principal_id
    )
    return direct, chains


def _rights(connection: Connection, links: Iterable[int]) -> dict[int, list[str]]:
    rights: dict[int, list[str]] = {}
    wanted = sorted(links)
    if wanted:
        for representation_id, permission in connection.execute(RIGHTS, {"links": wanted}):
            rights.setdefault(representation_id, []).append(permission)
    return rights


def _names(connection: Connection, wanted: set[int]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    for entity_id, name in connection.execute(NAMES, {"entities": sorted(wanted)}):
        names.setdefault(entity_id, []).append(name)
    return names
