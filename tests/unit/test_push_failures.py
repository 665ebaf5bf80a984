"""The queue over the mailbox when a push fails: back-off of the endpoint, given up, blocked, withheld."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from gateway.channels.pushes import COMPARE, WITHHELD, again, counts
from gateway.channels.tables import pushes
from gateway.collection import ReadingRights
from gateway.database import Database
from gateway.errors import Deferred, Failed, GatewayError
from gateway.storage.tables import collections, messages
from registry import push as endpoints
from registry.tables import accounts
from tests.pushing import (
    DOUBT,
    DOWN,
    HOUR,
    NO,
    PRIVATE,
    SECOND,
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


def test_after_a_failure_the_endpoint_rests_and_is_then_tried_with_one_document(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>", b"<b/>", b"<c/>")
    keeper = queue(database)
    first = one(keeper, AT)
    assert not keeper.failed(first, DOWN, AT)
    assert (row(database).failures, row(database).rest_until) == (1, AT + 5 * SECOND)
    assert take(keeper, AT + 4 * SECOND, room=3) == []
    probe = take(keeper, AT + 5 * SECOND, room=3)
    assert [p.document_id for p in probe] == [first.document_id], "nothing arrived, so it keeps its turn"
    assert take(queue(database), AT + 6 * SECOND, room=3) == [], "another worker must not probe at the same time"
    keeper.failed(probe[0], DOWN, AT + 6 * SECOND)
    assert row(database).rest_until == AT + 66 * SECOND
    recovered = one(keeper, AT + 66 * SECOND)
    keeper.done(recovered, "ref", AT + 67 * SECOND)
    assert (row(database).failures, row(database).rest_until) == (0, None)
    assert len(take(keeper, AT + 68 * SECOND, room=3)) == 2


def test_between_attempts_the_document_can_be_polled(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    push = one(keeper, AT)
    keeper.failed(push, DOUBT, AT)
    assert poll(database, AT) == push.document_id


def test_a_repeat_names_the_case_as_the_first_attempt_did(database: Database) -> None:
    """The MRN that came meanwhile would make it another text."""
    endpoint(database)
    put(database, b"<a/>")
    with database.writing() as connection:
        connection.execute(update(messages).values(lrn="LRN-1"))
    keeper = queue(database)
    push = one(keeper, AT)
    keeper.failed(push, DOUBT, AT)
    with database.writing() as connection:
        connection.execute(update(messages).values(mrn="26PL1"))
    assert (push.case_id, one(keeper, AT + 5 * SECOND).case_id) == ("LRN-1", "LRN-1")


def test_in_doubt_another_document_is_tried_next(database: Database) -> None:
    """One document that makes the endpoint stumble must not hold up the others."""
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database)
    first = one(keeper, AT)
    keeper.failed(first, DOUBT, AT)
    assert one(keeper, AT + 5 * SECOND).document_id != first.document_id


def test_what_a_busy_endpoint_asks_for_is_granted(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    keeper.failed(one(keeper, AT), Deferred("push.later", host="h", detail="HTTP 503", retry_after="600"), AT)
    assert row(database).rest_until == AT + 600 * SECOND


def test_past_its_deadline_a_document_is_given_up_and_can_be_polled(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database, deadline=30)
    push = one(keeper, AT)
    keeper.failed(push, DOWN, AT)
    second = one(keeper, AT + 5 * SECOND)
    keeper.failed(second, DOWN, AT + 5 * SECOND)
    assert states(database) == [("given_up", 2, "push.unavailable")]
    assert take(keeper, AT + HOUR) == []
    assert poll(database, AT + HOUR) == push.document_id


def test_a_refused_document_waits_in_the_mailbox_and_the_endpoint_is_well(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database)
    refused = one(keeper, AT)
    keeper.refused(refused, NO, AT)
    assert states(database)[0] == ("given_up", 1, "push.refused")
    assert row(database).failures == 0
    assert one(keeper, AT).document_id != refused.document_id
    assert poll(database, AT) == refused.document_id


def test_after_many_failures_the_endpoint_is_blocked_until_a_person_unblocks_it(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper, at = queue(database, block_after=3), AT
    outcomes = []
    for _ in range(3):
        outcomes.append(keeper.failed(one(keeper, at), DOWN, at))
        at += HOUR
    assert outcomes == [False, False, True]
    assert row(database).blocked_at == AT + 2 * HOUR
    assert take(keeper, AT + 20 * HOUR) == []
    assert states(database) == [("due", 3, "push.unavailable")], "it waits"
    with database.writing() as connection:
        assert endpoints.unblock(connection, 1)
    assert len(take(keeper, AT + 20 * HOUR)) == 1


@pytest.mark.parametrize("error", [PRIVATE, Failed("keys.secret"), Failed("push.url", detail="x", detail_pl="x")])
def test_what_only_a_person_can_mend_blocks_at_once(database: Database, error: GatewayError) -> None:
    endpoint(database)
    put(database, b"<a/>")
    keeper = queue(database)
    assert keeper.failed(one(keeper, AT), error, AT)
    assert (row(database).blocked_at, row(database).last_code) == (AT, error.code)
    assert take(keeper, AT + 20 * HOUR) == []


def test_a_block_outlives_the_outcome_of_a_call_that_was_still_under_way(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database)
    first, second = take(keeper, AT, room=2)
    keeper.failed(first, PRIVATE, AT)
    keeper.failed(second, DOWN, AT)
    assert row(database).blocked_at == AT


def test_changing_an_endpoint_unblocks_it_and_an_old_outcome_says_nothing_about_it(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database, block_after=1)
    first, second = take(keeper, AT, room=2)
    keeper.failed(first, DOWN, AT)
    assert row(database).blocked_at == AT
    endpoint(database, url="https://other.example/")
    assert row(database).blocked_at is None
    keeper.failed(second, DOWN, AT)
    assert (row(database).failures, row(database).blocked_at) == (0, None)
    assert row(database).since == AT


def test_given_up_documents_that_still_wait_are_pushed_once_more_when_asked(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database, deadline=1)
    for push in take(keeper, AT, room=2):
        keeper.failed(push, DOWN, AT)
    assert {state for state, _, _ in states(database)} == {"given_up"}
    assert poll(database, AT) is not None
    with database.writing() as connection:
        connection.execute(update(collections).where(collections.c.claimed_until.is_not(None)).values(collected_at=AT))
        endpoints.unblock(connection, 1)
        assert again(connection, 1, AT + HOUR) == 1
    push = one(keeper, AT + HOUR)
    keeper.failed(push, DOWN, AT + HOUR)
    with database.reading() as connection:
        assert counts(connection) == {1: {"given_up": 2}}


def test_an_inactive_account_is_not_pushed_to(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    with database.writing() as connection:
        connection.execute(update(accounts).values(active=False))
    assert take(queue(database), AT) == []


def test_one_endpoint_does_not_take_the_room_of_another(database: Database) -> None:
    for account in (1, 2, 3):
        endpoint(database, account)
    put(database, *(b"<m n='%d'/>" % n for n in range(9)), account=1)
    for account in (2, 3):
        put(database, b"<m/>", account=account)
    keeper = queue(database)
    busy: dict[int, int] = {1: 1}
    keeper.find(AT)
    found = keeper.claim(AT, lambda account, failing: 1 - busy.get(account, 0), 32, 10**9)
    assert sorted(push.endpoint.account_id for push in found) == [2, 3]


def test_a_document_that_was_put_there_unseen_is_found_by_the_comparison(database: Database) -> None:
    """As when its row came to light later than others with higher numbers: nothing depends on the mark alone."""
    endpoint(database)
    put(database, b"<a/>", b"<b/>")
    keeper = queue(database)
    assert keeper.find(AT) == 2
    with database.writing() as connection:
        connection.execute(pushes.delete().where(pushes.c.document == 1))
    assert keeper.find(AT + SECOND) == 0
    assert keeper.find(AT + COMPARE) == 1


def test_new_documents_are_found_at_the_next_look(database: Database) -> None:
    endpoint(database)
    keeper = queue(database)
    assert keeper.find(AT) == 0
    put(database, b"<a/>")
    assert keeper.find(AT + SECOND) == 1
    assert keeper.find(AT + 2 * SECOND) == 0


def test_the_grades_are_those_of_the_context(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    handed = polled(database, AT)
    assert handed is not None
    push = one(queue(database), AT + HOUR)
    assert push.grades == (handed.person_sisc, handed.middle_sisc, handed.end_sisc)
    assert (push.document_id, push.case_id) == (handed.dispatch_id, handed.case_id)


def test_what_the_account_may_not_read_is_not_pushed_until_it_may(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    nobody = ReadingRights("Anna", frozenset(), frozenset(), 0)
    assert take(queue(database, rights=nobody), AT) == []
    assert states(database) == [("due", 0, "read.no_permission")]
    assert take(queue(database), AT + WITHHELD - SECOND) == []
    assert len(take(queue(database), AT + WITHHELD)) == 1


def test_what_the_account_may_not_read_for_too_long_is_left_to_the_polls(database: Database) -> None:
    endpoint(database)
    put(database, b"<a/>")
    nobody = ReadingRights("Anna", frozenset(), frozenset(), 0)
    assert take(queue(database, rights=nobody, deadline=60), AT + HOUR) == []
    assert states(database) == [("given_up", 0, "read.no_permission")]
