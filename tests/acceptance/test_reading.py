"""Issue sentences on polling and on permissions to read, over HTTP against real processes: claims, kills, contexts, nonces."""

from __future__ import annotations

import re
import socket
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from lxml import etree

from gateway.database import Database
from gateway.demo.people import AGENCY, IMPORTER
from gateway.endpoints.soap.contract import CHANNEL, PULL
from tests.acceptance.caller import SOAP_PATH, Caller, Reply
from tests.acceptance.estate import Estate, until
from tests.soap_requests import documents_body, next_body, sisc_body
from tests.walk import put, put_answer

pytestmark = pytest.mark.timeout(120)
WARSAW_TODAY = (datetime.now(UTC) + timedelta(hours=2)).date()
WEEK = f"<dataOd>{WARSAW_TODAY - timedelta(days=8)}</dataOd><dataDo>{WARSAW_TODAY}</dataDo>"


@dataclass(frozen=True)
class Document:
    """One element document of an answer; `ids` are its dispatchId, caseId and the three idSISC by name."""

    filename: str
    content: bytes
    ids: dict[str, str]


def documents(reply: Reply) -> list[Document]:
    assert reply.status == 200, reply.body[:800]
    found = []
    for element in etree.fromstring(reply.body).iter(f"{{{CHANNEL}}}document"):
        content = element.find(f"{{{CHANNEL}}}content")
        assert content is not None
        ids = {etree.QName(child).localname: child.text or "" for child in element if len(child) == 0 and child is not content}
        found.append(Document(content.get("filename") or "", b64decode(content.text or ""), ids))
    return found


def ask(caller: Caller, body: str) -> Reply:
    """As trader software should: a store that is busy for a moment is asked again."""
    for _ in range(5):
        reply = caller.post(caller.envelope(body, Action="Read"))
        if "retry-after" not in reply.headers:
            break
        time.sleep(0.2)
    return reply


def search(caller: Caller, inner: str) -> list[Document]:
    return documents(ask(caller, documents_body(inner)))


def account(estate: Estate, name: str) -> int:
    return int(estate.rows("SELECT account_id FROM accounts WHERE login = ?", f"{name}@agencja.example")[0][0])


@contextmanager
def store(estate: Estate) -> Iterator[Database]:
    """The estate's database, to put documents into it."""
    database = Database(f"sqlite:///{estate.home / 'brama.db'}")
    yield database
    database.engine.dispose()


def own_context(estate: Estate, name: str) -> dict[str, Any]:
    """Where documents lie that this trader sent for the importer, for `put`."""
    grades = {"person": name.upper().ljust(17, "0"), "agency": AGENCY.id_sisc, "party": IMPORTER.id_sisc}
    ((generation,),) = estate.rows("SELECT number FROM generations WHERE kind = 'registry'")
    return {"account": account(estate, name), "at": datetime.now(UTC), "generation": generation, **grades}


def import_registry(estate: Estate, change: Callable[[dict[str, Any]], None]) -> None:
    """The operator imports a registry file that says something else."""
    register = yaml.safe_load((estate.home / "registry.yaml").read_text())
    change(register)
    (estate.home / "changed.yaml").write_text(yaml.safe_dump(register, allow_unicode=True))
    imported = estate.brama("registry", "import", str(estate.home / "changed.yaml"))
    assert imported.returncode == 0, imported.stdout + imported.stderr


@pytest.fixture
def running(own: Callable[..., Estate]) -> Callable[..., Estate]:
    """A set-up whose server alone runs."""

    def start(processes: int = 1, **settings: object) -> Estate:
        estate = own(**settings)
        estate.fill()
        estate.start_server(processes)
        return estate

    return start


# --- polling ------------------------------------------------------------------------------------------------------------


