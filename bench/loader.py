"""The one bulk loader: fills a store with messages and a waiting document for each, by INSERT ... SELECT, nobody else having it open."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from gateway.database import to_micros
from gateway.demo.people import AGENCY, IMPORTER, Person

BODY = 300  # bytes of a document
SPREAD = 20 * 24 * 3600 * 1_000_000  # microseconds over which the documents came, all within the month of GetNextDocument

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
_MESSAGES = f"""
    {_NUMBERS}
    INSERT INTO messages (id, sys_ref, account_id, tray, door, received_at, state, system, edition, root, digest, business_id, sender,
      party, lrn, evidence)
    SELECT :first + n, printf('00000000-0000-4000-8000-%012x', :first + n), :account, :tray, 'soap', :begin + n * :step, 'accepted',
      'NCTS2', 'p5', '{{http://ncts.dgtaxud.ec}}CC015C', CAST(printf('%032d', :first + n) AS BLOB), printf('LOAD%d', :first + n), :party,
      :party, printf('LRN%d', :first + n), '{{}}'
    FROM numbers"""
_MAILBOX = f"""
    {_NUMBERS}
    INSERT INTO mailbox (id, document_id, account_id, message, kind, filename, digest, content, created_at)
    SELECT :first + n, printf('11111111-0000-4000-8000-%012x', :first + n), :account, :first + n, 'CC928C', printf('CC928C_%d.xml', n),
      CAST(printf('%032d', n) AS BLOB), CAST(printf('<CC928C>%0{BODY - 17}d</CC928C>', n) AS BLOB), :begin + n * :step
    FROM numbers"""
_COLLECTIONS = f"""
    {_NUMBERS}
    INSERT INTO collections (document, account_id, tray, created_at, claim)
    SELECT :first + n, :account, :tray, :begin + n * :step, 0 FROM numbers"""


def load(file: Path, person: Person, count: int) -> float:
    """Put `count` documents of 300 bytes, all in one tray, into the mailbox of this person's account; gives the seconds it took.

    The database must have the person's account. What is loaded has no contents, history or deliveries: it is for readers.
    """
    begun = time.monotonic()
    database = sqlite3.connect(file, isolation_level=None)
    try:
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000", "BEGIN"):
            database.execute(statement)
        account = database.execute("SELECT account_id FROM accounts WHERE login = ?", (person.login,)).fetchone()[0]
        system = (account, IMPORTER.id_sisc, AGENCY.id_sisc, person.id_sisc, "NCTS2")
        made = "INSERT INTO trays (account_id, party, agency, person, system) VALUES (?, ?, ?, ?, ?) RETURNING id"
        values = {
            "count": count,
            "first": database.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0],
            "account": account,
            "tray": database.execute(made, system).fetchone()[0],
            "party": IMPORTER.eori,
            "begin": to_micros(datetime.now(UTC)) - SPREAD,
            "step": SPREAD // (count + 1),
        }
        for statement in (_MESSAGES, _MAILBOX, _COLLECTIONS):
            database.execute(statement, values)
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")
    finally:
        database.close()
    return time.monotonic() - begun
