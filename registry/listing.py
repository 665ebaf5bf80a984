"""What the registry holds about one login, for people: plain reads into plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.engine import Connection

from registry.accounts import normal_login
from registry.dates import in_warsaw
from registry.tables import accounts, certificates, entities, permissions, persons, representations


def describe(connection: Connection, login: str, at: datetime) -> dict[str, object] | None:
    """The account, its person, certificates and representations as they stand at `at`, and the clients of the agencies
    that the person stands for; None for an unknown login. Never has the channel password."""
    person = connection.execute(
        select(
            accounts.c.account_id, accounts.c.login, accounts.c.active, accounts.c.channel_secret.is_not(None).label("password"), persons
        )
        .select_from(accounts.outerjoin(persons))
        .where(accounts.c.login == normal_login(login))
    ).one_or_none()
    if person is None:
        return None
    own = _representations(connection, at, "person_id", [person.person_id])
    agencies = sorted({link["principal_id"] for link in own if isinstance(link["principal_id"], int)})
    return {
        "login": person.login,
        "account_id": person.account_id,
        "active": person.active,
        "has_password": bool(person.password),
        "person": None if person.person_id is None else f"{person.given_names} {person.family_name}",
        "at": in_warsaw(at),
        "certificates": _certificates(connection, person.person_id, at),
        "representations": own,
        "agency_links": _representations(connection, at, "agency_id", agencies),
    }


def _certificates(connection: Connection, person_id: int | None, at: datetime) -> list[dict[str, object]]:
    rows = connection.execute(select(certificates).where(certificates.c.person_id == person_id).order_by(certificates.c.valid_from))
    return [
        {
            "fingerprint": row.fingerprint,
            "subject": row.subject,
            "valid_from": in_warsaw(row.valid_from),
            "valid_to": in_warsaw(row.valid_to),
            "revoked_at": _or_none(row.revoked_at),
            "in_force": row.valid_from <= at < row.valid_to and not (row.revoked_at is not None and row.revoked_at <= at),
        }
        for row in rows
    ]


def _representations(connection: Connection, at: datetime, column: str, holders: Sequence[int | None]) -> list[dict[str, object]]:
    rows = connection.execute(
        select(representations, entities.c.name, entities.c.id_sisc)
        .select_from(representations.join(entities, entities.c.entity_id == representations.c.principal_id))
        .where(representations.c[column].in_(holders))
        .order_by(representations.c.representation_id)
    ).all()
    rights: dict[int, list[str]] = {}
    granted = select(permissions).join(representations).where(representations.c[column].in_(holders)).order_by(permissions.c.permission)
    for right in connection.execute(granted):
        rights.setdefault(right.representation_id, []).append(right.permission)
    return [{**_validity(dict(row._mapping), at), "permissions": rights.get(row.representation_id, [])} for row in rows]


def _validity(row: Mapping[str, object], at: datetime) -> dict[str, object]:
    valid_from, ends = row["valid_from"], [end for end in (row["valid_to"], row["ended_at"]) if isinstance(end, datetime)]
    return {
        "representation_id": row["representation_id"],
        "agency_id": row["agency_id"],
        "principal_id": row["principal_id"],
        "principal": row["name"],
        "principal_idSISC": row["id_sisc"],
        "form": row["form"],
        "valid_from": _or_none(valid_from),
        "valid_to": _or_none(row["valid_to"]),
        "ended_at": _or_none(row["ended_at"]),
        "in_force": isinstance(valid_from, datetime) and valid_from <= at < min([*ends, datetime.max.replace(tzinfo=at.tzinfo)]),
    }


def _or_none(at: object) -> str | None:
    return in_warsaw(at) if isinstance(at, datetime) else None
