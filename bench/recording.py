"""What the step `record` costs in CPU. The history holds how long a message waited for its commit, which is another thing:
so the real committer is given judged messages here, 16 at a time, in this process and on a database of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from time import process_time_ns
from uuid import uuid4

from bench.floor import BATCH
from gateway.bootstrap import SystemClock, build_accepting, load_profiles
from gateway.database import Database
from gateway.demo.people import ANNA
from gateway.message import Caller, Received
from gateway.security.xml import HardenedParser
from gateway.settings import Settings
from gateway.steps.receive import receive
from registry.accounts import Accounts
from schemas.reader import SchemaReader
from schemas.shipped import shipped_editions


def record_cpu(home: Path, messages: list[bytes]) -> float:
    """Microseconds of CPU per message. `home` is a set-up whose registry is filled; its database is copied."""
    copy = home / "recording.db"
    with sqlite3.connect(home / "brama.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    settings = Settings(home=home, database_url=f"sqlite:///{copy}")
    database = Database(settings.database)
    try:
        return asyncio.run(_record(settings, database, messages))
    finally:
        database.engine.dispose()


async def _record(settings: Settings, database: Database, messages: list[bytes]) -> float:
    reader = SchemaReader(shipped_editions())
    accepting = build_accepting(settings, database, load_profiles(settings), reader, HardenedParser(), SystemClock())
    account = Accounts(database.engine).find(ANNA.login)
    assert account is not None
    caller = Caller(account.account_id, account.login)
    spent = 0
    for start in range(0, len(messages), BATCH):
        judged = [accepting.judge(_received(message, caller)) for message in messages[start : start + BATCH]]
        begun = process_time_ns()
        await asyncio.gather(*(accepting.committer.record(one) for one in judged))
        spent += process_time_ns() - begun
    return spent / 1000 / len(messages)


def _received(message: bytes, caller: Caller) -> Received:
    return receive(
        message,
        caller=caller,
        door="soap",
        received_at=datetime.now(UTC),
        limit=len(message),
        filename="CC015C.xml",
        message_id=f"urn:uuid:{uuid4()}",
        nonce=uuid4().hex,
    )
