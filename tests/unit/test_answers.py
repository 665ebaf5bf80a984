"""Answers find their message once, move the flow as the profile allows, and otherwise wait for a person."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from adapters.ncts.samples import cc928c
from gateway.channels.answers import AnswerDesk
from gateway.channels.committer import SqliteCommitter
from gateway.channels.queue import DatabaseChannel
from gateway.channels.tables import dead_letters, deliveries
from gateway.cli import main
from gateway.database import Database
from gateway.errors import Deferred, Failed
from gateway.message import Answer, BusinessKeys
from gateway.storage.tables import mailbox, messages
from tests.walk import AT, FixedProfiles, accepted, received

REQUEST = BusinessKeys(message_id="MSG1", sender="PL1", lrn="LRN1")


@pytest.fixture
def desk(database: Database) -> AnswerDesk:
    return AnswerDesk(database, FixedProfiles())


def put(database: Database, keys: BusinessKeys = REQUEST, content: bytes = b"<a/>", account: int = 1) -> str:
    call = received(content, account=account)

    async def one() -> None:
        await SqliteCommitter(database, FixedProfiles(), lambda: AT, bound=100, token_window=300).record(accepted(call, keys=keys))

    asyncio.run(one())
    return call.sys_ref


def answer(
    root: str = "CC928C", state: str | None = "acknowledged", system: str = "NCTS2", content: bytes = b"<x/>", **keys: str
) -> Answer:
    known = {"message_id": "A1", "correlation_id": "MSG1", "recipient": "PL1"} | keys
    return Answer(system, "{http://ncts.dgtaxud.ec}" + root, content, BusinessKeys(**{k: v for k, v in known.items() if v}), state)


def flow(database: Database) -> str | None:
    with database.reading() as connection:
        return connection.execute(select(deliveries.c.flow_state)).scalar_one()


def test_by_correlation_into_the_senders_mailbox(database: Database, desk: AnswerDesk) -> None:
    sys_ref = put(database)
    assert desk.attach(answer(), AT).sys_ref == sys_ref
    with database.reading() as connection:
        rows = connection.execute(select(mailbox.c.kind, mailbox.c.filename, mailbox.c.account_id).order_by(mailbox.c.id)).all()
    assert [tuple(r) for r in rows] == [("UPP", "UPP.xml", 1), ("CC928C", "CC928C_A1.xml", 1)]
    assert flow(database) == "acknowledged"


def test_the_same_answer_twice_is_attached_once(database: Database, desk: AnswerDesk) -> None:
    put(database)
    assert desk.attach(answer(), AT).repeat is False
    assert desk.attach(answer(), AT).repeat is True
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM mailbox")).scalar_one() == 2


def test_without_correlation_by_lrn_then_by_the_mrn_learned_from_an_answer(database: Database, desk: AnswerDesk) -> None:
    sys_ref = put(database)
    assert (
        desk.attach(answer("CC028C", "mrn_allocated", correlation_id="", lrn="LRN1", mrn="26PL0", content=b"<1/>"), AT).sys_ref == sys_ref
    )
    assert desk.attach(answer("CC029C", "released", correlation_id="", lrn="", mrn="26PL0", content=b"<2/>"), AT).sys_ref == sys_ref


@pytest.mark.parametrize(
    "keys", [{"correlation_id": "MSG2"}, {"recipient": "PL2"}, {"correlation_id": "", "lrn": "LRN1", "recipient": "PL2"}, {"recipient": ""}]
)
def test_never_to_another_sender(database: Database, desk: AnswerDesk, keys: dict[str, str]) -> None:
    put(database)
    with pytest.raises(Failed) as failure:
        desk.attach(answer(**keys), AT)
    assert failure.value.code == "reply.unknown_correlation"
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM mailbox")).scalar_one() == 1


def test_an_answer_sent_again_stays_with_the_message_that_has_it(database: Database, desk: AnswerDesk) -> None:
    """A later message with the same LRN must not get a second copy of what the trader has already."""
    first = put(database)
    late = {"root": "CC928C", "correlation_id": "", "lrn": "LRN1"}
    assert desk.attach(answer(**late), AT).sys_ref == first
    put(database, replace(REQUEST, message_id="MSG2"), b"<b/>")
    again = desk.attach(answer(**late), AT)
    assert (again.sys_ref, again.repeat) == (first, True)


@pytest.mark.parametrize("key", [{"lrn": "LRN1"}, {"mrn": "26PL0"}])
def test_who_writes_anothers_name_and_reference_does_not_get_his_answers(database: Database, desk: AnswerDesk, key: dict[str, str]) -> None:
    put(database, replace(REQUEST, party="VICTIM", mrn="26PL0"))
    with database.writing() as connection:  # as if the door had let it in
        connection.execute(messages.update().values(system="OTHER"))
    put(database, BusinessKeys(message_id="MSG2", sender="PL1", lrn="LRN1", mrn="26PL0", party="THIEF"), b"<b/>", account=2)
    with database.writing() as connection:
        connection.execute(messages.update().values(system="NCTS2"))
    with pytest.raises(Failed) as failure:
        desk.attach(answer(correlation_id="", **key), AT)
    assert failure.value.code == "reply.ambiguous"
    with database.reading() as connection:
        assert connection.execute(select(mailbox.c.kind)).scalars().all() == ["UPP", "UPP"]


def test_two_accounts_of_one_party_share_a_reference(database: Database, desk: AnswerDesk) -> None:
    put(database, replace(REQUEST, party="P"))
    second = put(database, replace(REQUEST, message_id="MSG2", party="P"), b"<b/>", account=2)
    assert desk.attach(answer(correlation_id="", lrn="LRN1"), AT).sys_ref == second


def test_the_mrn_finds_our_message_although_another_system_has_the_same_lrn(database: Database, desk: AnswerDesk) -> None:
    put(database)
    with database.writing() as connection:
        connection.execute(messages.update().values(system="AES"))
    ours = put(database, BusinessKeys(message_id="MSG2", sender="PL1", mrn="26PL0"), b"<b/>")
    assert desk.attach(answer(correlation_id="", lrn="LRN1", mrn="26PL0"), AT).sys_ref == ours


def test_another_systems_message_is_named_and_not_given(database: Database, desk: AnswerDesk) -> None:
    put(database)
    with pytest.raises(Failed) as failure:
        desk.attach(answer(system="AES"), AT)
    assert failure.value.code == "reply.other_system"
    assert "NCTS2" in failure.value.text("en")


def test_an_answer_out_of_order_is_given_but_leaves_the_state(database: Database, desk: AnswerDesk) -> None:
    put(database)
    desk.attach(answer("CC029C", "released", content=b"<1/>"), AT)
    assert flow(database) is None
    desk.attach(answer("CC928C", "acknowledged", content=b"<2/>"), AT)
    assert flow(database) == "acknowledged"


def test_an_answer_proves_that_a_delivery_in_doubt_arrived(database: Database, desk: AnswerDesk) -> None:
    put(database)
    channel = DatabaseChannel(database, claim_seconds=60)
    (job,) = channel.claim(1, AT)
    channel.later(job, Deferred("deliver.in_doubt", system="NCTS2", detail="reset"), FixedProfiles().retry, AT, ())
    desk.attach(answer(), AT)
    with database.reading() as connection:
        assert connection.execute(select(deliveries.c.state)).scalar_one() == "delivered"


def test_a_refused_message_gets_no_answer(database: Database, desk: AnswerDesk) -> None:
    put(database)
    with database.writing() as connection:
        connection.execute(messages.update().values(state="refused"))
    with pytest.raises(Failed):
        desk.attach(answer(), AT)


def test_what_nobody_can_be_given_is_kept_with_its_bytes(database: Database, desk: AnswerDesk) -> None:
    desk.keep("NCTS2", b"\x00garbage", Failed("reply.garbage", system="NCTS2", detail="not XML"), AT)
    with database.reading() as connection:
        row = connection.execute(select(dead_letters)).one()
    assert (row.kind, row.code, row.content, row.closed_at) == ("answer", "reply.garbage", b"\x00garbage", None)


def test_an_answer_to_a_dead_delivery_mends_it_and_closes_the_letter(database: Database, desk: AnswerDesk) -> None:
    put(database)
    channel = DatabaseChannel(database, claim_seconds=60)
    (job,) = channel.claim(1, AT)
    channel.dead(job, Deferred("deliver.in_doubt", system="NCTS2", detail="reset"), AT, ())
    desk.attach(answer(), AT)
    with database.reading() as connection:
        assert connection.execute(select(deliveries.c.state)).scalar_one() == "delivered"
        assert connection.execute(select(dead_letters.c.closed_as)).scalar_one() == "answered"


def test_an_identifier_never_becomes_a_path_in_the_file_name(database: Database, desk: AnswerDesk) -> None:
    put(database)
    desk.attach(answer(message_id="../../etc/x\r\nBcc: y"), AT)
    with database.reading() as connection:
        assert (
            connection.execute(select(mailbox.c.filename).where(mailbox.c.kind == "CC928C")).scalar_one()
            == "CC928C_..-..-etc-x--Bcc--y.xml"
        )


def test_a_dead_answer_is_matched_again_on_retry(database: Database, desk: AnswerDesk, tmp_path: Path) -> None:
    content = cc928c(lrn="LRN1", message_id="A1", correlation_id="MSG1", recipient="PL1")
    desk.keep("NCTS2", content, Failed("reply.unknown_correlation", system="NCTS2", root="CC928C", correlation="MSG1"), AT)
    with database.reading() as connection:
        assert connection.execute(select(dead_letters.c.closed_at)).scalar_one() is None
    environment = {"BRAMA_DATABASE_URL": str(database.engine.url), "BRAMA_HOME": str(tmp_path)}
    too_early = CliRunner().invoke(main, ["dead-letters", "retry", "1", "--json"], env=environment)
    assert (too_early.exit_code, json.loads(too_early.stdout)) == (1, {"retried": [], "left": [1]})
    put(database)
    done = CliRunner().invoke(main, ["dead-letters", "retry", "--all", "--json"], env=environment)
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"retried": [1], "left": []})
    with database.reading() as connection:
        assert connection.execute(select(mailbox.c.content).where(mailbox.c.kind == "CC928C")).scalar_one() == content
