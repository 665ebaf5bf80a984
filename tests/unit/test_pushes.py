"""The queue over the mailbox: documents found without being told, claimed like a poll, and by nobody else meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.channels.pushes import again
from gateway.channels.queue import LostLease
from gateway.channels.tables import pushes
from gateway.database import Database
from gateway.storage.tables import collections, history
from registry import push as endpoints
from tests.pushing import (
    DOWN,
    HOUR,
    LEASE,
    NO,
    SECOND,
    SECRETS,
    endpoint,
    one,
    poll,
    polled,
    queue,
    row,
    states,
    take,
)
from tests.walk import AT, put


def test_a_document_of_an_account_without_an_endpoint_is_never_pushed(database: Database) -> None:
    put(database, b"<a/>", account=2)
    endpoint(database, 1)
    assert take(queue(database), AT) == []
    assert states(database) == []


def test_what_waits_is_claimed_in_order_with_all_it_needs(database: Database) -> None:
    endpoint(database)
    sys_refs = put(database, b"<a/>", b"<b/>")
    found = take(queue(database), AT, room=2)
    assert [push.sys_ref for push in found] == sys_refs
    first = found[0]
    assert (first.filename, first.content, first.attempts) == ("UPP.xml", b"<UPP/>", 1)
    assert (first.endpoint.url, first.endpoint.account, first.endpoint.login) == ("https://edi.example/seap", "account1@example", "brama")
    assert SECRETS.decrypt(first.endpoint.secret, endpoints.secret_about("account1@example")) == b"secret"
    assert "secret" not in repr(first.endpoint)


def test_documents_from_before_the_endpoint_was_registered_only_wait_in_the_mailbox(database: Database) -> None:
    put(database, b"<a/>")
    endpoint(database, since=AT + SECOND)
    assert take(queue(database), AT + HOUR) == []
    assert poll(database, AT + SECOND) is not None


def test_pushed_means_collected(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    push = one(keeper, AT)
    keeper.done(push, "ref-1", AT + SECOND)
    assert take(keeper, AT + HOUR) == []
    assert poll(database, AT + HOUR) is None
    with database.reading() as connection:
        done = connection.execute(select(pushes)).one()
        assert connection.execute(select(collections.c.collected_at)).scalar_one() == AT + SECOND
        told = connection.execute(select(history).where(history.c.event == "push")).one()
    assert (done.state, done.sys_ref, done.ended_at) == ("done", "ref-1", AT + SECOND)
    assert told.outcome == "ok"
    assert "ref-1" in told.detail
    assert row(database).last_ok_at == AT + SECOND


def test_a_poll_never_gets_what_is_being_pushed_and_a_push_never_what_is_being_polled(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database)
    pushed = one(keeper, AT)
    assert poll(database, AT) not in (None, pushed.document_id)
    assert poll(database, AT) is None
    assert take(keeper, AT, room=5) == []


def test_what_was_polled_meanwhile_is_pushed_no_more(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    keeper.find(AT)
    assert polled(database, AT, whole=True) is not None
    assert take(keeper, AT + SECOND) == []
    assert states(database) == [("polled", 0, None)]


def test_a_poll_that_broke_off_leaves_the_document_to_the_push(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    assert poll(database, AT) is not None
    assert take(keeper, AT + SECOND) == []
    assert len(take(keeper, AT + timedelta(seconds=181))) == 1


def test_a_worker_that_died_leaves_the_document_to_the_next_under_the_same_name(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    dead = one(queue(database), AT)
    other = queue(database)
    assert take(other, AT + timedelta(seconds=LEASE - 1)) == []
    again_ = one(other, AT + timedelta(seconds=LEASE))
    assert (again_.document_id, again_.content, again_.attempts) == (dead.document_id, dead.content, 2)
    assert again_.claim == dead.claim + 1


@pytest.mark.parametrize("outcome", ["done", "refused", "failed"])
def test_a_worker_that_overslept_its_lease_changes_nothing(database: Database, outcome: str) -> None:
    endpoint(database)
    put(database, b"<a/>")
    slow = queue(database)
    stale = one(slow, AT)
    later = AT + timedelta(seconds=LEASE)
    fresh = one(queue(database), later)
    outcomes: dict[str, Callable[[], object]] = {
        "done": lambda: slow.done(stale, "ref", later),
        "refused": lambda: slow.refused(stale, NO, later),
        "failed": lambda: slow.failed(stale, DOWN, later),
    }
    with pytest.raises(LostLease):
        outcomes[outcome]()
    assert states(database) == [("due", 2, None)]
    assert row(database).failures == 0
    queue(database).done(fresh, "ref", later)


def test_a_lease_that_ended_but_nobody_took_still_counts(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    push = one(keeper, AT)
    keeper.done(push, "ref", AT + HOUR)
    assert states(database) == [("done", 1, None)]


def test_after_the_clock_was_set_back_all_that_waits_is_compared_again(database: Database) -> None:
    endpoint(database)
    keeper = queue(database)
    put(database, b"<a/>")
    assert keeper.find(AT + timedelta(days=1)) == 1
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM pushes")
    assert keeper.find(AT + SECOND) == 1


def test_what_came_for_an_endpoint_that_was_removed_is_not_pushed_to_the_next_one(database: Database) -> None:
    endpoint(database, url="https://old.example/")
    put(database, b"<a/>")
    keeper = queue(database)
    keeper.find(AT)
    with database.writing() as connection:
        endpoints.remove(connection, 1)
    endpoint(database, url="https://new.example/", since=AT + HOUR)
    put(database, b"<b/>", at=AT + HOUR)
    (pushed,) = take(keeper, AT + HOUR, room=2)
    assert pushed.created_at == AT + HOUR
    assert [state for state, _, _ in states(database)] == ["given_up", "due"]
    with database.writing() as connection:
        assert again(connection, 1, AT + HOUR) == 0, "it only waits in the mailbox"
    assert poll(database, AT + HOUR) is not None
