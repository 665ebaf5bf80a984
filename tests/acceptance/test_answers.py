"""Issue sentence: answers only from the authenticated authority, put into the sender's mailbox, whatever the authority does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from adapters.ncts import samples
from adapters.proof import Secrets, sign_answer, sign_request
from gateway.demo.people import AGENCY, IMPORTER
from tests.acceptance.caller import Caller, Reply, post
from tests.acceptance.estate import Estate, until

ANSWERS = "/systems/NCTS2/answers"


def release(lrn: str, correlation_id: str, message_id: str) -> bytes:
    """A release as the authority would give it."""
    return samples.cc029c(
        lrn=lrn,
        mrn=samples.mrn("PL", 4711, 2026),
        holder=IMPORTER.eori,
        message_id=message_id,
        correlation_id=correlation_id,
        sender=samples.AUTHORITY,
        recipient=AGENCY.eori,
    )


def answer(house: Estate, body: bytes, headers: dict[str, str], path: str = ANSWERS) -> Reply:
    return post(house.url, path, body, {"Content-Type": "application/xml", **headers})


def secrets_of(house: Estate) -> Secrets:
    return Secrets.read(house.home / "authority.secret")


def test_a_forged_release_changes_nothing_and_the_proven_one_does(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("FORGED-SILENT-1", "FORGED-M-1"))
    until(lambda: house.delivered([sys_ref]), what="the delivery")
    assert [mail.kind for mail in trader.drain()] == ["UPP"]
    good, wrong = secrets_of(house), Secrets((b"0" * 64,))
    body, now = release("FORGED-SILENT-1", "FORGED-M-1", "R-1"), datetime.now(UTC)
    proven = sign_answer(good, body, now)
    forgeries = {
        "no proof": (body, {}, ANSWERS),
        "a wrong secret": (body, sign_answer(wrong, body, now), ANSWERS),
        "a stale time stamp": (body, sign_answer(good, body, now - timedelta(seconds=400)), ANSWERS),
        "a time stamp from the future": (body, sign_answer(good, body, now + timedelta(seconds=400)), ANSWERS),
        "a good signature over other bytes": (body, sign_answer(good, body + b" ", now), ANSWERS),
        "another time stamp than signed": (body, {**proven, "brama-timestamp": str(int(now.timestamp()) - 1)}, ANSWERS),
        "the proof of a request": (body, sign_request(good, sys_ref, body, now), ANSWERS),
        "only the time stamp": (body, {"brama-timestamp": proven["brama-timestamp"]}, ANSWERS),
        "a system that is not connected": (body, proven, "/systems/ECS/answers"),
        "a system that does not exist": (body, proven, "/systems/../NCTS2/answers"),
    }
    letters = len(house.brama_json("dead-letters", "list"))
    told = {name: answer(house, content, headers, path) for name, (content, headers, path) in forgeries.items()}
    assert {name: reply.status for name, reply in told.items()} == dict.fromkeys(forgeries, 403)
    assert len({reply.body for name, reply in told.items() if not name.startswith("a system")}) == 1, "he learns no more"
    assert trader.drain() == []
    assert house.delivery(sys_ref) == ("delivered", "sent")
    assert len(house.brama_json("dead-letters", "list")) == letters
    # the control: the very same bytes from the authority are taken, so it was the proof alone that kept the forgeries out
    assert answer(house, body, proven).status == 202
    taken = trader.drain()
    assert [(mail.kind, mail.content) for mail in taken] == [("CC029C", body)]
    assert house.delivery(sys_ref) == ("delivered", "released")


def test_a_proven_answer_that_nobody_asked_for_is_a_dead_letter_and_given_to_nobody(house: Estate, trader: Caller) -> None:
    before = house.rows("SELECT count(*) FROM mailbox")
    body = release("NOBODYS-LRN", "NOBODYS-MESSAGE", "R-NOBODY")
    assert answer(house, body, sign_answer(secrets_of(house), body, datetime.now(UTC))).status == 202
    letters = [d for d in house.brama_json("dead-letters", "list") if "NOBODYS-MESSAGE" in d["last_error"]]
    assert [(d["kind"], d["code"]) for d in letters] == [("answer", "reply.unknown_correlation")]
    assert house.rows("SELECT content FROM dead_letters WHERE id = ?", letters[0]["id"]) == [(body,)], "with its bytes"
    assert house.rows("SELECT count(*) FROM mailbox") == before
    assert trader.drain() == []


def test_two_traders_of_one_agency_never_get_each_others_documents(house: Estate, another: Callable[[], Caller]) -> None:
    pair = [another(), another()]
    sent: dict[str, list[str]] = {trader.name: [] for trader in pair}
    for number in range(5):
        for trader in pair:  # both use the same LRN once: the message they sent decides, not the LRN alone
            lrn = "CROSS-SAME" if number == 4 else f"CROSS-{trader.name}-{number}"
            sent[trader.name].append(trader.submit(trader.declare(lrn, f"{trader.name}-{number}")))
    for trader in pair:
        taken = trader.collect("CC029C", count=5)
        assert sorted(mail.kind for mail in taken) == sorted(["UPP", "CC928C", "CC028C", "CC029C"] * 5)
        assert {i for mail in taken if mail.kind == "UPP" for i in mail.information("idDokumentuSEAP")} == set(sent[trader.name])
        answered = [etree.fromstring(mail.content).findtext("correlationIdentifier") for mail in taken if mail.kind != "UPP"]
        assert sorted(filter(None, answered)) == sorted(f"{trader.name}-{n}" for n in range(5) for _ in range(3))


def everything_given(house: Estate, sys_ref: str, count: int) -> None:
    """The authority has said all it had to say for this message."""

    def done() -> bool:
        answers = house.at_authority("answers", sys_ref)
        return len(answers) == count and all(entry["state"] == "given" for entry in answers)

    until(done, what="all answers")


def test_a_lost_reply_means_one_effect_and_delivered(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("LOST-1"))
    kinds = [mail.kind for mail in trader.collect("CC029C")]
    until(lambda: house.delivered([sys_ref]), what="the delivery")
    everything_given(house, sys_ref, 3)
    assert kinds + [mail.kind for mail in trader.drain()] == ["UPP", "CC928C", "CC028C", "CC029C"]
    arrivals = house.at_authority("arrivals", sys_ref)
    assert arrivals[0]["outcome"] == "lost"
    assert {entry["outcome"] for entry in arrivals[1:]} <= {"duplicate"}
    assert len(house.at_authority("effects", sys_ref)) == 1
    shown = house.brama_json("messages", "show", sys_ref)
    assert "deliver.in_doubt" in [entry["outcome"] for entry in shown["timeline"]]


def test_answers_that_come_twice_are_given_once(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("TWICE-1"))
    everything_given(house, sys_ref, 6)
    assert [mail.kind for mail in trader.drain()] == ["UPP", "CC928C", "CC028C", "CC029C"]
    shown = house.brama_json("messages", "show", sys_ref)
    assert [entry["event"] for entry in shown["timeline"]].count("answer") == 3


def test_answers_out_of_order_all_arrive_and_the_flow_never_goes_back(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("ORDER-1"))
    assert [mail.kind for mail in trader.collect("CC928C")] == ["UPP", "CC029C", "CC028C", "CC928C"]
    assert house.delivery(sys_ref) == ("delivered", "released")


def test_garbage_is_a_dead_letter_and_the_answers_after_it_arrive(house: Estate, trader: Caller) -> None:
    before = {d["id"] for d in house.brama_json("dead-letters", "list")}
    sys_ref = trader.submit(trader.declare("GARBAGE-1"))
    assert [mail.kind for mail in trader.collect("CC029C")] == ["UPP", "CC928C", "CC028C", "CC029C"]
    new = [d for d in house.brama_json("dead-letters", "list") if d["id"] not in before]
    assert [(d["kind"], d["code"]) for d in new] == [("answer", "reply.garbage")]
    assert house.delivery(sys_ref) == ("delivered", "released")


def test_a_refusal_of_the_target_is_a_dead_letter_at_once(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("REFUSE-1"))

    def letter() -> dict[str, object] | None:
        return next((d for d in house.brama_json("dead-letters", "list") if d["sys_ref"] == sys_ref), None)

    found = until(letter, what="the dead letter")
    assert (found["kind"], found["code"], found["attempts"]) == ("delivery", "deliver.refused", 1)
    assert re.search(r"\b14\b", str(found["last_error"])), "in the target's words"
    assert [entry["outcome"] for entry in house.at_authority("arrivals", sys_ref)] == ["refused"]
    assert house.delivery(sys_ref)[0] == "dead"


@pytest.mark.parametrize(
    ("lrn", "kinds", "flow"),
    [
        ("REJ-1", ["UPP", "CC928C", "CC056C"], "rejected"),
        ("CTL-1", ["UPP", "CC928C", "CC028C", "CC060C", "CC029C"], "released"),
    ],
)
def test_other_ends_of_a_declaration(house: Estate, trader: Caller, lrn: str, kinds: list[str], flow: str) -> None:
    sys_ref = trader.submit(trader.declare(lrn))
    assert [mail.kind for mail in trader.collect(kinds[-1])] == kinds
    assert house.delivery(sys_ref) == ("delivered", flow)


def test_a_retry_sends_the_same_bytes_under_the_same_id(house: Estate, trader: Caller) -> None:
    document = trader.declare("DOWN-SAME-1")
    sys_ref = trader.submit(document)
    until(lambda: len(house.at_authority("arrivals", sys_ref)) >= 2, what="a second attempt")
    arrivals = house.at_authority("arrivals", sys_ref)
    assert {entry["sha256"] for entry in arrivals} == {hashlib.sha256(document).hexdigest()}
    assert house.at_authority("effects", sys_ref) == []
    letter = until(lambda: next((d for d in house.brama_json("dead-letters", "list") if d["sys_ref"] == sys_ref), None))
    discarded = house.brama("dead-letters", "discard", str(letter["id"]), "--why", "sprawdzian", "--json")
    assert discarded.returncode == 0
    assert letter["id"] not in {d["id"] for d in house.brama_json("dead-letters", "list")}
    closed = next(d for d in house.brama_json("dead-letters", "list", "--all") if d["id"] == letter["id"])
    assert "sprawdzian" in str(closed), "the reason is kept"
