"""The loop in the worker: many endpoints at once, none in another's way, within its bounds, whatever breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

import gateway.endpoints.push.pusher as pusher_module
from gateway.channels.pushes import Push, PushQueue
from gateway.channels.tables import pushes
from gateway.collection import ReadingRights
from gateway.database import Database, StoreBusy
from gateway.endpoints.push.call import Call
from gateway.endpoints.push.pusher import Pusher
from gateway.errors import Deferred
from gateway.http_answer import HttpAnswer
from gateway.profile import RetryPolicy
from gateway.security.keys import Secrets
from gateway.security.xml import HardenedParser
from gateway.storage.tables import mailbox
from registry.document import NewPush
from registry.push import register
from registry.tables import accounts
from tests.contract.test_push import answer, fault
from tests.walk import put

SECRETS = Secrets(b"k" * 32)
RIGHTS = ReadingRights("Anna", frozenset({("", "PL1")}), frozenset(), 0)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
OK = HttpAnswer(200, {"content-type": "text/xml"}, answer(), whole=True)
REFUSED = HttpAnswer(500, {"content-type": "text/xml"}, fault("businessErrorFault", "B001"), whole=True)


class Net:
    """Stands in for HTTP: `behave(url)` answers, waits or raises."""

    def __init__(self, behave: Callable[[str], HttpAnswer | Exception | float]) -> None:
        self._behave = behave
        self.calls: list[str] = []
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.most_together = 0

    async def post(self, url: str, certificate: str | None, envelope: bytes) -> HttpAnswer:
        self.calls.append(url)
        self.now[url] = self.now.get(url, 0) + 1
        self.most[url] = max(self.most.get(url, 0), self.now[url])
        self.most_together = max(self.most_together, sum(self.now.values()))
        try:
            found = self._behave(url)
            if isinstance(found, Exception):
                raise found
            if isinstance(found, float):
                await asyncio.sleep(found)
                return OK
            await asyncio.sleep(0.01)
            return found
        finally:
            self.now[url] -= 1


def fill(database: Database, endpoints: int, documents: int) -> None:
    for account in range(1, endpoints + 1):
        with database.writing() as connection:
            connection.execute(insert(accounts).values(account_id=account, login=f"a{account}@example", active=True))
            register(connection, SECRETS, account, NewPush("", f"http://edi{account}.example/", "brama", "x", "b", None), LONG_AGO)
        put(database, *(b"<m n='%d'/>" % n for n in range(documents)), account=account)


def url(account: int) -> str:
    return f"http://edi{account}.example/"


def queue(database: Database) -> PushQueue:
    retry = RetryPolicy((0.2,), 1e9)
    return PushQueue(database, retry, lambda account, at: RIGHTS, lease_seconds=60, block_after=50)


def run(database: Database, net: Net, until: Callable[[], bool], *, at_once: int = 1, keeper: PushQueue | None = None) -> None:
    """The loop, until `until` says so."""
    call, now = Call(HardenedParser()), lambda: datetime.now(UTC)
    pusher = Pusher(keeper or queue(database), call, net, lambda push: "x", now, at_once=at_once)  # type: ignore[arg-type]

    async def go() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(pusher.run(stop))
        give_up = time.monotonic() + 20
        while not until() and not running.done():
            assert time.monotonic() < give_up, "it did not happen"
            await asyncio.sleep(0.02)
        stop.set()
        await running

    asyncio.run(go())


def done(database: Database, account: int | None = None, state: str = "done") -> int:
    with database.reading() as connection:
        query = select(pushes.c.document).where(pushes.c.state == state)
        return len(connection.execute(query if account is None else query.where(pushes.c.account_id == account)).all())


def test_each_endpoint_is_called_one_at_a_time_and_all_of_them_together(database: Database) -> None:
    fill(database, 6, 3)
    net = Net(lambda url: OK)
    run(database, net, lambda: done(database) == 18)
    assert set(net.most.values()) == {1}
    assert net.most_together > 1
    assert len(net.calls) == 18


def test_a_setting_lets_one_endpoint_be_called_more_than_once_at_a_time(database: Database) -> None:
    fill(database, 1, 6)
    net = Net(lambda url: 0.1)
    run(database, net, lambda: done(database) == 6, at_once=3)
    assert net.most == {url(1): 3}


def test_many_that_fail_or_hang_do_not_hold_up_one_that_works(database: Database) -> None:
    fill(database, 12, 4)
    down = Deferred("push.unavailable", host="h", detail="refused")
    net = Net(lambda called: OK if called == url(12) else (1.0 if called in map(url, range(1, 7)) else down))
    began = time.monotonic()
    taken: list[float] = []

    def works() -> bool:
        if done(database, 12) == 4:
            taken.append(time.monotonic() - began)
        return bool(taken)

    run(database, net, works)
    assert taken[0] < 1.0, "before the first hanging call has ended"


def test_what_broke_unforeseen_is_counted_against_the_endpoint_and_the_loop_goes_on(database: Database) -> None:
    fill(database, 2, 1)
    broken = [True]

    def behave(called: str) -> HttpAnswer | Exception | float:
        if called == url(1) and broken:
            broken.pop()
            return ZeroDivisionError("a fault of ours")
        return OK

    net = Net(behave)
    run(database, net, lambda: done(database) == 2)
    assert sorted(net.calls) == [url(1), url(1), url(2)]


def test_a_store_that_is_busy_for_a_moment_ends_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(database, 1, 2)
    keeper = queue(database)
    real, busy = keeper.claim, [StoreBusy(), ValueError("a row that cannot be read")]

    def claim(at: datetime, room: Callable[[int, bool], int], limit: int, size: int) -> list[Push]:
        if busy:
            raise busy.pop()
        return real(at, room, limit, size)

    monkeypatch.setattr(keeper, "claim", claim)
    run(database, Net(lambda url: OK), lambda: done(database) == 2, keeper=keeper)
    assert busy == []


def test_a_refused_document_is_given_up_and_the_next_one_goes(database: Database) -> None:
    fill(database, 1, 2)
    said = [OK, REFUSED]
    run(database, Net(lambda url: said.pop()), lambda: done(database) == 1)
    assert done(database, state="given_up") == 1


def test_no_more_bytes_are_in_work_than_the_bound(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each endpoint has a large document; together they would be far more than may be in work."""
    fill(database, 24, 1)
    with database.writing() as connection:
        connection.execute(update(mailbox).values(content=b"<a>" + b"x" * 1_000_000 + b"</a>"))
    monkeypatch.setattr(pusher_module, "BYTES_IN_WORK", 2_000_000)
    net = Net(lambda url: 0.1)
    run(database, net, lambda: done(database) == 24)
    assert net.most_together == 2, "the one that reaches the bound is the last"


