"""A zeep client, as trader software would write it, against the door without a network in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests
import zeep
from zeep.exceptions import Fault
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport
from zeep.wsa import WsAddressingPlugin
from zeep.wsse.username import UsernameToken

from gateway.collection import Found, Search, Wanted
from gateway.endpoints.soap.token import hashed_password
from gateway.errors import Rejected
from gateway.faults import NO_SCHEMA, SECURITY
from tests.soap_requests import CHANNEL, DOCUMENT, LOGIN, PASSWORD, PULL, Gate, Waiting

URL = "https://brama.example/seap_wsChannel/DocumentHandlingPort"


class InProcess(Transport):
    """Hands every request to the door and settles what the door wants settled."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def load(self, url: str) -> bytes:
        assert url.startswith(URL + "?"), f"left the served contract: {url}"
        reply = self.gate.http("GET", url.partition("?")[2])
        assert reply.status == 200
        return reply.body

    def post(self, address: str, message: Any, headers: dict[str, str]) -> requests.Response:
        assert address == URL
        lower = {name.lower(): value for name, value in headers.items()}
        reply = self.gate.http("POST", "", lower, message)
        if reply.after is not None:
            asyncio.run(reply.after(True))  # type: ignore[arg-type]
        response = requests.Response()
        response.status_code = reply.status
        response._content = reply.body
        response.headers.update(reply.headers)
        return response


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Trader:
    def __init__(self, gate: Gate, query: str, password: str) -> None:
        self.history = HistoryPlugin()
        self.client = zeep.Client(
            f"{URL}?{query}",
            transport=InProcess(gate),
            wsse=UsernameToken(LOGIN, password, use_digest=True),
            plugins=[WsAddressingPlugin(), self.history],
        )

    def document(self, **changes: Any) -> dict[str, Any]:
        content = {"_value_1": DOCUMENT, "filename": "pismo.xml", "mime": "application/xml"}
        return {"content": content, "targetSystems": {"system": ["NCTS2"]}} | changes


@pytest.fixture
def gate() -> Gate:
    made = Gate()
    made.door._clock = Now()  # zeep stamps its tokens with the real time
    return made


@pytest.fixture(params=["wsdl", "wsdl=2014", "WSDL"])
def trader(gate: Gate, request: pytest.FixtureRequest) -> Iterator[Trader]:
    return Trader(gate, request.param, hashed_password(PASSWORD))


def test_accept_document(gate: Gate, trader: Trader) -> None:
    answer = trader.client.service.AcceptDocument(document=trader.document())
    (received,) = gate.received
    assert answer == received.sys_ref  # zeep unwraps result and sysRef
    assert received.content == DOCUMENT
    assert (received.filename, received.door, received.caller.login) == ("pismo.xml", "soap", LOGIN)
    sent = trader.history.last_sent["envelope"]
    assert received.message_id == sent.findtext(".//{http://www.w3.org/2005/08/addressing}MessageID")


def test_form_a_password_as_it_is(gate: Gate) -> None:
    trader = Trader(gate, "wsdl", PASSWORD)
    assert trader.client.service.AcceptDocument(document=trader.document()) == gate.received[0].sys_ref


def test_attachment(gate: Gate, trader: Trader) -> None:
    attachment = {"_value_1": b"%PDF-1.7 ...", "filename": "umowa.pdf", "mime": "application/pdf"}
    trader.client.service.AcceptDocument(document=trader.document(attachments={"content": [attachment]}))
    (kept,) = gate.received[0].attachments
    assert (kept.content, kept.filename, kept.mime) == (b"%PDF-1.7 ...", "umowa.pdf", "application/pdf")


def poll(trader: Trader) -> Any:
    operation = trader.client.service.GetNextDocument
    try:
        return operation()
    except TypeError:  # 2014: the request element has no type, and zeep wants a value for it
        return operation(zeep.xsd.AnyObject(zeep.xsd.String(), ""))


