"""Facts, kill matrix: the database stands still. Nothing is promised, everybody hears when to come again, nothing is lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from adapters.proof import Secrets, sign_answer
from tests.acceptance.caller import Caller, post
from tests.acceptance.estate import Estate
from tests.acceptance.test_answers import ANSWERS, release
from tests.soap_requests import next_body


@contextmanager
def locked(estate: Estate) -> Iterator[None]:
    """Somebody else holds the write lock of the database."""
    connection = sqlite3.connect(estate.home / "brama.db", isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_while_the_store_is_locked_nothing_is_promised(own: Callable[..., Estate]) -> None:
    estate = own(claim_seconds=1).start()
    trader = Caller(estate, "trader00")
    sys_ref = trader.submit(trader.declare("SILENT-BUSY", "BUSY-M"))
    document, answer = trader.declare("BUSY-2"), release("SILENT-BUSY", "BUSY-M", "BUSY-R")
    proof = sign_answer(Secrets.read(estate.home / "authority.secret"), answer, datetime.now(UTC))
    with locked(estate):
        submitted = trader.send(document)
        polled = trader.post(trader.envelope(next_body(), Action="GetNextDocument"))
        answered = post(estate.url, ANSWERS, answer, proof)
        live = post(estate.url, "/health/live", b"", {}, "GET")
    for reply in (submitted, polled):
        assert reply.fault[2:4] == ("techErrorFault", "E001")
        assert reply.headers["retry-after"] == "5"
    assert (answered.status, answered.headers["retry-after"]) == (503, "1")
    assert live.status == 200
    assert [mail.kind for mail in trader.collect("UPP")] == ["UPP"]
    assert post(estate.url, ANSWERS, answer, proof).status == 202
    assert trader.submit(document) != sys_ref
    taken = trader.collect("CC029C", count=2)
    assert sorted(mail.kind for mail in taken) == ["CC028C", "CC029C", "CC029C", "CC928C", "UPP"]
    lines = [json.loads(line) for line in estate.log("serve").splitlines()]
    assert {line["event"] for line in lines} >= {"answer_not_taken", "soap.refused"}
    assert "Traceback" not in estate.log("serve")
