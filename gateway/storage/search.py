"""GetDocuments: finding documents by criteria. Reads only; what is collected and what is not stays as it was.

Two ways lead to documents, each by an index: the ids that the criteria name, or the trays the reader may read and the
period. In both, every other criterion is applied to what was found, and the first 101 in order of time are taken: 100 to
hand out and one to know that there is more.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from gateway.collection import AT_MOST, BYTES_AT_MOST, Found, HandedOut, ReadingRights, Search
from gateway.database import AnyRow, Database, from_micros, generation, to_micros
from gateway.errors import Deferred
from gateway.ports import Stale

LARGE = 100_000  # bytes from which documents are read beside the event loop

_OWN, _CONTEXTS = "trays.account_id = :account", "trays.party = :party AND trays.agency = :agency"
#: what of a tray, by an index of its own each: `{account}` and `{tray}` are put in
_WAITING = "c.account_id = {account} AND c.tray = {tray} AND c.collected_at IS NULL"
_COLLECTED = "c.tray = {tray} AND c.collected_at IS NOT NULL"
_PERIOD = "c.created_at >= :since AND c.created_at < :until"

#: criterion -> the rows of `mailbox` that it names
_NAMED = {
    "sys_ref": "SELECT id FROM mailbox WHERE message = (SELECT id FROM messages WHERE sys_ref = :sys_ref)"
    " UNION SELECT id FROM mailbox WHERE document_id = :sys_ref",
    "correlation": "SELECT id FROM mailbox WHERE message = (SELECT id FROM messages WHERE sys_ref = :correlation)",
    "dispatch_id": "SELECT id FROM mailbox WHERE document_id = :dispatch_id",
    "own_id": "SELECT mailbox.id FROM messages JOIN mailbox ON mailbox.message = messages.id"
    " WHERE messages.business_id = :own_id AND messages.state = 'accepted' AND messages.business_id IS NOT NULL",
    "case_id": "SELECT mailbox.id FROM messages JOIN mailbox ON mailbox.message = messages.id WHERE messages.lrn = :case_id"
    " UNION SELECT mailbox.id FROM messages JOIN mailbox ON mailbox.message = messages.id"
    " WHERE messages.mrn = :case_id AND messages.mrn IS NOT NULL",
}
_SIZES = text("SELECT id, length(content) AS size FROM mailbox WHERE id IN :ids").bindparams(bindparam("ids", expanding=True))
_CONTENT = text("SELECT content FROM mailbox WHERE id = :document")
_CONTENTS = text(
    "SELECT mailbox.id, mailbox.document_id, mailbox.filename, mailbox.content, messages.sys_ref, messages.mrn, messages.lrn,"
    " trays.person, trays.agency, trays.party"
    " FROM mailbox JOIN messages ON messages.id = mailbox.message JOIN trays ON trays.id = messages.tray WHERE mailbox.id IN :ids"
).bindparams(bindparam("ids", expanding=True))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a document was found: when it came (microseconds) and its row id, in the order of the answer."""

    created_at: int
    document: int


