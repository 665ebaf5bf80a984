"""Every client stack does, against the running server: load the WSDL, hand in, poll, and handle faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from gateway.demo.people import AGENCY, IMPORTER
from gateway.faults import ADDRESSING_MISSING, COMMUNICATION, NO_PERMISSION, NO_SCHEMA, PERIOD, SECURITY
from tests.acceptance.caller import SOAP_PATH, Caller, Mail
from tests.acceptance.estate import PATIENCE, Estate, until
from tests.interop.python import Suds, Zeep
from tests.interop.stack import Account, Found, Patient, Stack, Taken, Told, hashed
from tests.interop.toolchains import Java, generated, node

pytestmark = pytest.mark.timeout(600)  # the first time, Maven and npm fetch what they need

STACKS: dict[str, Callable[[pytest.FixtureRequest], Stack]] = {
    "zeep": lambda _request: Zeep(),
    "suds": lambda _request: Suds(),
    "node": lambda _request: node(),
    "java": lambda request: Java(request.getfixturevalue("cxf"), generated(request.getfixturevalue("house"), "metro")),
}
#: whose faults come as objects of a class made from the WSDL
TYPED = {"zeep", "java"}
#: suds does not show its user the attribute hasNext
UNSEEN = {"suds": (None,)}


@pytest.fixture(scope="module", params=STACKS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def stack(name: str, request: pytest.FixtureRequest) -> Iterator[Stack]:
    made = STACKS[name](request)
    yield Patient(made)
    getattr(made, "close", lambda: None)()


@pytest.fixture(params=["wsdl", "wsdl=2014"])
def edition(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def account(trader: Caller, edition: str = "wsdl", secret: str | None = None, *, addressing: bool = True) -> Account:
    return Account(f"{trader.estate.url}{SOAP_PATH}?{edition}", trader.login, secret or hashed(trader.secret), addressing)


def written(folder: Path, document: bytes) -> Path:
    path = folder / "zgłoszenie CC015C.xml"
    path.write_bytes(document)
    return path


def poll(stack: Stack, who: Account, last: str) -> list[Taken]:
    """Style one of the two in which software polls: drain, pause, again, until `last` has come."""
    taken: list[Taken] = []
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        while (document := stack.next(who)) is not None:
            taken.append(document)
            if document.filename.startswith(last):
                return taken
        time.sleep(0.1)
    raise AssertionError(f"no {last} within {PATIENCE} s, only {[document.filename for document in taken]}")


def test_a_declaration_is_handed_in_and_its_receipt_and_answers_are_collected(
    house: Estate, stack: Stack, name: str, edition: str, trader: Caller, tmp_path: Path
) -> None:
    who = account(trader, edition)
    document = trader.declare(f"{name}-{edition}".upper().replace("=", "-"))
    sys_ref = stack.submit(who, written(tmp_path, document))
    taken = poll(stack, who, "CC029C")
    assert [mail.filename.partition(".")[0].partition("_")[0] for mail in taken] == ["UPP", "CC928C", "CC028C", "CC029C"]
    assert house.stored(sys_ref) == document
    kept = house.rows(
        "SELECT b.filename, b.content FROM mailbox b JOIN messages m ON m.id = b.message WHERE m.sys_ref = ? ORDER BY b.id", sys_ref
    )
    assert [(mail.filename, mail.content) for mail in taken] == kept, "byte for byte"
    assert Mail(taken[0].filename, taken[0].content).information("idDokumentuSEAP") == [sys_ref]
    assert {mail.systems for mail in taken} == {("PODMIOT",)}
    assert taken[-1].has_next in {False, *UNSEEN.get(name, ())}
    assert stack.next(who) is None, "an empty mailbox is no fault"


def test_more_wait_is_told(stack: Stack, name: str, trader: Caller) -> None:
    trader.submit(trader.declare("MORE-1"))
    trader.submit(trader.sign(b"<CC015C xmlns='http://ncts.dgtaxud.ec'/>"))
    first = stack.next(account(trader))
    assert first is not None
    assert first.has_next in {True, *UNSEEN.get(name, ())}


def test_documents_are_looked_up_by_the_message_they_answer(stack: Stack, name: str, edition: str, trader: Caller, tmp_path: Path) -> None:
    """Style two: looking marks nothing as collected, and what was collected is found again."""
    who = account(trader, edition)
    sys_ref = stack.submit(who, written(tmp_path, trader.declare(f"LOOK-{name}-{edition}".upper().replace("=", "-"))))

    def waiting() -> Found | None:
        found = stack.documents(who, korelacjaSysref=sys_ref, pobrany="0")
        return found if found.count == 4 else None

    found = until(waiting, what="the fourth document")
    assert found.info is None
    taken = poll(stack, who, "CC029C")
    assert [(mail.filename, mail.content, mail.systems) for mail in found.documents] == [
        (mail.filename, mail.content, mail.systems) for mail in taken
    ]
    # what was written out is marked a moment later
    until(lambda: stack.documents(who, korelacjaSysref=sys_ref, pobrany="0") == Found(0, ()), what="the mark on the last document")
    today = datetime.now(UTC).date()
    days = {"dataOd": str(today - timedelta(days=1)), "dataDo": str(today + timedelta(days=1))}
    assert stack.documents(who, pobrany="1", **days) == found


def test_documents_are_taken_for_a_person_an_agency_a_company(stack: Stack, edition: str, trader: Caller, tmp_path: Path) -> None:
    who = account(trader, edition)
    sys_ref = stack.submit(who, written(tmp_path, trader.declare("SISC-1")))
    person = trader.name.upper().ljust(17, "0")
    first = stack.next_sisc(who, idSiscROF=person, idSiscROP=AGENCY.id_sisc, idSiscP=IMPORTER.id_sisc)
    assert first is not None
    assert first.filename == "UPP.xml"
    assert sys_ref.encode() in first.content
    with pytest.raises(Told) as caught:
        stack.next_sisc(who, idSiscP="PL999999999900000")
    assert (caught.value.detail, caught.value.error_code, caught.value.error_desc) == ("businessErrorFault", "B006", NO_PERMISSION)


def test_a_search_without_bounds_is_a_business_fault(stack: Stack, name: str, edition: str, trader: Caller) -> None:
    with pytest.raises(Told) as caught:
        stack.documents(account(trader, edition), pobrany="0")
    assert caught.value == Told(PERIOD, "businessErrorFault", "B006", PERIOD, typed=name in TYPED)


def test_a_refused_document_is_no_fault_but_a_receipt_that_says_why(stack: Stack, trader: Caller, tmp_path: Path) -> None:
    who = account(trader)
    sys_ref = stack.submit(who, written(tmp_path, trader.sign(b"<CC015C xmlns='http://ncts.dgtaxud.ec'/>")))
    (npp,) = poll(stack, who, "NPP")
    reasons = etree.tostring(etree.fromstring(npp.content), encoding="unicode")
    assert sys_ref in reasons
    assert "messageSender" in reasons


def test_either_form_of_the_digest_is_taken(stack: Stack, trader: Caller) -> None:
    assert stack.next(account(trader, secret=trader.secret)) is None
    assert stack.next(account(trader, secret=hashed(trader.secret))) is None


def test_content_that_is_no_xml_is_a_fault_of_the_contract(
    house: Estate, stack: Stack, name: str, edition: str, trader: Caller, tmp_path: Path
) -> None:
    before = house.books()[:2]
    with pytest.raises(Told) as caught:
        stack.submit(account(trader, edition), written(tmp_path, "dzień dobry".encode()))
    assert caught.value == Told(COMMUNICATION, "techErrorFault", "E003", NO_SCHEMA, typed=name in TYPED)
    assert house.books()[:2] == before


def test_a_wrong_password_is_told_without_saying_what_is_wrong(
    house: Estate, stack: Stack, edition: str, trader: Caller, tmp_path: Path
) -> None:
    before = house.books()[:2]
    with pytest.raises(Told) as caught:
        stack.submit(account(trader, edition, secret="inne"), written(tmp_path, trader.declare("WRONG-1")))
    assert (caught.value.string, caught.value.error_code) == (SECURITY, None)
    assert house.books()[:2] == before


def test_missing_addressing_is_told(stack: Stack, edition: str, trader: Caller, tmp_path: Path) -> None:
    with pytest.raises(Told) as caught:
        stack.submit(account(trader, edition, addressing=False), written(tmp_path, trader.declare("NOWHERE-1")))
    assert caught.value.string == ADDRESSING_MISSING
