"""Every shape of request that trader software sends, as golden files of our own: valid by the contract, and taken by the door.

The files have `@TOKEN@` where a Security header stands; the token is made anew for each test. Each is named
`<operation>_<edition or peculiarity>.xml`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from gateway.endpoints.soap.contract import OPERATIONS
from tests.contract.test_soap_replies import document, schema
from tests.soap_requests import SOAP, WSA, WSA_2004, Gate, Token, digest_a, security, told

GOLDEN = Path(__file__).parent / "golden" / "requests"
FILES = sorted(GOLDEN.glob("*.xml"))
NAMES = [path.stem for path in FILES]
#: captured requests of these kinds break the letter of the contract, and the real server took them all the same
NOT_VALID = {
    "accept_target_systems_broken": {"wsdl", "wsdl=2014"},
    "accept_later_systems": {"wsdl=2014"},
    "accept_reply_addresses": {"wsdl=2014"},
    "documents_2022": {"wsdl=2014"},
    "documents_date_times": {"wsdl", "wsdl=2014"},
    "next_2022": set(),  # of no type in 2014, so anything goes
    "next_sisc_2022": {"wsdl=2014"},
}


def request(path: Path, token: Token | None = None) -> bytes:
    return path.read_bytes().replace(b"@TOKEN@", security((token or Token()).xml()).encode())


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_valid_by_the_contract_as_far_as_the_real_ones_are(path: Path) -> None:
    (body,) = etree.fromstring(request(path)).findall(f"{{{SOAP}}}Body/*")
    refusing = {edition for edition in ("wsdl", "wsdl=2014") if not schema(edition).validate(body)}
    assert refusing == NOT_VALID.get(path.stem, set())


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_taken_by_the_door_whatever_soap_action_says(path: Path) -> None:
    for action in ('"AcceptDocument"', "GetNextDocumentSisc", '""'):
        gate = Gate()
        gate.waiting = [document()]
        reply = gate.post(request(path), "text/xml; charset=utf-8", soapaction=action)
        if reply.status != 200:  # an operation that is not served yet, or criteria that find nothing: never "not of the contract"
            assert told(reply)[2] in ("techErrorFault", "businessErrorFault"), reply.body
        if path.stem.startswith("accept"):
            assert reply.status == 200
            assert [received.content for received in gate.received] == ["<Pismo xmlns='urn:test'>Łódź</Pismo>".encode()]
            assert not gate.polls
        else:
            assert not gate.received


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_reply_speaks_the_addressing_of_the_request(path: Path) -> None:
    reply = etree.fromstring(Gate().post(request(path)).body)
    namespace = WSA_2004 if WSA_2004.encode() in path.read_bytes() else WSA
    asked = etree.fromstring(request(path)).findtext(f"{{{SOAP}}}Header/{{{namespace}}}MessageID")
    assert asked
    assert reply.findtext(f"{{{SOAP}}}Header/{{{namespace}}}RelatesTo") == asked
    assert reply.find(f"{{{SOAP}}}Header/{{{namespace}}}Action") is not None


def test_the_plain_digest_is_taken_too() -> None:
    assert Gate().post(request(GOLDEN / "accept_document.xml", Token(digest=digest_a))).status == 200


def test_every_operation_has_its_shapes() -> None:
    bodies = {etree.QName(etree.fromstring(request(path)).find(f"{{{SOAP}}}Body")[0]).localname for path in FILES}  # type: ignore[index]
    assert bodies == set(OPERATIONS)