def test_eight_clients_on_one_mailbox_and_two_processes_share_no_document(running: Callable[..., Estate]) -> None:
    estate = running(processes=2)
    with store(estate) as database:
        put(database, *(b"<m n='%d'/>" % n for n in range(160)), **own_context(estate, "trader00"))
    taken: list[str] = []
    ends: list[Reply] = []

    def client() -> None:
        caller = Caller(estate, "trader00")
        while found := documents(reply := ask(caller, next_body())):
            taken.append(found[0].ids["dispatchId"])
        ends.append(reply)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ends) == 8
    assert len(taken) == 160
    assert len(set(taken)) == 160, Counter(taken).most_common(3)
    assert all(b'hasNext="false"' in end.body for end in ends)
    until(lambda: estate.rows("SELECT count(*) FROM collections WHERE collected_at IS NULL") == [(0,)], what="collection of all")
    assert sorted(document.ids["dispatchId"] for document in search(Caller(estate, "trader00"), f"<pobrany>1</pobrany>{WEEK}")) == sorted(
        row[0] for row in estate.rows("SELECT document_id FROM mailbox ORDER BY id LIMIT 100")
    ), "whatever was handed out can be fetched again, a hundred at a time"


def half_read(estate: Estate, caller: Caller) -> socket.socket:
    """A poll whose answer begins and is not read on; its document is under a claim then."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.connect(("127.0.0.1", estate.port))
    call = caller.envelope(next_body(), Action="GetNextDocument")
    head = f"POST {SOAP_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(call)}\r\n\r\n"
    client.sendall(head.encode() + call)
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert estate.rows("SELECT count(*) FROM collections WHERE claimed_until IS NOT NULL AND collected_at IS NULL") == [(1,)]
    return client


def large_document(estate: Estate, name: str) -> bytes:
    """Waiting alone in a trader's mailbox: an answer that fills every buffer on its way."""
    content = b"<CC029C>" + b"x" * 7_000_000 + b"</CC029C>"
    with store(estate) as database:
        (sys_ref,) = put(database, b"<m/>", **own_context(estate, name))
        put_answer(database, sys_ref, content, "CC029C", at=datetime.now(UTC))
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE collections SET collected_at = 1 WHERE document = 1")
    return content


def test_a_kill_between_claim_and_answer_hands_out_again_after_the_claim(running: Callable[..., Estate]) -> None:
    estate = running(claim_seconds=6)
    content = large_document(estate, "trader00")
    caller = Caller(estate, "trader00")
    with half_read(estate, caller):
        estate.kill("serve")
    estate.start_server()
    ends = estate.rows("SELECT claimed_until FROM collections WHERE document = 2")[0][0] / 1e6
    assert documents(ask(caller, next_body())) == [], "the claim outlives its process"
    assert time.time() < ends, "this machine is too slow for this test"
    time.sleep(ends - time.time())
    (again,) = documents(ask(caller, next_body()))
    assert again.content == content
    until(lambda: estate.rows("SELECT collected_at IS NOT NULL FROM collections WHERE document = 2") == [(1,)], what="collection")
    assert documents(ask(caller, next_body())) == []
    (fetched,) = search(caller, f"<pobrany>1</pobrany><idWysylki>{again.ids['dispatchId']}</idWysylki>")
    assert fetched == again


def test_a_client_that_goes_away_amid_the_answer_releases_it_at_once(running: Callable[..., Estate]) -> None:
    estate = running(claim_seconds=180)
    content = large_document(estate, "trader00")
    caller = Caller(estate, "trader00")
    half_read(estate, caller).close()
    until(lambda: estate.rows("SELECT claimed_until FROM collections WHERE document = 2") == [(None,)], what="release")
    (again,) = documents(ask(caller, next_body()))
    assert again.content == content


# --- contexts -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answered(house: Estate) -> tuple[Caller, str]:
    """A trader of the running house, and a message of his that has all its answers."""
    caller = Caller(house, "trader59")
    sys_ref = caller.submit(caller.declare("READ-1"))
    query = "SELECT count(*) FROM mailbox b JOIN messages m ON m.id = b.message WHERE m.sys_ref = ?"
    until(lambda: house.rows(query, sys_ref) == [(4,)], what="receipt and answers")
    return caller, sys_ref


