"""The store of the settings, for commands that look into it."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.trouble import Trouble
from gateway.database import Database, sqlite_path
from gateway.migrations import current, newest
from gateway.settings import Settings


def open_store() -> Database:
    """The database, which must be there and up to date. Raises Trouble."""
    url = Settings().database
    path = sqlite_path(url)
    if path is not None and not Path(path).exists():
        raise Trouble(f"there is no database at {path}; is BRAMA_HOME right? `brama init` makes one")
    database = Database(url)
    if current(database.engine) != newest():
        raise Trouble("the database is at another revision than this code; `brama init` brings it up to date")
    return database
