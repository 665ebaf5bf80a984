"""Issue sentence: nothing accepted is ever lost. Real processes are killed at work, and the books must balance afterwards.

The ledger is kept here, outside the gateway: what each client sent, which sysRef it saw; effects are counted at the authority.
"""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, IncompleteRead

import pytest

from tests.acceptance.caller import SOAP_PATH, XML, Caller, Reply
from tests.acceptance.estate import Estate, until

pytestmark = pytest.mark.timeout(150)  # they wait for hundreds of deliveries, on a machine that may be busy
CLIENTS = 8


@dataclass
class Ledger:
    """What clients sent (LRN -> bytes), what they saw (LRN -> sysRef), and the answers that were cut off half-way."""

    sent: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    halves: list[str] = field(default_factory=list)

    def submit(self, trader: Caller, connection: HTTPConnection, lrn: str) -> None:
        """One call; sets down what the client could know of it. Raises OSError or HTTPException when the server is gone."""
        try:
            connection.request("POST", SOAP_PATH, trader.submission(self.sent[lrn]), XML)
            response = connection.getresponse()
            body = response.read()
            if response.headers["retry-after"]:  # the store was busy for a moment: he comes again
                time.sleep(0.3)
                return self.submit(trader, connection, lrn)
        except IncompleteRead:
            self.halves.append(lrn)
            raise
        self.seen[lrn] = Reply(response.status, {}, body).sys_ref
        return None


def drive(estate: Estate, ledger: Ledger, lrns: list[str]) -> list[threading.Thread]:
    """`CLIENTS` clients submit these declarations, each over its connection, until done or the server is gone."""
    traders = [Caller(estate, f"trader{n:02}") for n in range(CLIENTS)]
    for place, lrn in enumerate(lrns):
        ledger.sent[lrn] = traders[place % CLIENTS].declare(lrn, f"M-{lrn}")

    def client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", estate.port, timeout=30)
        try:
            for lrn in lrns[number::CLIENTS]:
                ledger.submit(traders[number], connection, lrn)
        except (OSError, HTTPException):
            return
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def effects_by_lrn(estate: Estate) -> Counter[str]:
    return Counter(str(effect["lrn"]) for effect in estate.control("log")["effects"])


def all_ended(estate: Estate) -> bool:
    return estate.rows("SELECT count(*) FROM deliveries WHERE state <> 'delivered'") == [(0,)]


def test_sigkill_of_the_server_under_load_loses_nothing_that_a_client_saw(own: Callable[..., Estate]) -> None:
    estate = own().start(speed=50)
    ledger = Ledger()
    lrns = [f"KILL-{n}" for n in range(200)]
    threads = drive(estate, ledger, lrns)
    until(lambda: len(ledger.seen) >= 60, what="sixty submissions")
    estate.kill("serve")
    for thread in threads:
        thread.join(30)
    seen = dict(ledger.seen)
    assert 60 <= len(seen) < 200, "it was killed while submissions were under way"
    for lrn, sys_ref in seen.items():
        assert estate.stored(sys_ref) == ledger.sent[lrn], "in the store although the server is dead"
    estate.start_server()
    traders = [Caller(estate, f"trader{n:02}") for n in range(CLIENTS)]
    for place, lrn in enumerate(lrns):  # who saw no sysRef sends again, as he should; who saw one may do so too
        again = traders[place % CLIENTS].submit(ledger.sent[lrn])
        assert seen.get(lrn, again) == again
        ledger.seen[lrn] = again
    until(lambda: estate.delivered(ledger.seen.values()), 40, "the delivery of everything accepted")
    assert all_ended(estate)
    assert effects_by_lrn(estate) == dict.fromkeys(lrns, 1)
    digests = {effect["request_id"]: effect["sha256"] for effect in estate.control("log")["effects"]}
    assert digests == {ledger.seen[lrn]: hashlib.sha256(ledger.sent[lrn]).hexdigest() for lrn in lrns}
    assert estate.rows("SELECT count(*) FROM messages") == [(200,)]
    until(lambda: estate.rows("SELECT count(*) FROM mailbox")[0][0] >= 800, 60, "all answers")
    receipts = estate.rows("SELECT kind, count(*), count(DISTINCT message) FROM mailbox GROUP BY kind ORDER BY kind")
    assert receipts == [(kind, 200, 200) for kind in ("CC028C", "CC029C", "CC928C", "UPP")]


def test_sigkill_of_the_worker_amid_deliveries_means_one_effect_each(own: Callable[..., Estate]) -> None:
    estate = own(claim_seconds=1.5).start(speed=4)
    ledger = Ledger()
    lrns = [f"SLOW-{n}" for n in range(40)]  # taken at once, but the call is answered only after half a second
    for thread in drive(estate, ledger, lrns):
        thread.join(30)
    until(lambda: len(effects_by_lrn(estate)) >= 5, what="effects at the authority")
    estate.kill("worker")
    interrupted = estate.rows("SELECT count(*) FROM deliveries WHERE state = 'claimed'")[0][0]
    assert interrupted > 0, "it was killed in the middle of deliveries"
    estate.start_worker()
    until(lambda: all_ended(estate), 40, "the delivery of everything")
    assert effects_by_lrn(estate) == dict.fromkeys(lrns, 1)
    arrivals = estate.control("log")["arrivals"]
    assert Counter(entry["outcome"] for entry in arrivals)["taken"] == len(lrns)
    assert {entry["outcome"] for entry in arrivals} == {"taken", "duplicate"}, "at least once on the wire, once in effect"
    assert {(e["request_id"], e["sha256"]) for e in arrivals} == {
        (ledger.seen[lrn], hashlib.sha256(ledger.sent[lrn]).hexdigest()) for lrn in lrns
    }
    assert estate.brama_json("dead-letters", "list") == []


