"""Issue sentence: a byte-identical repeat gets the same sysRef and no second delivery. Design: a repeat is not an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from gateway.faults import COMMUNICATION, SECURITY
from tests.acceptance.caller import SOAP_PATH, XML, Caller, Reply
from tests.acceptance.estate import Estate, until
from tests.soap_requests import Token

CONNECTIONS, CALLS = 8, 100


def test_the_same_bytes_a_hundred_times_at_once(house: Estate, trader: Caller) -> None:
    document = trader.declare("REPEAT-1")
    calls = [trader.submission(document) for _ in range(CALLS)]

    def drive(mine: list[bytes]) -> list[str]:
        connection = HTTPConnection("127.0.0.1", house.port, timeout=30)
        seen = []
        for call in mine:
            connection.request("POST", SOAP_PATH, call, XML)
            response = connection.getresponse()
            seen.append(Reply(response.status, {}, response.read()).sys_ref)
        connection.close()
        return seen

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        seen = [s for part in pool.map(drive, [calls[n::CONNECTIONS] for n in range(CONNECTIONS)]) for s in part]
    assert len(seen) == CALLS
    assert len(set(seen)) == 1
    assert Counter(mail.kind for mail in trader.collect("CC029C")) == {"UPP": 1, "CC928C": 1, "CC028C": 1, "CC029C": 1}
    assert trader.drain() == []
    assert len(house.at_authority("arrivals", seen[0])) == 1
    assert house.rows("SELECT count(*) FROM messages WHERE lrn = 'REPEAT-1'") == [(1,)]
    assert house.rows("SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message WHERE m.lrn = 'REPEAT-1'") == [(1,)]


def test_the_same_bytes_of_another_person_are_another_message(house: Estate, another: Callable[[], Caller]) -> None:
    """His own verdict (the signature is not his), and nothing of the first one's."""
    first, second = another(), another()
    document = first.declare("REPEAT-OTHER")
    mine, his = first.submit(document), second.submit(document)
    assert mine != his
    assert second.npp().information("KodPrzyczynyOdmowy") == ["authorize.other_person"]


def test_after_an_npp_a_new_attempt_gets_a_new_sys_ref(house: Estate, trader: Caller) -> None:
    wrong = trader.sign(trader.declare("NPP-AGAIN").replace(b"<LRN>", b"<LRM>").replace(b"</LRN>", b"</LRM>"))
    first = trader.submit(wrong)
    assert trader.npp().information("idDokumentuSEAP") == [first]
    second = trader.submit(wrong)
    assert second != first
    assert trader.npp().information("idDokumentuSEAP") == [second]


def test_t6_a_message_id_with_other_bytes_is_refused_and_with_the_same_is_a_repeat(house: Estate, trader: Caller) -> None:
    document = trader.declare("MID-1")
    first = trader.submit(document, MessageID="urn:uuid:mid-1")
    assert trader.submit(document, MessageID="urn:uuid:mid-1") == first
    _, string, detail, code, words = trader.send(trader.declare("MID-2"), MessageID="urn:uuid:mid-1").fault
    assert (string, detail, code) == (COMMUNICATION, "techErrorFault", "E003")
    assert "MessageID" in (words or "")
    assert house.rows("SELECT count(*) FROM messages WHERE lrn = 'MID-2'") == [(0,)]


def test_the_same_message_identification_with_other_bytes_is_refused_by_npp(house: Estate, trader: Caller) -> None:
    first = trader.submit(trader.declare("KEY-1", "KEY-M-1"))
    trader.collect("CC029C")
    second = trader.submit(trader.declare("KEY-2", "KEY-M-1"))
    refusal = trader.npp()
    assert refusal.information("idDokumentuSEAP") == [second]
    assert refusal.information("KodPrzyczynyOdmowy") == ["validate.duplicate_key"]
    assert first in refusal.information("PrzyczynaOdmowy")[0]
    assert house.at_authority("arrivals", second) == []


def replayed(trader: Caller, token: Token) -> tuple[str, str]:
    """What a new document under a used token hears."""
    code, string, *_ = trader.send(trader.declare("NONCE-NEW"), token=token).fault
    return code, string


REFUSED = ("{http://ws.apache.org/wss4j}SecurityError", SECURITY)


def test_t1_a_used_nonce_is_refused_also_after_a_restart_and_by_every_process(own: Callable[..., Estate]) -> None:
    estate = own().start(processes=2)
    trader = Caller(estate, "trader00")
    token = trader.token()
    trader.submit(trader.declare("NONCE-1"), token=token)
    assert {replayed(trader, token) for _ in range(20)} == {REFUSED}, "connections fall on both processes"
    estate.kill("serve")
    until(lambda: not estate.listening(), what="the end of the servers whose supervisor was killed")
    estate.start_server(processes=2)
    assert {replayed(trader, token) for _ in range(10)} == {REFUSED}
    assert estate.rows("SELECT count(*) FROM messages WHERE lrn = 'NONCE-NEW'") == [(0,)]