def test_every_document_of_a_message_carries_the_three_grades_dispatch_and_case(answered: tuple[Caller, str]) -> None:
    caller, sys_ref = answered
    found = search(caller, f"<korelacjaSysref>{sys_ref}</korelacjaSysref><pobrany>0</pobrany><targetSystem>NCTS2</targetSystem>")
    assert [re.sub("_.*", "", document.filename) for document in found] == ["UPP.xml", "CC928C", "CC028C", "CC029C"]
    assert len({document.ids["dispatchId"] for document in found}) == 4
    (mrn,) = {document.ids["caseId"] for document in found}
    grades = {"personSISC": "TRADER59000000000", "middleSISC": AGENCY.id_sisc, "endSISC": IMPORTER.id_sisc}
    assert all(document.ids | grades == document.ids for document in found)
    for case in ("READ-1", mrn):
        assert search(caller, f"<idSprawy>{case}</idSprawy>") == found, "the case by its LRN and by its MRN"
    assert search(caller, f"<korelacjaSysref>{sys_ref}</korelacjaSysref><targetSystem>AES</targetSystem>") == []
    assert found == search(caller, f"<sysRef>{sys_ref}</sysRef>{WEEK}")


def test_sisc_polls_by_grade_and_system(answered: tuple[Caller, str]) -> None:
    caller, _ = answered
    by_party = f"<idSiscP>{IMPORTER.id_sisc}</idSiscP>"
    assert documents(ask(caller, sisc_body(f"<idSiscP>{AGENCY.id_sisc}</idSiscP>"))) == [], "his context, in which nothing waits"
    assert documents(ask(caller, sisc_body(by_party + "<targetSystem>SENT</targetSystem>"))) == []
    seen = []
    while found := documents(reply := ask(caller, sisc_body(f"<idSiscROP>{AGENCY.id_sisc}</idSiscROP>" + by_party))):
        seen.append((re.sub("[_.].*", "", found[0].filename), b'hasNext="true"' in reply.body))
    assert seen == [("UPP", True), ("CC928C", True), ("CC028C", True), ("CC029C", False)]


B006 = {
    "a stranger's company": (sisc_body("<idSiscP>PL000000000000000</idSiscP>"), "No permission to idSiscROF/idSiscROP/idSiscP"),
    "a colleague": (sisc_body("<idSiscROF>TRADER01000000000</idSiscROF>"), "No permission to idSiscROF/idSiscROP/idSiscP"),
    "a colleague's search": (
        documents_body(f"<idSiscROF>TRADER01000000000</idSiscROF>{WEEK}"),
        "No permission to idSiscROF/idSiscROP/idSiscP",
    ),
    "all employees": (documents_body(f"{WEEK}<allEmployees>true</allEmployees>"), "No permission to idSiscROF/idSiscROP/idSiscP"),
    "no idSISC": (sisc_body("<targetSystem>NCTS2</targetSystem>"), "At least one of idSisc needs to be provided"),
    "no period": (documents_body("<pobrany>0</pobrany>"), "DataOd and DataDo must be defined and must be limited up to 10 days period"),
    "half a period": (
        documents_body("<dataOd>2026-01-01</dataOd><sysRef>x</sysRef>"),
        "DataOd and DataDo must be defined and must be limited up to 10 days period",
    ),
}


@pytest.mark.parametrize("name", B006)
def test_b006_in_its_own_words(answered: tuple[Caller, str], name: str) -> None:
    body, text = B006[name]
    _, string, kind, code, description = ask(answered[0], body).fault
    assert (string, kind, code) == (text, "businessErrorFault", "B006")
    assert (description or "").startswith(text)


def test_t14_whoever_knows_the_ids_of_anothers_documents_gets_none_of_them(house: Estate, answered: tuple[Caller, str]) -> None:
    """A colleague of the same agency who acts for the same company, with every id that leads to a document."""
    caller, sys_ref = answered
    colleague = Caller(house, "trader58")
    ids = search(caller, f"<korelacjaSysref>{sys_ref}</korelacjaSysref>")[0].ids
    ((own_id,),) = house.rows("SELECT business_id FROM messages WHERE sys_ref = ?", sys_ref)
    named = {
        "korelacjaSysref": sys_ref,
        "sysRef": sys_ref,
        "idWysylki": ids["dispatchId"],
        "idSprawy": ids["caseId"],
        "idDocSysZew": own_id,
    }
    for name, value in named.items():
        assert search(caller, f"<{name}>{value}</{name}>"), name
        assert search(colleague, f"<{name}>{value}</{name}>") == [], name
    assert search(colleague, f"<idSiscP>{IMPORTER.id_sisc}</idSiscP>{WEEK}") == []
    assert documents(ask(colleague, sisc_body(f"<idSiscP>{IMPORTER.id_sisc}</idSiscP>"))) == []


