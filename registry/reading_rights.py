"""Whose documents an account may read: the contexts in which its person acts now.

A context is one link, person -> party, or two, person -> agency -> party. While all its links are in force the account reads
what it sent in it itself; where each link also has the permission `read-all-employees`, what anybody sent in it. When a
link has ended, nothing of that context is read any more, not even what the person sent himself.

Answers are remembered while the registry's generation stays, until the next dated edge of a link.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, exists, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.collection import ReadingRights
from gateway.database import generation
from gateway.errors import Deferred
from registry.authorize import FOREVER, NEVER, GenerationWatch
from registry.permissions import READ_ALL_EMPLOYEES
from registry.tables import accounts, entities, permissions, persons, representations

CONTEXTS_REMEMBERED = 100_000
AGENCIES_AT_ONCE = 500  # a database takes so many values in one statement


@dataclass(frozen=True, slots=True)
class _Link:
    """One representation: of `principal` by a person (`agency` is None) or by an agency."""

    agency: int | None
    principal: int
    id_sisc: str
    valid_from: datetime
    valid_to: datetime | None
    ended_at: datetime | None
    all_employees: bool

    def holds(self, at: datetime) -> bool:
        return self.valid_from <= at and all(end is None or at < end for end in (self.valid_to, self.ended_at))


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Rights that hold in [since, until)."""

    rights: ReadingRights
    since: datetime
    until: datetime


_PERSON = (
    select(persons.c.person_id, persons.c.id_sisc)
    .select_from(accounts.join(persons))
    .where(accounts.c.account_id == bindparam("account"), accounts.c.active)
)
_READS_ALL = exists().where(
    permissions.c.representation_id == representations.c.representation_id, permissions.c.permission == READ_ALL_EMPLOYEES
)
_LINKS: Select[int | None, int, str, datetime, datetime | None, datetime | None, bool] = select(
    representations.c.agency_id,
    representations.c.principal_id,
    entities.c.id_sisc,
    representations.c.valid_from,
    representations.c.valid_to,
    representations.c.ended_at,
    _READS_ALL,
).select_from(representations.join(entities, entities.c.entity_id == representations.c.principal_id))
_OF_PERSON = _LINKS.where(representations.c.person_id == bindparam("person"))
_OF_AGENCIES = _LINKS.where(representations.c.agency_id.in_(bindparam("agencies", expanding=True)))


class ReadingRegistry:
    """Fulfils the promise `Readers` of `gateway.reading` from the database. May be shared by threads."""

    def __init__(self, engine: Engine, max_age: float = 0.5, size: int = CONTEXTS_REMEMBERED) -> None:
        """`max_age`: seconds for which the generation is taken as read. `size`: contexts that are remembered, of all accounts."""
        self._engine = engine
        self._watch = GenerationWatch(engine, max_age)
        self._size = size
        self._held = 0
        self._remembered: dict[int, _Remembered] = {}
        self._lock = threading.Lock()

    def rights(self, account_id: int, at: datetime, *, fresh: bool = False) -> ReadingRights:
        """What this account may read at that aware instant; `fresh` looks the registry up now.

        An account that is unknown, inactive or without a person acts in no context. Raises Deferred(record.store_unavailable).
        """
        try:
            number = self._watch.number(fresh)
            known = self._remembered.get(account_id)
            if known is not None and known.rights.generation == number and known.since <= at < known.until:
                return known.rights
            with self._engine.connect() as connection:
                judged = _judge(connection, account_id, at)
        except SQLAlchemyError as error:
            raise Deferred("record.store_unavailable") from error
        self._remember(account_id, judged)
        return judged.rights

    def _remember(self, account_id: int, judged: _Remembered) -> None:
        with self._lock:
            self._forget(account_id)
            self._held += _weight(judged)
            while self._remembered and self._held > self._size:
                self._forget(next(iter(self._remembered)))  # the one remembered longest ago
            self._remembered[account_id] = judged

    def _forget(self, account_id: int) -> None:
        known = self._remembered.pop(account_id, None)
        if known is not None:
            self._held -= _weight(known)


def _weight(remembered: _Remembered) -> int:
    return 1 + len(remembered.rights.contexts)


def _judge(connection: Connection, account_id: int, at: datetime) -> _Remembered:
    """The generation is read first: if something is written between the reads, the rights are newer than their number, and
    whoever compares numbers judges again."""
    number = generation(connection, "registry")
    person = connection.execute(_PERSON, {"account": account_id}).one_or_none()
    if person is None:
        return _Remembered(ReadingRights(None, frozenset(), frozenset(), number), NEVER, FOREVER)
    firsts = [_Link(*row) for row in connection.execute(_OF_PERSON, {"person": person.person_id})]
    agencies = sorted({link.principal for link in firsts})
    seconds: list[_Link] = []
    for start in range(0, len(agencies), AGENCIES_AT_ONCE):
        rows = connection.execute(_OF_AGENCIES, {"agencies": agencies[start : start + AGENCIES_AT_ONCE]})
        seconds += [_Link(*row) for row in rows]
    dated = list(_edges([*firsts, *seconds]))
    since = max((edge for edge in dated if edge <= at), default=NEVER)
    until = min((edge for edge in dated if edge > at), default=FOREVER)
    ways = _ways([link for link in firsts if link.holds(at)], [link for link in seconds if link.holds(at)])
    contexts = frozenset(ways)
    reads_all = frozenset(context for context, all_employees in ways.items() if all_employees)
    return _Remembered(ReadingRights(person.id_sisc, contexts, reads_all, number), since, until)


def _ways(firsts: Iterable[_Link], seconds: Iterable[_Link]) -> dict[tuple[str, str], bool]:
    """Each context that these links make, and whether some way to it has the permission in every link."""
    found: dict[tuple[str, str], bool] = {}
    agencies: dict[int, tuple[str, bool]] = {}
    for first in firsts:
        context = ("", first.id_sisc)
        found[context] = found.get(context, False) or first.all_employees
        agencies[first.principal] = (first.id_sisc, found[context])
    for second in seconds:
        if second.agency in agencies:
            id_sisc, all_employees = agencies[second.agency]
            context = (id_sisc, second.id_sisc)
            found[context] = found.get(context, False) or (all_employees and second.all_employees)
    return found


def _edges(links: Iterable[_Link]) -> Iterable[datetime]:
    """The instants at which the rights from these links may change."""
    return (edge for link in links for edge in (link.valid_from, link.valid_to, link.ended_at) if edge is not None)
