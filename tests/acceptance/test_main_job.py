"""Issue sentence: a signed declaration goes in by SOAP, its official receipt and the customs answers come out."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import xmlsec
from lxml import etree
from zeep import Client, Settings
from zeep.cache import InMemoryCache
from zeep.transports import Transport
from zeep.wsa import WsAddressingPlugin
from zeep.wsse.username import UsernameToken

from gateway.endpoints.soap.token import hashed_password
from tests.acceptance.caller import SOAP_PATH, Caller, Mail
from tests.acceptance.estate import Estate, until

UPO = Path(__file__).resolve().parents[2] / "schemas" / "seap" / "upo"


def zeep(caller: Caller) -> Client:
    return Client(
        f"{caller.estate.url}{SOAP_PATH}?wsdl",
        wsse=UsernameToken(caller.login, hashed_password(caller.secret), use_digest=True),
        plugins=[WsAddressingPlugin()],
        transport=Transport(cache=InMemoryCache(), operation_timeout=30),
        settings=Settings(strict=True),
    )


def assert_good_receipt(mail: Mail, house: Estate) -> None:
    """Valid under our schema of the receipts, and signed by the seal: judged by libxml2 and libxmlsec1, not by our code."""
    root = etree.fromstring(mail.content)
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(UPO / name).as_uri()}"/>'
        for namespace, name in (("http://crd.gov.pl/xml/schematy/UPO/2008/05/09/", "upo.xsd"), ("urn:brama:seap:npp:1", "npp.xsd"))
    )
    etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>')).assertValid(root)
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory((house.home / "keys" / "seal.pem").read_bytes(), xmlsec.KeyFormat.CERT_PEM)
    signature = xmlsec.tree.find_node(root, "Signature")
    context.verify(signature)
    whole = [r for r in signature.iter("{http://www.w3.org/2000/09/xmldsig#}Reference") if r.get("URI") == ""]
    assert len(whole) == 1, "the seal covers the whole receipt"
    assert signature.find(".//{http://uri.etsi.org/01903/v1.3.2#}SigningTime") is not None


def test_a_trader_with_zeep_gets_receipt_and_answers_in_order(house: Estate, trader: Caller) -> None:
    client = zeep(trader)
    document = trader.declare("MAIN-1")
    content = {"_value_1": document, "filename": "CC015C.xml", "mime": "application/xml"}
    sys_ref = client.service.AcceptDocument(document={"content": content, "targetSystems": {"system": ["NCTS2"]}})
    sys_ref = str(getattr(sys_ref, "sysRef", sys_ref))

    def next_document() -> Mail | None:
        response = client.service.GetNextDocument()
        if response is None or response.document is None:
            return None
        assert response.document.targetSystems.system == ["PODMIOT"]
        return Mail(response.document.content.filename, response.document.content._value_1)

    taken = [until(next_document, what=f"document {place}") for place in range(4)]
    assert [mail.kind for mail in taken] == ["UPP", "CC928C", "CC028C", "CC029C"]
    assert next_document() is None
    assert taken[0].information("idDokumentuSEAP") == [sys_ref]
    assert taken[0].information("SkrotSHA256") == [hashlib.sha256(document).hexdigest()]
    assert_good_receipt(taken[0], house)
    answers = [etree.fromstring(mail.content) for mail in taken[1:]]
    assert {a.findtext("TransitOperation/LRN") for a in answers} == {"MAIN-1"}
    mrn = answers[1].findtext("TransitOperation/MRN")
    assert mrn is not None
    assert len(mrn) == 18
    assert answers[2].findtext("TransitOperation/MRN") == mrn
    assert house.delivery(sys_ref) == ("delivered", "released")
    assert len(house.at_authority("effects", sys_ref)) == 1


def test_the_timeline_of_a_message_tells_each_step_and_its_time(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("TIMELINE-1"))
    trader.collect("CC029C")
    shown = house.brama_json("messages", "show", sys_ref)
    events = {entry["event"]: entry for entry in shown["timeline"]}
    accept = ["parse", "identify", "validate", "verify", "authorize", "receipt", "record"]
    assert [step["step"] for step in events["accept"]["steps"]] == accept
    assert [step["step"] for step in events["deliver"]["steps"]] == ["route", "deliver"]
    assert all(step["us"] >= 0 for entry in events.values() for step in entry["steps"])
    assert events["deliver"]["steps"][1]["us"] > 0
    assert [d["filename"].partition(".")[0].partition("_")[0] for d in shown["documents"]] == ["UPP", "CC928C", "CC028C", "CC029C"]
    assert (shown["state"], shown["delivery"], shown["flow"], shown["lrn"]) == ("accepted", "delivered", "released", "TIMELINE-1")
    people = house.brama("messages", "show", sys_ref).stdout
    assert "verify" in people
    assert " ms" in people


def recoded(document: bytes, name: str, codec: str, bom: bytes = b"") -> bytes:
    text = document.decode().replace("encoding='UTF-8'", f"encoding='{name}'")
    assert name in text
    return bom + text.encode(codec)


ODD: dict[str, Callable[[bytes], bytes]] = {
    "UTF-8 with byte order mark": lambda d: codecs.BOM_UTF8 + d,
    "CRLF line ends": lambda d: d.replace(b"\n", b"\r\n"),
    "ISO-8859-2": lambda d: recoded(d, "ISO-8859-2", "iso-8859-2"),
    "windows-1250": lambda d: recoded(d, "windows-1250", "cp1250"),
    "US-ASCII with references": lambda d: d.decode().replace("'UTF-8'", "'US-ASCII'").encode("ascii", "xmlcharrefreplace"),
    "UTF-16 big endian": lambda d: recoded(d, "UTF-16", "utf-16-be", codecs.BOM_UTF16_BE),
    "UTF-16 little endian": lambda d: recoded(d, "UTF-16", "utf-16-le", codecs.BOM_UTF16_LE),
    "no XML declaration": lambda d: d.partition(b"?>")[2].lstrip(),
    "comment and blank lines after the root": lambda d: d + b"\n<!-- ogon -->\n\n",
}


@pytest.fixture(scope="module")
def writer(spare: Callable[[], Caller]) -> Caller:
    return spare()


@pytest.mark.parametrize("name", ODD)
def test_the_bytes_sent_are_the_bytes_stored_and_delivered(house: Estate, writer: Caller, name: str) -> None:
    plain = writer.declare("BYTES-1")
    document = ODD[name](plain)
    assert document != plain
    sys_ref = writer.submit(document)
    writer.collect("CC029C")
    assert house.stored(sys_ref) == document
    arrivals = house.at_authority("arrivals", sys_ref)
    assert [entry["sha256"] for entry in arrivals] == [hashlib.sha256(document).hexdigest()]