def test_told_to_stop_it_finishes_what_it_has_claimed(database: Database) -> None:
    fill(database, 3, 2)
    net = Net(lambda url: 0.3)
    run(database, net, lambda: len(net.calls) == 3)
    assert done(database) == 3
    assert len(net.calls) == 3
    with database.reading() as connection:
        due = connection.execute(select(pushes.c.attempts).where(pushes.c.state == "due")).scalars().all()
    assert list(due) == [0, 0, 0]


def test_an_endpoint_that_asked_for_time_gets_it(database: Database) -> None:
    """An endpoint that rests is called when its rest has ended, not sooner."""
    fill(database, 1, 1)
    called: list[float] = []

    def behave(url: str) -> HttpAnswer | Exception | float:
        called.append(time.monotonic())
        return OK if len(called) > 1 else Deferred("push.later", host="h", detail="HTTP 503", retry_after="1")

    run(database, Net(behave), lambda: done(database) == 1)
    assert timedelta(seconds=called[1] - called[0]) >= timedelta(seconds=0.95)


def test_a_clock_that_is_set_back_does_not_hold_up_the_loop(database: Database) -> None:
    """It was a day ahead when the store was busy for a moment."""
    fill(database, 1, 1)
    keeper = queue(database)
    clock = [datetime.now(UTC) + timedelta(days=1)]
    pusher = Pusher(keeper, Call(HardenedParser()), Net(lambda url: OK), lambda push: "x", lambda: clock[0], at_once=1)  # type: ignore[arg-type]
    right, keeper.find = keeper.find, lambda at: (_ for _ in ()).throw(StoreBusy())  # type: ignore[method-assign]
    assert pusher._claimed() == []
    keeper.find = right  # type: ignore[method-assign]
    clock[0] = datetime.now(UTC)
    assert len(pusher._claimed()) == 1
