"""Claims, fencing, back-off, deadlines, dead letters."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.bootstrap import Workshop
from gateway.channels import dead_letters as desk
from gateway.channels.answers import AnswerDesk
from gateway.channels.queue import DatabaseChannel, LostLease, fingerprint, status
from gateway.database import Database
from gateway.errors import Deferred, Failed, Rejected
from gateway.message import Job, Request
from gateway.pipeline import Dispatching
from gateway.profile import RetryPolicy
from gateway.storage import messages as store
from gateway.worker import LOST_CLAIMS, Worker
from tests.walk import AT, FixedProfiles, put

LEASE = 60
POLICY = FixedProfiles().retry


@pytest.fixture
def channel(database: Database) -> DatabaseChannel:
    return DatabaseChannel(database, claim_seconds=LEASE)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def only(channel: DatabaseChannel, at=AT) -> Job:  # type: ignore[no-untyped-def]
    (job,) = channel.claim(10, at)
    return job


def test_claims_in_order_and_never_twice(database: Database, channel: DatabaseChannel) -> None:
    sys_refs = put(database, b"<a/>", b"<b/>", b"<c/>")
    assert [job.sys_ref for job in channel.claim(2, AT)] == sys_refs[:2]
    assert [job.content for job in channel.claim(2, AT)] == [b"<c/>"]
    assert channel.claim(2, AT) == []


def test_claim_of_a_dead_worker_ends_and_its_result_counts_no_more(database: Database, channel: DatabaseChannel) -> None:
    put(database, b"<a/>")
    sleeper = only(channel)
    assert channel.claim(1, AT + seconds(LEASE - 1)) == []
    second = only(channel, AT + seconds(LEASE))
    assert second.fence == sleeper.fence + 1
    with pytest.raises(LostLease):
        channel.delivered(sleeper, AT, "late", ())
    channel.delivered(second, AT, "in time", ())
    with pytest.raises(LostLease):
        channel.dead(second, Failed("unexpected", kind="x"), AT, ())


def test_request_is_stored_once_and_given_to_every_retry(database: Database, channel: DatabaseChannel) -> None:
    put(database, b"<a/>")
    job = only(channel)
    request = Request("id-1", b"exact \x00 bytes", {"content-type": "application/xml"})
    channel.store_request(job, request)
    channel.later(job, Deferred("deliver.in_doubt", system="NCTS2", detail="reset"), POLICY, AT, ())
    assert only(channel, AT + seconds(1)).request == request


def test_back_off_follows_the_policy_then_the_deadline_makes_a_dead_letter(database: Database, channel: DatabaseChannel) -> None:
    (sys_ref,) = put(database, b"<a/>")
    at, attempts = AT, 0
    while jobs := channel.claim(1, at):
        attempts += 1
        channel.later(jobs[0], Deferred("deliver.unavailable", system="NCTS2", detail=f"refused {attempts}"), POLICY, at, ())
        assert channel.claim(1, at + seconds(POLICY.delay(attempts) - 0.1)) == []
        at += seconds(POLICY.delay(attempts))
    assert attempts == 6, "at 0, 1, 3, 5, 7 and 9 seconds; 11 would be past the deadline of 10"
    with database.reading() as connection:
        (letter,) = desk.listed(connection)
    assert (letter.sys_ref, letter.code, letter.stage, letter.attempts) == (sys_ref, "deliver.unavailable", "deliver", 6)
    assert "refused 1" in letter.first_error
    assert "refused 6" in letter.last_error


def test_retry_of_a_dead_letter_gives_a_new_deadline_once(database: Database, channel: DatabaseChannel) -> None:
    put(database, b"<a/>")
    channel.dead(only(channel), Rejected("deliver.refused", system="NCTS2", detail="no"), AT, ())
    later = AT + timedelta(days=3)
    with database.writing() as connection:
        (letter,) = desk.listed(connection)
        assert desk.retry(connection, letter.id, later) is True
        assert desk.retry(connection, letter.id, later) is False, "a double click does nothing"
        assert desk.discard(connection, letter.id, "no", later) is False
        assert desk.listed(connection) == []
    job = only(channel, later)
    assert job.deadline_at == later + seconds(10)
    channel.delivered(job, later, "", ())


def test_discard_keeps_the_reason_and_ends_it(database: Database, channel: DatabaseChannel) -> None:
    (sys_ref,) = put(database, b"<a/>")
    channel.dead(only(channel), Rejected("deliver.refused", system="NCTS2", detail="no"), AT, ())
    with database.writing() as connection:
        (letter,) = desk.listed(connection)
        assert desk.discard(connection, letter.id, "withdrawn by the trader", AT) is True
        assert desk.retry(connection, letter.id, AT) is False
    with database.reading() as connection:
        (closed,) = desk.listed(connection, closed=True)
        message = store.find(connection, sys_ref)
        assert message is not None
        delivery = status(connection, message.id)
        assert delivery is not None
        assert (closed.closed_as, closed.closed_why, delivery.state) == ("discarded", "withdrawn by the trader", "discarded")
    assert channel.claim(1, AT + timedelta(days=9)) == []


def test_history_tells_every_attempt(database: Database, channel: DatabaseChannel) -> None:
    (sys_ref,) = put(database, b"<a/>")
    channel.later(only(channel), Deferred("deliver.unavailable", system="NCTS2", detail="x"), POLICY, AT, ())
    channel.delivered(only(channel, AT + seconds(1)), AT + seconds(1), "HTTP 202", ())
    with database.reading() as connection:
        message = store.find(connection, sys_ref)
        assert message is not None
        assert [(e.event, e.outcome) for e in store.events(connection, message.id)] == [
            ("accept", "ok"),
            ("deliver", "deliver.unavailable"),
            ("deliver", "ok"),
        ]


def test_fingerprint_is_blind_to_numbers_and_identifiers_only() -> None:
    one = fingerprint("NCTS2", "deliver.refused", "HTTP 503 for 0b8ee1d5-6a53-4f4a-9d9e-1f6f2a2b3c4d after 12 ms")
    assert one == fingerprint("NCTS2", "deliver.refused", "HTTP 502 for 11111111-2222-4333-8444-555555555555 after 7 ms")
    assert one != fingerprint("NCTS2", "deliver.refused", "connection refused")
    assert one != fingerprint("AES", "deliver.refused", "HTTP 503 for 0b8ee1d5-6a53-4f4a-9d9e-1f6f2a2b3c4d after 12 ms")


def test_looking_for_work_uses_the_index(database: Database, channel: DatabaseChannel) -> None:
    plans: list[str] = []
    put(database, b"<a/>")
    with database.reading() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(lambda statement: plans.append(statement) if statement.startswith("SELECT deliveries.id") else None)
    channel.claim(1, AT)
    with database.reading() as connection:
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + plans[0]).all()
    assert "ix_deliveries_due" in str(plan)


@pytest.mark.parametrize(("asked", "waits"), [("5", 5), ("0", 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), (None, 1), ("-3", 1)])
def test_a_target_that_asks_for_patience_gets_it(database: Database, channel: DatabaseChannel, asked: str | None, waits: int) -> None:
    put(database, b"<a/>")
    channel.later(only(channel), Deferred("deliver.unavailable", system="NCTS2", detail="503", retry_after=asked), POLICY, AT, ())
    assert channel.claim(1, AT + seconds(waits - 0.1)) == []
    assert len(channel.claim(1, AT + seconds(waits))) == 1


def test_a_delivery_that_ran_out_of_time_says_so(database: Database, channel: DatabaseChannel) -> None:
    (sys_ref,) = put(database, b"<a/>")
    channel.later(only(channel), Deferred("deliver.unavailable", system="NCTS2", detail="503", retry_after="3000"), POLICY, AT, ())
    with database.reading() as connection:
        message = store.find(connection, sys_ref)
        assert message is not None
        assert "deadline" in store.events(connection, message.id)[-1].detail


def test_claims_that_end_without_an_outcome_are_counted_until_there_is_one(database: Database, channel: DatabaseChannel) -> None:
    put(database, b"<a/>")
    lost = [only(channel, AT + seconds(LEASE * n)).lost for n in range(4)]
    assert lost == [0, 1, 2, 3]
    job = only(channel, AT + seconds(LEASE * 4))
    channel.later(job, Deferred("deliver.unavailable", system="NCTS2", detail="x"), RetryPolicy((1.0,), 1e6), AT, ())
    assert only(channel, AT + seconds(LEASE * 6)).lost == 0


def test_a_message_that_takes_its_workers_with_it_is_put_aside(database: Database, channel: DatabaseChannel) -> None:
    put(database, b"<poison/>", b"<good/>")
    for n in range(LOST_CLAIMS + 1):
        poison, good = channel.claim(2, AT + seconds(LEASE * n))
    shop = Workshop(FixedProfiles(), channel, Dispatching({}, channel, AnswerDesk(database, FixedProfiles()), lambda: AT), database)  # type: ignore[arg-type]
    asyncio.run(Worker(shop, lambda: AT)._work(poison))
    with database.reading() as connection:
        (letter,) = desk.listed(connection)
    assert (letter.code, letter.sys_ref) == ("deliver.abandoned", poison.sys_ref)
    assert good.sys_ref != poison.sys_ref


def test_a_stored_request_that_cannot_be_read_does_not_take_the_others_along(database: Database, channel: DatabaseChannel) -> None:
    broken, good = put(database, b"<broken/>", b"<good/>")
    for job in channel.claim(2, AT):
        channel.store_request(job, Request(job.sys_ref, job.content, {"a": "b"}))
        channel.later(job, Deferred("deliver.unavailable", system="NCTS2", detail="x"), RetryPolicy((1.0,), 1e6), AT, ())
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE requests SET headers = '{' WHERE request_id = ?", (broken,))
    assert [job.sys_ref for job in channel.claim(2, AT + seconds(2))] == [good]
    with database.reading() as connection:
        message = store.find(connection, broken)
        assert message is not None
        assert status(connection, message.id).state == "dead"  # type: ignore[union-attr]