def test_a_sleeping_worker_that_wakes_after_its_lease_changes_nothing(own: Callable[..., Estate]) -> None:
    estate = own(claim_seconds=1).start(speed=4)
    trader = Caller(estate, "trader00")
    sys_ref = trader.submit(trader.declare("SLOW-SLEEPER"))
    until(lambda: estate.at_authority("effects", sys_ref), what="the effect")
    sleeper = estate.started.pop("worker")
    sleeper.send_signal(signal.SIGSTOP)
    estate.start_worker()
    until(lambda: estate.delivered([sys_ref]), what="the delivery by the other worker")
    before = estate.brama_json("messages", "show", sys_ref)["timeline"]
    sleeper.send_signal(signal.SIGCONT)
    until(lambda: "lease_lost" in estate.log("worker"), what="the sleeper's waking")
    sleeper.terminate()
    assert sleeper.wait(15) == 0
    after = estate.brama_json("messages", "show", sys_ref)["timeline"]
    assert [e for e in after if e["event"] == "deliver"] == [e for e in before if e["event"] == "deliver"]
    assert effects_by_lrn(estate) == {"SLOW-SLEEPER": 1}


def test_sigterm_lets_every_call_end(own: Callable[..., Estate]) -> None:
    estate = own().start(speed=50)
    estate.kill("worker")
    slow = Caller(estate, "idle")
    call = slow.submission(slow.declare("DRAIN-SLOW"))
    half = socket.create_connection(("127.0.0.1", estate.port))
    half.sendall(f"POST {SOAP_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(call)}\r\n\r\n".encode())
    half.sendall(call[:1000])
    ledger = Ledger()
    threads = drive(estate, ledger, [f"DRAIN-{n}" for n in range(400)])
    until(lambda: len(ledger.seen) >= 40, what="forty submissions")
    server = estate.started.pop("serve")
    server.terminate()
    time.sleep(0.3)
    half.sendall(call[1000:])
    half.settimeout(15)
    answered = b"".join(iter(lambda: half.recv(65536), b""))
    assert b"200 OK" in answered
    assert b"<sysRef>" in answered, "a call that had begun is taken to its end"
    for thread in threads:
        thread.join(30)
    assert server.wait(15) == 0
    assert ledger.halves == []
    assert 40 <= len(ledger.seen) < 400
    stored = {row[0] for row in estate.rows("SELECT sys_ref FROM messages WHERE lrn LIKE 'DRAIN-%' AND lrn <> 'DRAIN-SLOW'")}
    assert stored == set(ledger.seen.values()), "nobody was cut off after his message had been taken"


def test_sigterm_lets_the_worker_finish_what_it_claimed(own: Callable[..., Estate]) -> None:
    estate = own().start(speed=4)
    trader = Caller(estate, "trader00")
    sys_refs = [trader.submit(trader.declare(f"SLOW-DRAIN-{n}")) for n in range(4)]
    until(lambda: len(effects_by_lrn(estate)) == 4, what="the effects")
    worker = estate.started.pop("worker")
    worker.terminate()
    assert worker.wait(15) == 0
    assert estate.delivered(sys_refs)
    assert {e["outcome"] for e in estate.control("log")["arrivals"]} == {"taken"}


def test_sigkill_of_the_server_amid_polls_loses_no_document(own: Callable[..., Estate]) -> None:
    """Four pollers share one mailbox. What a client did not get whole comes again after the claim; what he got does not."""
    estate = own(claim_seconds=1).start(speed=50)
    trader = Caller(estate, "trader00")
    for number in range(20):
        trader.submit(trader.declare(f"POLL-{number}"))
    until(lambda: estate.rows("SELECT count(*) FROM mailbox") == [(80,)], what="all answers")
    waiting = {content for (content,) in estate.rows("SELECT content FROM mailbox")}
    assert len(waiting) == 80
    got: list[bytes] = []

    def poller() -> None:
        try:
            while (mail := trader.poll()) is not None:
                got.append(mail.content)
        except (OSError, HTTPException):
            return

    threads = [threading.Thread(target=poller) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(got) >= 20, what="twenty documents")
    estate.kill("serve")
    for thread in threads:
        thread.join(30)
    before = list(got)
    assert len(before) < 80, "it was killed in the middle"
    assert len(set(before)) == len(before), "no document was given to two pollers"
    estate.start_server()

    def drained() -> bool:
        got.extend(mail.content for mail in trader.drain())
        return estate.rows("SELECT count(*) FROM collections WHERE collected_at IS NULL") == [(0,)]

    until(drained, what="the rest")
    assert set(got) == waiting
    assert len(got) - len(waiting) <= 4, "at most what was on its way to one of the four"
