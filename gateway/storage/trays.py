"""Finding the tray of a message: account, the three idSISC grades of its context, and system."""

from __future__ import annotations

import sqlite3

REMEMBERED = 50_000

Key = tuple[int, str, str, str, str]  # account, party, agency, person, system; a grade that is not known is empty

_FIND = "SELECT id FROM trays WHERE account_id = ? AND party = ? AND agency = ? AND person = ? AND system = ?"
_MAKE = "INSERT INTO trays (account_id, party, agency, person, system) VALUES (?, ?, ?, ?, ?) RETURNING id"
# the registry's tables: a refused message has no decision that would name the person, but the account does
_PERSON = "SELECT persons.id_sisc FROM accounts JOIN persons ON persons.person_id = accounts.person_id WHERE accounts.account_id = ?"


class Trays:
    """The trays that one committer has met. Trays are never deleted, so what was committed may be remembered."""

    def __init__(self) -> None:
        self._known: dict[Key, int] = {}

    def find(self, cursor: sqlite3.Cursor, key: Key) -> int:
        """The tray of `key`, made if there is none, inside the caller's transaction. If that fails, call `forget`."""
        tray = self._known.get(key)
        if tray is None:
            found = cursor.execute(_FIND, key).fetchone() or cursor.execute(_MAKE, key).fetchone()
            tray = int(found[0])
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = tray
        return tray

    def of_nobody(self, cursor: sqlite3.Cursor, account_id: int, system: str) -> int:
        """The tray for what was refused: no party or agency is proven, the person only as far as the account names one."""
        found = cursor.execute(_PERSON, (account_id,)).fetchone()
        return self.find(cursor, (account_id, "", "", found[0] if found else "", system))

    def forget(self) -> None:
        """A transaction was rolled back: what was made in it is not there."""
        self._known.clear()