class Documents:
    """Finds documents. `pool` reads large ones (None: the loop's own)."""

    def __init__(self, database: Database, pool: Executor | None = None) -> None:
        self._database, self._pool = database, pool
        self._contents = asyncio.Semaphore(2)

    async def content(self, document: int) -> bytes:
        """Of one large document (row id of `mailbox`). Few wait for the pool, so that what was read is written out before more is
        read. Raises Deferred(record.store_unavailable)."""
        async with self._contents:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, self._content, document)
            except OperationalError as error:
                raise Deferred("record.store_unavailable") from error

    def _content(self, document: int) -> bytes:
        with self._database.reading() as connection:
            return bytes(connection.execute(_CONTENT, {"document": document}).scalar_one())

    async def find(self, account_id: int, rights: ReadingRights, search: Search) -> Found:
        """The first documents that meet all criteria and may be read, oldest first: at most AT_MOST and BYTES_AT_MOST.

        Raises Stale when the registry has moved since the rights were read, Deferred(record.store_unavailable).
        """
        try:
            with self._database.reading() as connection:
                places = self._places(connection, account_id, rights, search)
                sizes = {row.id: row.size for row in connection.execute(_SIZES, {"ids": [place.document for place in places]})}
                _unmoved(connection, rights)
            given = _fitting(places, sizes)
            if sum(sizes[place.document] for place in given) < LARGE:
                documents = self._read(given, rights)
            else:
                documents = await asyncio.get_running_loop().run_in_executor(self._pool, self._read, given, rights)
        except OperationalError as error:
            raise Deferred("record.store_unavailable") from error
        if len(given) == len(places):
            return Found(documents)
        return Found(documents, "count" if len(given) == AT_MOST else "bytes", from_micros(places[len(given)].created_at))

    def _read(self, given: Sequence[_Place], rights: ReadingRights) -> tuple[HandedOut, ...]:
        if not given:
            return ()
        with self._database.reading() as connection:
            rows = connection.execute(_CONTENTS, {"ids": [place.document for place in given]}).all()
            _unmoved(connection, rights)
        found = {row[0]: HandedOut.of_row(tuple(row[1:])) for row in rows}
        return tuple(found[place.document] for place in given)

    def _places(self, connection: Connection, account_id: int, rights: ReadingRights, search: Search) -> list[_Place]:
        """The first of what is found: one more than an answer may have."""
        if search.names_documents:
            return self._named(connection, account_id, rights, search)
        states = {None: (_WAITING, _COLLECTED), False: (_WAITING,), True: (_COLLECTED,)}[search.collected]
        found: list[_Place] = []
        for state in states:
            first = state.format(account="trays.account_id", tray="trays.id")
            earliest = f"(SELECT min(c.created_at) FROM collections AS c WHERE {first} AND {_PERIOD})"  # noqa: S608  # nosec
            trays = _trays(connection, account_id, rights, search, earliest)
            query = text(
                f"SELECT c.created_at, c.document FROM collections AS c WHERE {state.format(account=':account', tray=':tray')}"  # noqa: S608  # nosec
                f" AND {_PERIOD} ORDER BY c.created_at, c.document LIMIT {AT_MOST + 1}"
            )
            for tray in sorted((tray for tray in trays if tray.first is not None), key=lambda tray: tray.first):
                if len(found) > AT_MOST and tray.first > found[-1].created_at:
                    break
                rows = connection.execute(query, _period(search) | {"tray": tray.id, "account": tray.account_id})
                both = {*found, *(_Place(*row) for row in rows)}  # what is collected between the two readings stands in both
                found = heapq.nsmallest(AT_MOST + 1, both, key=_in_time)
        return found

    def _named(self, connection: Connection, account_id: int, rights: ReadingRights, search: Search) -> list[_Place]:
        trays = {tray.id for tray in _trays(connection, account_id, rights, search)}
        named = {name: getattr(search, name) for name in _NAMED if getattr(search, name) is not None}
        conditions = [f"c.document IN ({_NAMED[name]})" for name in named]
        if search.collected is not None:
            conditions.append("c.collected_at IS NOT NULL" if search.collected else "c.collected_at IS NULL")
        if search.since is not None:
            conditions.append(_PERIOD)
        if not search.wanted.all_employees:
            conditions.append("+c.account_id = :account")  # the plus keeps SQLite from reading all that waits for the account
        query = f"SELECT c.created_at, c.document, c.tray FROM collections AS c WHERE {' AND '.join(conditions)}"  # noqa: S608  # nosec
        rows = connection.execute(text(f"{query} ORDER BY c.created_at, c.document"), _period(search) | named | {"account": account_id})
        return list(islice((_Place(row.created_at, row.document) for row in rows if row.tray in trays), AT_MOST + 1))


def _trays(connection: Connection, account_id: int, rights: ReadingRights, search: Search, first: str = "NULL") -> Iterator[AnyRow]:
    """The trays that may be read and are wanted, each with the time of the first document in it, for which `first` is an expression."""
    wanted, values = search.wanted, _period(search)
    select = f"SELECT trays.id, trays.account_id, person, agency, party, system, {first} AS first FROM trays WHERE "  # noqa: S608  # nosec
    rows = connection.execute(text(select + _OWN), values | {"account": account_id}).all()
    found = {row.id: row for row in rows if rights.own(row.person, row.agency, row.party)}
    if wanted.all_employees:
        for agency, party in rights.all_employees:
            if wanted.agency in (None, agency) and wanted.party in (None, party):
                rows = connection.execute(text(select + _CONTEXTS), values | {"agency": agency, "party": party}).all()
                found |= {row.id: row for row in rows}
    yield from (row for row in found.values() if wanted.fits(row.person, row.agency, row.party, row.system))


def _period(search: Search) -> dict[str, object]:
    if search.since is None or search.until is None:
        return {}
    return {"since": to_micros(search.since), "until": to_micros(search.until)}


def _in_time(place: _Place) -> tuple[int, int]:
    return place.created_at, place.document


def _fitting(places: Sequence[_Place], sizes: dict[int, int]) -> Sequence[_Place]:
    """As many as one answer may have, and one in any case."""
    total = 0
    for number, place in enumerate(places[:AT_MOST]):
        total += sizes[place.document]
        if number and total > BYTES_AT_MOST:
            return places[:number]
    return places[:AT_MOST]


def _unmoved(connection: Connection, rights: ReadingRights) -> None:
    if generation(connection, "registry") != rights.generation:
        raise Stale
