"""Issue sentence: an official document to the trader is held until the signed UPD comes back by AcceptDocument; PND otherwise.

Real processes: the authority decides a control (CC060C), which this set-up's profile marks as served.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.database import to_micros
from tests.acceptance.caller import Caller
from tests.acceptance.estate import Estate, until
from tests.serving import informations, served_profile

pytestmark = pytest.mark.timeout(120)
ORDER = ["UPP", "CC928C", "CC028C", "UPD", "CC029C"]


@pytest.fixture
def estate(own: Callable[..., Estate]) -> Estate:
    estate = own()
    served_profile(estate.home / "profiles", "CC060C")
    return estate.start(speed=50)


def decided(trader: Caller, lrn: str) -> tuple[str, bytes, bytes]:
    """A declaration to which a control is decided: sysRef, UPD, and the decision as the authority sent it."""
    sys_ref = trader.submit(trader.declare(lrn))
    taken = {mail.kind: mail.content for mail in trader.collect("CC029C")}
    assert list(taken) == ORDER
    with sqlite3.connect(trader.estate.home / "authority.db", timeout=10) as connection:
        query = "SELECT content FROM answers WHERE request_id = ? AND name = 'CC060C'"
        (decision,) = connection.execute(query, (sys_ref,)).fetchone()
    connection.close()
    return sys_ref, taken["UPD"], decision


def test_the_trader_signs_the_upd_and_gets_the_document(estate: Estate) -> None:
    trader, colleague = Caller(estate, "trader00"), Caller(estate, "idle")
    sys_ref, upd, decision = decided(trader, "CTL-1")
    (held,) = estate.brama_json("messages", "held")
    assert (held["sys_ref"], held["state"], held["certificate"]) == (sys_ref, "held", f"UPD-{informations(upd, 'idDokumentuSEAP')[0]}")
    assert trader.drain() == []
    # who has no way to the addressee gets it released for nobody
    colleague.submit(colleague.sign(upd))
    assert colleague.npp().information("KodPrzyczynyOdmowy") == ["authorize.no_representation"]
    assert trader.drain() == []
    signed = trader.sign(upd)
    proof = trader.submit(signed)
    taken = trader.drain()
    assert [mail.kind for mail in taken] == ["UPP", "CC060C"]
    assert taken[1].content == decision, "the very bytes that the authority sent"
    assert taken[0].information("idDokumentuSEAP") == [proof]
    assert trader.submit(signed) == proof, "a repeat is not an error"
    assert trader.drain() == []
    assert estate.brama_json("messages", "held") == []
    (served,) = estate.brama_json("messages", "show", sys_ref)["served"]
    assert (served["state"], served["signed_by"]) == ("signed", proof)
    assert estate.stored(proof) == signed


def lapse(estate: Estate) -> None:
    """As if the period had ended: nobody can wait for fourteen days."""
    past = to_micros(datetime.now(UTC) - timedelta(days=1))
    with sqlite3.connect(estate.home / "brama.db", timeout=10) as connection:
        connection.execute("UPDATE servings SET due_at = ?, next_at = ? WHERE state = 'held'", (past, past))
    connection.close()


def test_two_workers_make_one_pnd_and_one_of_them_goes_on_when_the_other_is_killed(estate: Estate) -> None:
    first = estate.started.pop("worker")
    estate.start_worker()
    try:
        traders = [Caller(estate, f"trader{n:02}") for n in range(4)]
        for number, trader in enumerate(traders[:3]):
            decided(trader, f"CTL-{number}")
        lapse(estate)
        until(lambda: estate.rows("SELECT count(*) FROM servings WHERE state = 'lapsed'") == [(3,)], what="three PND")
        for trader in traders[:3]:
            assert [mail.kind for mail in trader.drain()] == ["PND", "CC060C"]
        estate.kill("worker")
        sys_ref, upd, _ = decided(traders[3], "CTL-3")
        lapse(estate)
        until(lambda: estate.rows("SELECT count(*) FROM servings WHERE state = 'lapsed'") == [(4,)], what="the fourth PND")
    finally:
        estate.started["worker"] = first
    assert [mail.kind for mail in traders[3].drain()] == ["PND", "CC060C"]
    traders[3].submit(traders[3].sign(upd))
    assert traders[3].npp().information("KodPrzyczynyOdmowy") == ["confirm.too_late"]
    (served,) = estate.brama_json("messages", "show", sys_ref)["served"]
    papers = estate.brama_json("messages", "papers", served["certificate"])
    assert {paper["paper"] for paper in papers} == {"document", "UPD", "PND"}
    shown = estate.brama("messages", "papers", served["certificate"], "PND")
    assert shown.returncode == 0
    assert "urn:brama:seap:serving:1" in shown.stdout
    missing = estate.brama("messages", "papers", served["certificate"], "notice 9")
    assert (missing.returncode, "its papers are" in missing.stderr) == (1, True)
