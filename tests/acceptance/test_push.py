"""Issue 3, WS_PUSH: documents reach the trader's own endpoint, never lost, never doubled in effect, never where they must not."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.people import AGENCY, IMPORTER
from tests.acceptance.caller import Caller
from tests.acceptance.endpoint import SECRET, Endpoint, endpoint, register
from tests.acceptance.estate import Estate, until

pytestmark = pytest.mark.timeout(120)
BLOCKED = "SELECT count(*) FROM push_endpoints JOIN accounts USING (account_id) WHERE accounts.login = ? AND blocked_at IS NOT NULL"
FLOW = ["UPP", "CC928C", "CC028C", "CC029C"]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Estate]:
    """One set-up for the tests that leave its processes alone or bring them back."""
    settings = {"push_allow": "127.0.0.0/8", "push_seconds": 2, "push_delays": "0.2 0.4", "push_block_after": 5}
    made = Estate(tmp_path_factory.mktemp("push") / "house", template=template, **settings)
    try:
        yield made.start(speed=50)
    finally:
        made.stop()


@pytest.fixture
def receiver() -> Iterator[Endpoint]:
    with endpoint() as made:
        yield made


NAMES = (f"trader{n:02}" for n in range(8))


@pytest.fixture
def caller(estate: Estate) -> Caller:
    """A trader whom no other test of this module has used."""
    return Caller(estate, next(NAMES))


def connect(caller: Caller, receiver: Endpoint, *options: str) -> None:
    done = register(caller.estate, caller.login, receiver.url, *options)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr


def listed(estate: Estate, login: str) -> dict[str, Any]:
    done = estate.brama("push", "list", "--json")
    (row,) = (row for row in json.loads(done.stdout) if row["account"] == login)
    assert done.returncode == (1 if any(r["state"] == "blocked" for r in json.loads(done.stdout)) else 0)
    return dict(row)


def pushed(caller: Caller, state: str = "done") -> int:
    """How many documents of the account are in this state, straight from the books."""
    query = "SELECT count(*) FROM pushes JOIN accounts USING (account_id) WHERE login = ? AND state = ?"
    return int(caller.estate.rows(query, caller.login, state)[0][0])


def mailbox(caller: Caller) -> dict[str, tuple[str, str]]:
    """Document id -> file name and SHA-256, of everything that was ever put there, in order."""
    query = "SELECT m.document_id, m.filename, m.content FROM mailbox m JOIN accounts a USING (account_id) WHERE a.login = ? ORDER BY m.id"
    return {row[0]: (row[1], hashlib.sha256(row[2]).hexdigest()) for row in caller.estate.rows(query, caller.login)}


def effects(receiver: Endpoint) -> dict[str, tuple[str, str]]:
    return {effect["dispatch_id"]: (effect["filename"], effect["sha256"]) for effect in receiver.effects}


@pytest.mark.parametrize("digest", ["a", "b"])
def test_every_document_of_the_flow_is_pushed_in_order_and_then_collected(
    estate: Estate, caller: Caller, receiver: Endpoint, digest: str
) -> None:
    connect(caller, receiver, "--digest", digest)
    sys_ref = caller.submit(caller.declare(f"PUSH-FLOW-{digest}"))
    until(lambda: len(receiver.effects) == 4, what="four documents at the endpoint")
    assert effects(receiver) == mailbox(caller)
    assert [name.partition(".")[0].partition("_")[0] for name, _ in effects(receiver).values()] == FLOW
    assert {a["system"] for a in receiver.arrivals} == {"PODMIOT"}
    grades = {(a["personSISC"], a["middleSISC"], a["endSISC"]) for a in receiver.arrivals}
    assert grades == {(caller.name.upper().ljust(17, "0"), AGENCY.id_sisc, IMPORTER.id_sisc)}
    assert SECRET not in estate.log("worker")
    assert [a["message_id"] for a in receiver.arrivals] == [f"urn:uuid:{a['dispatch_id']}" for a in receiver.arrivals]
    assert receiver.log()["most_at_once"] == 1
    until(lambda: pushed(caller) == 4, what="the books")
    assert caller.poll() is None
    events = [e for e in estate.brama_json("messages", "show", sys_ref)["timeline"] if e["event"] == "push"]
    assert [e["outcome"] for e in events] == ["ok"] * 4
    assert [e["detail"].rpartition(" ")[2] for e in events] == [e["sys_ref"] for e in receiver.effects]


def test_an_endpoint_that_is_down_gets_its_documents_when_it_is_up_again(estate: Estate, caller: Caller, receiver: Endpoint) -> None:
    connect(caller, receiver)
    for mode in ("down", "lost", "garbage"):
        receiver.next(mode)
    caller.submit(caller.declare("PUSH-OUTAGE"))
    until(lambda: len(receiver.effects) == 4 and pushed(caller) == 4, what="all of them")
    assert effects(receiver) == mailbox(caller)
    assert len(receiver.arrivals) == 7
    assert listed(estate, caller.login)["failures"] == 0


def test_a_lost_answer_means_the_same_document_again_and_one_effect(estate: Estate, caller: Caller, receiver: Endpoint) -> None:
    connect(caller, receiver)
    receiver.next("lost")
    caller.submit(caller.declare("PUSH-TWICE"))
    until(lambda: pushed(caller) == 4, what="all of them")
    first = receiver.arrivals[0]
    again = [a for a in receiver.arrivals if a["dispatch_id"] == first["dispatch_id"]]
    assert len(again) == 2
    assert {(a["message_id"], a["sha256"], a["filename"]) for a in again} == {(first["message_id"], first["sha256"], "UPP.xml")}
    assert len(receiver.effects) == 4
    (kept,) = estate.rows(
        "SELECT p.sys_ref FROM pushes p JOIN mailbox m ON m.id = p.document WHERE m.document_id = ?", first["dispatch_id"]
    )
    assert kept[0] == next(e["sys_ref"] for e in receiver.effects if e["dispatch_id"] == first["dispatch_id"])


def test_what_the_endpoint_refuses_waits_in_the_mailbox(estate: Estate, caller: Caller, receiver: Endpoint) -> None:
    connect(caller, receiver)
    receiver.next("business")
    caller.submit(caller.declare("PUSH-NO"))
    until(lambda: len(receiver.effects) == 3, what="the others")
    until(lambda: pushed(caller) == 3, what="the books")
    state = listed(estate, caller.login)
    assert (state["given_up"], state["state"], state["last_code"]) == (1, "open", "push.refused")
    assert "B001" in state["last_error"]
    assert [mail.kind for mail in caller.drain()] == ["UPP"]


def test_a_hanging_endpoint_does_not_hold_up_another(estate: Estate, receiver: Endpoint) -> None:
    slow, quick = Caller(estate, next(NAMES)), Caller(estate, next(NAMES))
    with endpoint() as hanging:
        hanging.mode("hang")
        connect(slow, hanging)
        connect(quick, receiver)
        slow.submit(slow.declare("PUSH-HANG"))
        until(lambda: hanging.arrivals, what="the hanging call")
        quick.submit(quick.declare("PUSH-QUICK"))
        until(lambda: receiver.effects, 1.5, "a document at the other endpoint while the first one hangs")
        until(lambda: len(receiver.effects) == 4, what="all of them")
        assert pushed(slow) == 0
        assert estate.brama("push", "remove", slow.login).returncode == 0


def test_a_blocked_endpoint_is_seen_left_alone_and_unblocked(estate: Estate, caller: Caller, receiver: Endpoint) -> None:
    connect(caller, receiver)
    receiver.mode("missing")
    caller.submit(caller.declare("PUSH-BLOCK"))
    until(lambda: estate.rows(BLOCKED, caller.login) == [(1,)], what="the block")
    state = listed(estate, caller.login)
    assert (state["failures"], state["last_code"], state["done"]) == (5, "push.misconfigured", 0)
    assert "HTTP 404" in state["last_error"]
    with urllib.request.urlopen(f"{estate.url}/metrics", timeout=10) as reply:
        told = reply.read().decode()
    assert re.search(r'brama_push_endpoints\{state="blocked"\} [1-9]', told)
    assert 'brama_pushes{state="due"}' in told
    assert "push_endpoint_blocked" in estate.log("worker")
    receiver.mode("ok")
    before = len(receiver.arrivals)
    time.sleep(1)
    assert len(receiver.arrivals) == before == 5, "left alone"
    until(lambda: len(mailbox(caller)) == 4, what="the rest of the flow")
    polled = caller.poll()
    assert polled is not None, "they can be polled meanwhile"
    unblocked = estate.brama("push", "unblock", caller.login)
    assert unblocked.returncode == 0, unblocked.stderr
    until(lambda: len(receiver.effects) == 3, what="the documents that waited")
    assert listed(estate, caller.login)["state"] == "open"
    assert {name for name, _ in effects(receiver).values()} == {name for name, _ in mailbox(caller).values()} - {polled.filename}


def test_a_poll_and_a_push_never_share_a_document(own: Callable[..., Estate], receiver: Endpoint) -> None:
    """A slow endpoint and two quick pollers work on one mailbox at the same time."""
    estate = own(push_allow="127.0.0.0/8").start(speed=50)
    caller = Caller(estate, "trader00")
    connect(caller, receiver)
    receiver.mode("slow")
    polled: list[str] = []
    stop = threading.Event()

    def keep_polling() -> None:
        mine = Caller(estate, "trader00")
        while not stop.is_set():
            if (mail := mine.poll()) is not None:
                polled.append(hashlib.sha256(mail.content).hexdigest())
            time.sleep(0.15)

    threads = [threading.Thread(target=keep_polling) for _ in range(2)]
    for number in range(6):
        caller.submit(caller.declare(f"PUSH-SHARE-{number}"))
    for thread in threads:
        thread.start()
    waiting = "SELECT count(*) FROM collections WHERE collected_at IS NULL"
    until(lambda: len(mailbox(caller)) == 24 and estate.rows(waiting) == [(0,)], 40, "all documents")
    stop.set()
    for thread in threads:
        thread.join(10)
    pushed = [digest for _, digest in effects(receiver).values()]
    assert pushed
    assert polled
    assert sorted(polled + pushed) == sorted(digest for _, digest in mailbox(caller).values()), "each exactly once, by one way"


def test_a_worker_killed_between_sending_and_writing_it_down_has_one_effect(own: Callable[..., Estate], receiver: Endpoint) -> None:
    estate = own(push_allow="127.0.0.0/8", push_seconds=1.5).start(speed=50)
    caller = Caller(estate, "trader00")
    connect(caller, receiver)
    receiver.next("slow")  # takes the document and answers a second later
    caller.submit(caller.declare("PUSH-KILL"))
    until(lambda: receiver.effects, what="the effect")
    estate.kill("worker")
    assert estate.rows("SELECT state, attempts, sys_ref FROM pushes ORDER BY document LIMIT 1") == [("due", 1, None)]
    polled = [mail.filename for mail in caller.drain()]
    assert "UPP.xml" not in polled, "claimed: nobody is handed what may have arrived"
    estate.start_worker()
    until(lambda: len(receiver.effects) + len(polled) == 4, what="all of them")
    until(lambda: estate.rows("SELECT count(*) FROM collections WHERE collected_at IS NULL") == [(0,)], what="the books")
    first, *_ = arrivals = receiver.arrivals
    repeats = [a for a in arrivals if a["dispatch_id"] == first["dispatch_id"]]
    assert len(repeats) == 2
    assert len({(a["message_id"], a["sha256"]) for a in repeats}) == 1
    assert effects(receiver) == {key: value for key, value in mailbox(caller).items() if value[0] not in polled}


def test_documents_an_endpoint_never_takes_end_in_the_mailbox(own: Callable[..., Estate], receiver: Endpoint) -> None:
    estate = own(push_allow="127.0.0.0/8", push_delays="0.3", push_deadline=1).start(speed=50)
    caller = Caller(estate, "trader00")
    connect(caller, receiver)
    receiver.mode("down")
    caller.submit(caller.declare("PUSH-GIVEN-UP"))
    until(lambda: pushed(caller, "given_up") == 4, what="giving up")
    assert [mail.kind for mail in caller.drain()] == FLOW
    receiver.mode("ok")
    caller.submit(caller.declare("PUSH-AFTER"))
    until(lambda: len(receiver.effects) == 4, what="the next documents, for which it is up again")
    assert len(mailbox(caller)) == 8


def test_what_the_trader_may_not_read_any_more_is_not_pushed_to_him(own: Callable[..., Estate], receiver: Endpoint) -> None:
    estate = own(push_allow="127.0.0.0/8").start(speed=50)
    caller = Caller(estate, "trader00")
    connect(caller, receiver)
    receiver.next("down")  # the next attempt is five seconds later
    caller.submit(caller.declare("PUSH-RIGHTS"))
    until(lambda: receiver.arrivals and len(mailbox(caller)) == 4, what="the first attempt, and all documents")
    shown = estate.brama_json("registry", "show", caller.login)
    link = next(r["representation_id"] for r in shown["representations"] if r["principal_idSISC"] == AGENCY.id_sisc)
    assert estate.brama("registry", "end-representation", str(link)).returncode == 0
    held_back = "SELECT count(*) FROM pushes WHERE state = 'due' AND code = 'read.no_permission'"
    until(lambda: estate.rows(held_back) == [(4,)], what="holding them back")
    assert receiver.effects == []
    assert caller.poll() is None


def test_a_private_address_is_refused_with_the_reason_and_never_called(own: Callable[..., Estate], receiver: Endpoint) -> None:
    estate = own().start(speed=50)
    caller = Caller(estate, "trader00")
    connect(caller, receiver)
    caller.submit(caller.declare("PUSH-PRIVATE"))
    until(lambda: estate.rows(BLOCKED, caller.login) == [(1,)], what="the block")
    state = listed(estate, caller.login)
    assert (state["last_code"], state["failures"]) == ("push.address", 1)
    assert "127.0.0.1 (loopback)" in state["last_error"]
    assert "BRAMA_PUSH_ALLOW" in state["last_error"]
    looked = estate.brama("push", "test", caller.login, "--json")
    assert looked.returncode == 1
    assert json.loads(looked.stdout)["code"] == "push.address"
    assert receiver.log()["arrivals"] == []
    caller.collect("CC029C")
