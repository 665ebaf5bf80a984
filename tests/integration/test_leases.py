"""One scheduler at a time, and none twice: leases between processes, crashes between any two steps."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.channels import lapses
from gateway.channels.lapses import GRACE, LEASE
from gateway.channels.leases import Leases, check
from gateway.channels.queue import LostLease
from gateway.channels.tables import leases, servings
from gateway.database import Database
from gateway.legal_time import end_of_period
from tests.serving import House

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECONDS = timedelta(seconds=1)


def test_one_holds_it_and_the_next_gets_it_when_it_ends(database: Database) -> None:
    one, two = Leases(database, "one", 60), Leases(database, "two", 60)
    first = one.claim("x", AT)
    assert first is not None
    assert two.claim("x", AT + 59 * SECONDS) is None
    second = two.claim("x", AT + 60 * SECONDS)
    assert second is not None
    assert second.fence == first.fence + 1
    assert one.claim("x", AT + 61 * SECONDS) is None
    with database.writing() as connection, pytest.raises(LostLease):
        check(connection, first)
    with database.writing() as connection:
        check(connection, second)


def test_its_holder_may_take_it_again_and_let_it_go(database: Database) -> None:
    one, two = Leases(database, "one", 60), Leases(database, "two", 60)
    one.claim("x", AT)
    again = one.claim("x", AT + SECONDS)
    assert again is not None
    one.release(again, AT + 2 * SECONDS)
    taken = two.claim("x", AT + 2 * SECONDS)
    assert taken is not None
    one.release(again, AT + 3 * SECONDS)  # it is no longer his to let go
    assert one.claim("x", AT + 4 * SECONDS) is None


def test_two_names_are_two_leases(database: Database) -> None:
    assert Leases(database, "one", 60).claim("x", AT) is not None
    assert Leases(database, "two", 60).claim("y", AT) is not None


CLAIM = """
import sys, time
from datetime import UTC, datetime
from gateway.channels.leases import Leases
from gateway.database import Database
lease = Leases(Database(sys.argv[1]), sys.argv[2], float(sys.argv[3])).claim("x", datetime.now(UTC))
print(lease.fence if lease else "none", flush=True)
time.sleep(60)
"""


@pytest.fixture
def process(database: Database) -> Callable[[str, float], subprocess.Popen[str]]:
    def start(holder: str, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLAIM, str(database.engine.url), holder, str(seconds)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])

    return start


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_process_is_followed_when_its_lease_ends_and_not_before(
    database: Database, process: Callable[[str, float], subprocess.Popen[str]]
) -> None:
    first, second = process("first", 6), process("second", 6)
    try:
        words = {said(first), said(second)}
        assert words == {"1", "none"}, "two processes claimed at once"
    finally:
        for one in (first, second):
            one.kill()
            one.wait(10)
    own = Leases(database, "third", 60)
    with database.reading() as connection:
        until = connection.execute(select(leases.c.until)).scalar_one()
    assert datetime.now(UTC) < until, "the machine was too slow for this test"
    assert own.claim("x", datetime.now(UTC)) is None
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    taken = own.claim("x", datetime.now(UTC))
    assert taken is not None
    assert taken.fence == 2


# --- the scheduler under a lease ----------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, database: Database) -> House:
    house = House(tmp_path / "house", database, "CC060C")
    house.declare("L1")
    house.answer(house.decision("L1"))
    return house


def test_a_worker_that_died_with_the_lease_is_followed_by_another(house: House) -> None:
    at = house.clock.pass_(days=8)
    assert Leases(house.database, "dead", 60).claim(LEASE, at) is not None
    assert house.scheduler("alive").run(at + 59 * SECONDS) == 0
    assert house.scheduler("alive").run(at + 60 * SECONDS) == 1
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie"]


def test_a_worker_that_slept_past_its_lease_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    at = house.clock.pass_(days=8)
    sealed = lapses.technical.notice

    def slow(*arguments: object) -> str:
        assert Leases(house.database, "another", 60).claim(LEASE, at + 61 * SECONDS) is not None
        return sealed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lapses.technical, "notice", slow)
    assert house.scheduler("sleeper").run(at) == 0
    assert house.kinds() == ["UPP", "UPD"]


def test_while_nothing_is_due_nobody_takes_the_lease(house: House) -> None:
    house.scheduler().run(house.clock.at)
    with house.database.reading() as connection:
        assert connection.execute(select(leases)).all() == []


@pytest.mark.parametrize("call", ["check", "keep", "lay", "store.remember"])
@pytest.mark.parametrize("late", [False, True], ids=["a notice", "the PND"])
def test_a_crash_between_any_two_steps_makes_none_twice(house: House, monkeypatch: pytest.MonkeyPatch, call: str, late: bool) -> None:
    """Each step breaks once, after it was done; the next run finds either everything or nothing."""
    at = end_of_period(house.clock.at, 14) + GRACE if late else end_of_period(house.clock.at, 7)
    owner, _, name = call.rpartition(".")
    room = getattr(lapses, owner) if owner else lapses
    right, broken = getattr(room, name), [KeyboardInterrupt()]  # as a kill: no handler of ours may take it for an error

    def once(*arguments: object, **named: object) -> object:
        result = right(*arguments, **named)
        if broken:
            raise broken.pop()
        return result

    monkeypatch.setattr(room, name, once)
    with pytest.raises(KeyboardInterrupt):
        house.scheduler("dying").run(at)
    assert house.kinds() == ["UPP", "UPD"]
    at += 61 * SECONDS
    assert [house.scheduler("next").run(at), house.scheduler("next").run(at)] == [1, 0]
    assert house.kinds() == (["UPP", "UPD", "PND", "CC060C"] if late else ["UPP", "UPD", "Zawiadomienie"])


def test_one_broken_serving_does_not_keep_the_others_waiting(house: House) -> None:
    house.declare("L2")
    house.answer(house.decision("L2", "D-2"))
    with house.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM serving_papers WHERE serving = 1 AND paper = 'document'")
    at = house.clock.pass_(days=40)
    assert house.scheduler().run(at) == 1
    with house.database.reading() as connection:
        assert connection.execute(select(servings.c.state).order_by(servings.c.id)).scalars().all() == ["held", "lapsed"]


def test_many_broken_servings_do_not_keep_the_others_waiting(house: House) -> None:
    """As many as one run takes, all due before the good one."""
    with house.database.writing() as connection:
        for number in range(2, 2 + lapses.AT_ONCE):
            connection.exec_driver_sql(
                "INSERT INTO servings SELECT ?, 'UPD-broken-' || ?, message, account_id, system, kind, filename, document_id,"
                " randomblob(32), addressee, permission, state, issued_at, due_at - 1, notices, next_at - 1, closed_at, proof"
                " FROM servings WHERE id = 1",
                (number, number),
            )
    at = house.clock.pass_(days=40)
    done = [house.scheduler().run(at + number * 5 * SECONDS) for number in range(3)]
    assert sum(done) == 1
    with house.database.reading() as connection:
        assert connection.execute(select(servings.c.state).order_by(servings.c.id)).scalars().first() == "lapsed"


def test_a_lease_from_a_clock_that_was_far_ahead_does_not_hold_for_ever(database: Database) -> None:
    """Its holder died and the clock was set right: nobody who is alive can hold it for longer than a lease lasts."""
    ahead = Leases(database, "dead", 60).claim("x", AT + timedelta(days=400))
    assert ahead is not None
    taken = Leases(database, "alive", 60).claim("x", AT)
    assert taken is not None
    assert taken.fence == ahead.fence + 1
    assert Leases(database, "third", 60).claim("x", AT + SECONDS) is None
