"""Used nonces leave the store after twice the token's window, a few at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from gateway.channels.committer import SqliteCommitter
from gateway.database import Database
from gateway.errors import Rejected
from gateway.storage import nonces
from gateway.storage.polling import Polling
from gateway.storage.search import Documents
from gateway.storage.tables import nonces as table
from gateway.worker import Worker
from tests.walk import AT, FixedProfiles, accepted, received

WINDOW = 300
SECOND = timedelta(seconds=1)
TWICE = AT + timedelta(seconds=2 * WINDOW)


def kept(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM nonces")).scalar_one())


def recorded(database: Database) -> None:
    async def one() -> None:
        committer = SqliteCommitter(database, FixedProfiles(), lambda: AT, bound=9, token_window=WINDOW)
        await committer.record(accepted(received(nonce="n", account=1)))

    asyncio.run(one())


def spent(database: Database) -> None:
    box = Polling(database, Documents(database), lambda: AT, claim_seconds=180, token_window=WINDOW, bound=9)
    asyncio.run(box.spend(1, "n", AT))


@pytest.mark.parametrize("use", [recorded, spent])
def test_a_nonce_is_known_for_twice_the_window_whichever_call_used_it(database: Database, use: Any) -> None:
    """A token may be a window old when it comes, and a window ahead: only after both nobody can send it again."""
    use(database)
    nonces.forget(database, TWICE)
    assert kept(database) == 1
    with pytest.raises(Rejected):
        spent(database)
    nonces.forget(database, TWICE + SECOND)
    assert kept(database) == 0


def many(database: Database, number: int, at: datetime) -> None:
    with database.writing() as connection:
        connection.execute(insert(table), [{"account_id": 1, "nonce": f"{at} {n}", "expires_at": at} for n in range(number)])


def test_however_many_there_are_one_transaction_takes_a_few(database: Database) -> None:
    many(database, nonces.AT_ONCE + 5, AT)
    many(database, 3, AT + SECOND)
    assert nonces.forget(database, AT + SECOND) is True
    assert kept(database) == 5 + 3
    assert nonces.forget(database, AT + SECOND) is False
    assert kept(database) == 3, "these have not ended yet"


def test_while_nothing_has_ended_nobody_takes_the_write_lock(database: Database) -> None:
    many(database, 3, AT)
    begun: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: begun.append(call[2]))
    assert nonces.forget(database, AT) is False
    assert [statement.split()[0] for statement in begun] == ["SELECT"]


def test_the_worker_goes_on_while_there_are_more(database: Database) -> None:
    many(database, 2 * nonces.AT_ONCE + 1, AT)
    channel = SimpleNamespace(claim=lambda _room, _at: [])
    shop: Any = SimpleNamespace(forget_nonces=lambda at: nonces.forget(database, at), channel=channel, lapses=None)

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(Worker(shop, lambda: TWICE).run(stop))
        async with asyncio.timeout(5):
            while kept(database):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        stop.set()
        await running

    asyncio.run(run())
