"""What the tests of the push queue share: endpoints, a queue, polls beside it, and what became of documents."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from gateway.channels.pushes import Push, PushQueue
from gateway.channels.tables import pushes
from gateway.collection import HandedOut, ReadingRights, Wanted
from gateway.database import AnyRow, Database
from gateway.errors import Deferred, Failed, Rejected
from gateway.profile import RetryPolicy
from gateway.security.keys import Secrets
from gateway.storage.polling import Polling
from gateway.storage.search import Documents
from registry import push as endpoints
from registry.document import NewPush
from registry.tables import accounts, push_endpoints
from tests.walk import AT

SECRETS = Secrets(b"k" * 32)
LEASE = 60.0
RIGHTS = ReadingRights("Anna", frozenset({("", "PL1")}), frozenset(), 0)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DOWN = Deferred("push.unavailable", host="edi.example", detail="refused")
DOUBT = Deferred("push.in_doubt", host="edi.example", detail="timeout")
NO = Rejected("push.refused", host="edi.example", detail="B001")
PRIVATE = Failed("push.address", host="edi.example", address="10.0.0.1", kind="private", kind_pl="prywatny")


def endpoint(database: Database, account: int = 1, url: str = "https://edi.example/seap", since: datetime = AT) -> None:
    with database.writing() as connection:
        if connection.execute(select(accounts).where(accounts.c.account_id == account)).first() is None:
            connection.execute(insert(accounts).values(account_id=account, login=f"account{account}@example", active=True))
        new = NewPush("", url, "brama", "secret", "b", None)
        endpoints.register(connection, SECRETS, account, new, since)


def queue(database: Database, *, deadline: float = 86_400, block_after: int = 5, rights: ReadingRights = RIGHTS) -> PushQueue:
    retry = RetryPolicy((5.0, 60.0), deadline)
    return PushQueue(database, retry, lambda account, at: rights, lease_seconds=LEASE, block_after=block_after)


def take(keeper: PushQueue, at: datetime, *, room: int = 1, limit: int = 32) -> list[Push]:
    keeper.find(at)
    return keeper.claim(at, lambda account, failing: 1 if failing else room, limit, 10**9)


def one(keeper: PushQueue, at: datetime) -> Push:
    (found,) = take(keeper, at)
    return found


def reader(database: Database, at: datetime) -> Polling:
    return Polling(database, Documents(database), lambda: at, claim_seconds=180, token_window=300, bound=100)


def polled(database: Database, at: datetime, account: int = 1, *, whole: bool = False) -> HandedOut | None:
    """What a poll gets; `whole`: written out completely."""

    async def once() -> HandedOut | None:
        box = reader(database, at)
        handed = await box.next(account, RIGHTS, Wanted(), None, at, month=True)
        if handed is not None and whole:
            await box.collected(handed.document_id, handed.claim)
        return handed

    return asyncio.run(once())


def poll(database: Database, at: datetime, account: int = 1) -> str | None:
    handed = polled(database, at, account)
    return handed.document_id if handed else None


def row(database: Database, account: int = 1) -> AnyRow:
    with database.reading() as connection:
        return connection.execute(select(push_endpoints).where(push_endpoints.c.account_id == account)).one()


def states(database: Database) -> list[tuple[str, int, str | None]]:
    with database.reading() as connection:
        found = connection.execute(select(pushes.c.state, pushes.c.attempts, pushes.c.code).order_by(pushes.c.document)).all()
    return [(r.state, r.attempts, r.code) for r in found]