def test_a_right_that_ended_a_moment_ago_reads_nothing_more(running: Callable[..., Estate]) -> None:
    """Not even what the person sent for the company himself; what never reached a company stays his own."""
    estate = running(processes=2)
    caller = Caller(estate, "trader00")
    with store(estate) as database:
        (sys_ref,) = put(database, b"<m/>", **own_context(estate, "trader00"))
    refused = caller.submit(caller.sign(b"<CC015C xmlns='http://ncts.dgtaxud.ec'/>"))
    named = f"<korelacjaSysref>{sys_ref}</korelacjaSysref>"
    assert [document.filename for document in search(caller, named)] == ["UPP.xml"]

    def end(register: dict[str, Any]) -> None:
        link = next(link for link in register["representations"] if "agency" in link)
        link["valid_to"] = "2024-12-31"

    import_registry(estate, end)
    for _ in range(4):  # at once, whichever process answers
        assert search(caller, named) == []
        assert ask(caller, sisc_body(f"<idSiscP>{IMPORTER.id_sisc}</idSiscP>")).fault[3] == "B006"
    assert [document.filename for document in documents(ask(caller, next_body()))] == ["NPP.xml"]
    assert documents(ask(caller, next_body())) == []
    assert [document.ids["personSISC"] for document in search(caller, f"<sysRef>{refused}</sysRef>")] == ["TRADER00000000000"]


def test_all_employees_with_the_right_and_only_in_that_context(running: Callable[..., Estate]) -> None:
    estate = running()
    chief, colleague = Caller(estate, "trader00"), own_context(estate, "trader01")
    with store(estate) as database:
        put(database, b"<for the importer/>", **colleague)
        put(database, b"<for the agency/>", **(colleague | {"agency": None, "party": AGENCY.id_sisc}))
    everybody = f"{WEEK}<allEmployees>true</allEmployees>"
    assert ask(chief, documents_body(everybody)).fault[3] == "B006"

    def grant(register: dict[str, Any]) -> None:
        for link in register["representations"]:
            if link.get("person", "").startswith("TRADER00"):
                link["permissions"] = ["NCTS2/*", "read-all-employees"]

    import_registry(estate, grant)
    assert [document.ids["endSISC"] for document in search(chief, everybody)] == [AGENCY.id_sisc], (
        "the importer gave the agency no such right"
    )
    assert ask(chief, documents_body(f"{everybody}<idSiscP>{IMPORTER.id_sisc}</idSiscP>")).fault[3] == "B006"
    (handed,) = documents(ask(chief, sisc_body("<idSiscROF>TRADER01000000000</idSiscROF><allEmployees>1</allEmployees>")))
    assert handed.ids["personSISC"] == "TRADER01000000000"
    assert search(chief, WEEK) == []


# --- nonces -------------------------------------------------------------------------------------------------------------


def test_one_nonce_lets_one_call_through_whatever_becomes_of_it(running: Callable[..., Estate]) -> None:
    """The same bytes from eight clients at once on two processes: one is answered, the others hear a token fault."""
    estate = running(processes=2)
    caller = Caller(estate, "trader00")
    bodies = {
        "poll": next_body(),
        "search": documents_body(WEEK),
        "fault": sisc_body("<idSiscP>PL000000000000000</idSiscP>"),
        "no XML": f"<AcceptDocumentRequest xmlns='{PULL}'/>",
    }
    for name, body in bodies.items():
        call = caller.envelope(body)
        replies: list[Reply] = []
        threads = [threading.Thread(target=lambda call=call, replies=replies: replies.append(caller.post(call))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        refused = [reply for reply in replies if b"SecurityError" in reply.body]
        assert (len(replies), len(refused)) == (8, 7), name
    estate.stop()
    estate.start_server()
    assert b"SecurityError" in caller.post(call).body, "after a restart too"