def test_poll_until_empty(gate: Gate, trader: Trader) -> None:
    for number, more in (("1", True), ("2", False)):
        gate.waiting.append(Waiting(number, 5, f"CC928C_{number}.xml", "application/xml", b"<a>\xc5\xbc</a>", more, case_id="S/1"))
    first, second, third = (poll(trader) for _ in range(3))
    assert first.document.content._value_1 == b"<a>\xc5\xbc</a>"
    assert first.document.content.filename == "CC928C_1.xml"
    assert first.document.caseId == "S/1"
    assert first.document.targetSystems.system == ["PODMIOT"]
    assert (first.hasNext, second.hasNext) == (True, False)
    assert third is None or third.document is None
    assert gate.settled == [("collected", "1", 5), ("collected", "2", 5)]
    assert len({nonce for _, nonce in gate.polls}) == 3


def test_search_and_poll_by_idsisc(gate: Gate, trader: Trader) -> None:
    gate.found = Found((Waiting("1", 0, "UPP.xml", "application/xml", b"<a/>", False, dispatch_id="W1"),), "count")  # type: ignore[arg-type]
    service = trader.client.service
    found = service.GetDocuments(korelacjaSysref="k", pobrany="0", dataOd=date(2026, 3, 1), dataDo=date(2026, 3, 2))
    assert (found.documentsCount, found.document[0].dispatchId, found.document[0].content._value_1) == (1, "W1", b"<a/>")
    assert "at most 100" in found.documentsInfo
    search = gate.asked[0]
    assert isinstance(search, Search)
    assert (search.correlation, search.collected, search.wanted) == ("k", False, Wanted())
    assert search.since == datetime(2026, 2, 28, 23, tzinfo=UTC)
    gate.waiting.append(Waiting("2", 5, "UPP.xml", "application/xml", b"<b/>", False))
    assert service.GetNextDocumentSisc(idSiscP="PL852963741300000").document.content._value_1 == b"<b/>"
    assert gate.asked[1] == Wanted(party="PL852963741300000")


def test_the_additions_of_2022(gate: Gate) -> None:
    service = Trader(gate, "wsdl", PASSWORD).client.service
    service.GetNextDocument(targetSystem="TAX FREE")
    service.GetNextDocumentSisc(idSiscROP="PL700000001500000", allEmployees=True, targetSystem="SENT")
    service.GetDocuments(sysRef="x", allEmployees=False, targetSystem="ISZTAR4")
    assert gate.asked == [
        Wanted("TAX-FREE"),
        Wanted("SENT", agency="PL700000001500000", all_employees=True),
        Search(Wanted("ISZTAR4"), sys_ref="x"),
    ]


def test_fault_reaches_the_client_whole(gate: Gate, trader: Trader) -> None:
    gate.error = Rejected("identify.unknown", root="Pismo", namespace="urn:test")
    with pytest.raises(Fault) as caught:
        trader.client.service.AcceptDocument(document=trader.document())
    assert caught.value.message == "Błąd komunikacji"
    assert caught.value.code == "soap:Server"
    detail = caught.value.detail
    assert detail.find(f"{{{PULL}}}techErrorFault/{{{PULL}}}error/{{{CHANNEL}}}errorCode").text == "E003"
    assert detail.findtext(f".//{{{CHANNEL}}}errorDesc") == NO_SCHEMA


def test_wrong_password(gate: Gate) -> None:
    trader = Trader(gate, "wsdl", hashed_password("inne"))
    with pytest.raises(Fault, match=SECURITY):
        trader.client.service.AcceptDocument(document=trader.document())
    assert gate.untouched()


def test_system_names_of_later_years_are_taken_under_either_contract(gate: Gate) -> None:
    trader = Trader(gate, "wsdl", hashed_password(PASSWORD))
    trader.client.service.AcceptDocument(document=trader.document(targetSystems={"system": ["TAX FREE", "SENT"]}))
    assert len(gate.received) == 1


def test_other_queries_are_not_found(gate: Gate) -> None:
    for query in ("", "xsd=../door.py", "xsd=WS_CHANNEL_2015.xsd", "wsdl=2099", "x"):
        assert gate.http("GET", query).status == 404
    assert gate.http("HEAD", "wsdl").status == 200
