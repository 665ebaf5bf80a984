"""The transactional outbox: what is committed together, what a repeat, a replay and a conflict get."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import text

from gateway.channels.committer import SqliteCommitter
from gateway.database import LOCK_LIMIT, Database, bump, writing
from gateway.errors import Deferred, Rejected
from gateway.message import Attachment, BusinessKeys, Judged, Recorded
from gateway.ports import Conflict, Stale
from tests.walk import AT, FixedProfiles, accepted, received, refused


def committer(database: Database, bound: int = 100) -> SqliteCommitter:
    return SqliteCommitter(database, FixedProfiles(), lambda: AT, bound=bound, token_window=300)


def record(database: Database, *judged: Judged) -> list[Recorded | BaseException]:
    async def together() -> list[Recorded | BaseException]:
        keeper = committer(database)
        return await asyncio.gather(*(keeper.record(j) for j in judged), return_exceptions=True)

    return asyncio.run(together())


def count(database: Database, table: str, where: str = "1 = 1") -> int:
    with database.reading() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one()


def test_acceptance_commits_message_bytes_receipt_outbox_and_history_together(database: Database) -> None:
    call = received(b"<a>\r\n</a>", attachments=(Attachment("b.pdf", "application/pdf", b"%PDF"),))
    assert record(database, accepted(call)) == [Recorded(call.sys_ref)]
    with database.reading() as connection:
        assert connection.execute(text("SELECT content FROM contents")).scalar_one() == b"<a>\r\n</a>"
        assert connection.execute(text("SELECT content, filename FROM attachments")).one() == (b"%PDF", "b.pdf")
        assert connection.execute(text("SELECT kind, filename, content FROM mailbox")).one() == ("UPP", "UPP.xml", b"<UPP/>")
        assert connection.execute(text("SELECT state, system FROM deliveries")).one() == ("due", "NCTS2")
        assert connection.execute(text("SELECT event, outcome FROM history")).one() == ("accept", "ok")


def test_refusal_is_recorded_with_its_npp_and_never_delivered(database: Database) -> None:
    call = received()
    assert record(database, refused(call)) == [Recorded(call.sys_ref)]
    assert count(database, "messages", "state = 'refused' AND code = 'signature.missing'") == 1
    assert count(database, "mailbox", "kind = 'NPP'") == 1
    assert count(database, "deliveries") == 0


def test_same_bytes_again_get_the_first_sysref_and_no_second_delivery(database: Database) -> None:
    first, again = received(b"<x/>"), received(b"<x/>")
    record(database, accepted(first))
    assert record(database, accepted(again)) == [Recorded(first.sys_ref, repeat=True)]
    assert count(database, "deliveries") == 1
    assert count(database, "mailbox") == 1


def test_repeat_inside_one_batch(database: Database) -> None:
    calls = [received(b"<x/>") for _ in range(5)]
    outcomes = record(database, *(accepted(c) for c in calls))
    assert {o.sys_ref for o in outcomes if isinstance(o, Recorded)} == {calls[0].sys_ref}
    assert count(database, "messages") == 1


def test_same_bytes_from_another_account_are_another_message(database: Database) -> None:
    first, other = received(b"<x/>", account=1), received(b"<x/>", account=2)
    assert record(database, accepted(first), accepted(other)) == [Recorded(first.sys_ref), Recorded(other.sys_ref)]


def test_after_a_refusal_the_same_bytes_are_a_new_attempt(database: Database) -> None:
    first, again = received(b"<x/>", message_id="m1"), received(b"<x/>", message_id="m1")
    record(database, refused(first))
    assert record(database, accepted(again)) == [Recorded(again.sys_ref)]


def test_used_nonce_is_a_token_fault_and_nothing_is_recorded(database: Database) -> None:
    record(database, accepted(received(b"<x/>", nonce="n1")))
    (outcome,) = record(database, accepted(received(b"<y/>", nonce="n1")))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "token.refused"
    assert count(database, "messages") == 1


def test_nonce_of_another_account_is_free(database: Database) -> None:
    outcomes = record(database, accepted(received(b"<x/>", nonce="n1", account=1)), accepted(received(b"<x/>", nonce="n1", account=2)))
    assert all(isinstance(o, Recorded) for o in outcomes)


def test_message_id_with_other_content_is_refused_with_same_content_it_is_a_repeat(database: Database) -> None:
    first = received(b"<x/>", message_id="urn:1", nonce="n1")
    record(database, accepted(first))
    (other,) = record(database, accepted(received(b"<y/>", message_id="urn:1", nonce="n2")))
    assert isinstance(other, Rejected)
    assert other.code == "receive.message_id_reused"
    assert count(database, "nonces") == 1, "a refused call leaves nothing behind"
    assert record(database, accepted(received(b"<x/>", message_id="urn:1", nonce="n3"))) == [Recorded(first.sys_ref, repeat=True)]


def test_same_business_identifier_with_other_bytes_is_a_conflict_that_names_the_first(database: Database) -> None:
    keys = BusinessKeys(message_id="MSG1", sender="PL1")
    first = received(b"<x/>")
    record(database, accepted(first, keys=keys))
    (outcome,) = record(database, accepted(received(b"<y/>"), keys=keys))
    assert isinstance(outcome, Conflict)
    assert first.sys_ref in outcome.reason.text("pl")
    assert count(database, "messages") == 1


def test_the_sys_ref_of_another_account_is_not_told(database: Database) -> None:
    keys = BusinessKeys(message_id="MSG1", sender="PL1")
    first = received(b"<x/>", account=1)
    record(database, accepted(first, keys=keys))
    (outcome,) = record(database, accepted(received(b"<y/>", account=2), keys=keys))
    assert isinstance(outcome, Conflict)
    assert first.sys_ref not in outcome.reason.text("en") + outcome.reason.text("pl")


def test_judgement_under_an_older_registry_is_stale(database: Database) -> None:
    with writing(database.engine) as connection:
        bump(connection, "registry")
    grant, denial, schema = accepted(received(b"<x/>"), generation=0), refused(received(b"<y/>"), generation=0), refused(received(b"<z/>"))
    outcomes = record(database, grant, denial, schema)
    assert isinstance(outcomes[0], Stale)
    assert isinstance(outcomes[1], Stale)
    assert isinstance(outcomes[2], Recorded), "a refusal that never asked the registry does not depend on it"


def test_one_broken_row_harms_no_other_of_its_batch(database: Database) -> None:
    good, broken, good_too = accepted(received(b"<x/>")), accepted(received(b"<y/>")), accepted(received(b"<z/>"))
    object.__setattr__(broken.identified.parsed.received, "filename", object())  # sqlite3 cannot store it
    outcomes = record(database, good, broken, good_too)
    assert isinstance(outcomes[0], Recorded)
    assert isinstance(outcomes[1], Deferred)
    assert isinstance(outcomes[2], Recorded)
    assert count(database, "messages") == 2


def test_store_that_is_locked_says_so_and_promises_nothing(database: Database, tmp_path: object) -> None:
    other = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    (outcome,) = record(database, accepted(received()))
    assert isinstance(outcome, Deferred)
    assert outcome.code == "record.store_unavailable"
    other.execute("ROLLBACK")
    assert count(database, "messages") == 0


def test_a_locked_store_holds_up_a_whole_batch_once_and_not_once_a_row(database: Database) -> None:
    """The event loop stands still meanwhile: 20 rows of 0.25 s each would be 5 s in which nobody is answered."""
    other = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    outcomes = record(database, *(accepted(received(b"<m n='%d'/>" % n)) for n in range(20)))
    taken = time.monotonic() - begun
    other.execute("ROLLBACK")
    assert [o.code for o in outcomes if isinstance(o, Deferred)] == ["record.store_unavailable"] * 20
    assert taken < 4 * LOCK_LIMIT


def test_a_commit_of_unknown_outcome_is_read_back_before_anyone_is_answered(database: Database) -> None:
    """The disk reports an error although the rows are in: who is told to try again would hear that his nonce is used."""

    class Committed(sqlite3.Cursor):
        broken = False

        def execute(self, statement: str, *parameters: object) -> Committed:  # type: ignore[override]
            done: Committed = super().execute(statement, *parameters)  # type: ignore[arg-type]
            if statement == "COMMIT" and not Committed.broken:
                Committed.broken = True
                raise sqlite3.OperationalError("disk I/O error")
            return done

    calls = [received(b"<m n='%d'/>" % n, nonce=f"n{n}") for n in range(3)]

    async def together() -> list[Recorded | BaseException]:
        keeper = committer(database)
        plain = keeper._cursor
        keeper._cursor = lambda: plain().connection.cursor(Committed)  # type: ignore[method-assign]
        return await asyncio.gather(*(keeper.record(accepted(call)) for call in calls), return_exceptions=True)

    assert asyncio.run(together()) == [Recorded(call.sys_ref) for call in calls]
    assert count(database, "messages") == 3


def test_one_alone_is_read_back_too(database: Database) -> None:
    call = received(b"<x/>")
    keeper = committer(database)
    real = keeper._transaction

    def committed(batch: Sequence[object]) -> object:
        real(batch)  # type: ignore[arg-type]
        raise sqlite3.OperationalError("disk I/O error")

    keeper._transaction = committed  # type: ignore[method-assign, assignment]
    assert asyncio.run(keeper.record(accepted(call))) == Recorded(call.sys_ref)


def test_past_the_bound_of_waiting_messages_the_door_is_told(database: Database) -> None:
    async def together() -> list[Recorded | BaseException]:
        keeper = committer(database, bound=2)
        return await asyncio.gather(*(keeper.record(accepted(received(b"<%d/>" % n))) for n in range(3)), return_exceptions=True)

    outcomes = asyncio.run(together())
    assert [type(o) for o in outcomes[:2]] == [Recorded, Recorded]
    assert isinstance(outcomes[2], Deferred)
    assert outcomes[2].code == "receive.busy"


def test_what_waits_together_is_one_commit(database: Database) -> None:
    commits: list[str] = []

    async def together() -> None:
        keeper = committer(database)
        keeper._cursor().connection.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
        await asyncio.gather(*(keeper.record(accepted(received(b"<m n='%d'/>" % n))) for n in range(16)))

    asyncio.run(together())
    assert len(commits) == 1
    assert count(database, "messages") == 16


@pytest.mark.parametrize("number", [65, 130])
def test_more_than_a_batch_is_all_committed(database: Database, number: int) -> None:
    async def together() -> list[Recorded]:
        keeper = SqliteCommitter(database, FixedProfiles(), lambda: AT, bound=1000, token_window=300)
        return await asyncio.gather(*(keeper.record(accepted(received(b"<m n='%d'/>" % n))) for n in range(number)))

    assert len({recorded.sys_ref for recorded in asyncio.run(together())}) == number


def test_deadline_comes_from_the_profile(database: Database) -> None:
    record(database, accepted(received()))
    with database.reading() as connection:
        due, deadline = connection.execute(text("SELECT due_at, deadline_at FROM deliveries")).one()
    assert deadline - due == 10_000_000
    assert datetime.fromtimestamp(due / 1e6, AT.tzinfo) == AT
