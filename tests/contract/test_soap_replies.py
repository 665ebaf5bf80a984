"""What the door answers: golden files of our own making, validity by our own XSD, and the text that clients grep.

`BRAMA_GOLDEN=write` writes the golden files anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from gateway import faults
from gateway.codes import CODES
from gateway.collection import Found
from gateway.endpoints.soap.contract import served
from gateway.endpoints.soap.reply import escaped
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.faults import ADMINISTRATION_ONLY, NO_SCHEMA, soap_fault
from tests.soap_requests import (
    CHANNEL,
    LOGIN,
    PULL,
    SOAP,
    WSA,
    WSA_2004,
    Gate,
    Token,
    Waiting,
    accept_body,
    addressing,
    content,
    digest_b,
    documents_body,
    envelope,
    next_body,
    security,
    sisc_body,
)

GOLDEN = Path(__file__).parent / "golden" / "soap"
MESSAGE_ID = "urn:uuid:11111111-2222-4333-8444-555555555555"


def token() -> str:
    return security(Token(nonce=b"0123456789abcdef", digest=digest_b).xml())


def asking(body: str, namespace: str = WSA, headers: str | None = None) -> bytes:
    return envelope(body, addressing(namespace, MessageID=MESSAGE_ID) + token() if headers is None else headers)


def document(**changes: object) -> Waiting:
    values: dict[str, object] = {
        "document_id": "17", "claim": 3, "filename": "CC928C_24<1>.xml", "mime": "application/xml",
        "content": b"<CC928C/>", "has_next": True, "dispatch_id": "W-1", "case_id": "S&1",
        "person_sisc": "00000000000000001", "middle_sisc": "00000000000000002", "end_sisc": "PL000000000000003",
    }  # fmt: skip
    return Waiting(**(values | changes))  # type: ignore[arg-type]


CASES = {
    "accept_document": (asking(accept_body()), None, None),
    "accept_document_addressing_2004": (asking(accept_body(), WSA_2004), None, None),
    "next_document": (asking(next_body()), None, document()),
    "next_document_last_and_bare": (
        asking(next_body()),
        None,
        document(has_next=False, dispatch_id=None, case_id=None, person_sisc=None, middle_sisc=None, end_sisc=None),
    ),
    "next_document_none": (asking(next_body()), None, None),
    "fault_addressing": (asking(accept_body(), headers=token()), None, None),
    "fault_policy": (asking(accept_body(), headers=addressing(MessageID=MESSAGE_ID)), None, None),
    "fault_token": (asking(accept_body(), headers=addressing(MessageID=MESSAGE_ID) + token().replace(LOGIN, "x@y.example")), None, None),
    "fault_token_addressing_2004": (
        asking(accept_body(), headers=addressing(WSA_2004, MessageID=MESSAGE_ID) + token().replace(LOGIN, "x@y.example")),
        None,
        None,
    ),
    "fault_no_schema": (asking(accept_body()), Rejected("identify.unknown", root="Pismo", namespace="urn:test"), None),
    "fault_administration_only": (asking(accept_body()), Rejected("identify.administration_only", root="CC029C"), None),
    "fault_base64": (asking(accept_body(content("QUJ"))), None, None),
    "fault_busy": (asking(accept_body()), Deferred("receive.busy", seconds=7), None),
    "fault_store": (asking(next_body()), Deferred("record.store_unavailable"), None),
    "fault_unexpected": (asking(accept_body()), RuntimeError("password=hunter2"), None),
    "next_document_sisc": (asking(sisc_body("<idSiscP>PL000000000000003</idSiscP>")), None, document()),
    "next_document_sisc_none": (asking(sisc_body("<idSiscP>PL000000000000003</idSiscP>")), None, None),
    "documents": (
        asking(documents_body("<korelacjaSysref>1</korelacjaSysref>")),
        None,
        [document(has_next=False), document(filename="UPP.xml")],
    ),
    "documents_cut": (asking(documents_body()), None, Found((document(),), "count", datetime(2026, 3, 1, 11, 0, 0, 123456, UTC))),  # type: ignore[arg-type]
    "documents_none": (asking(documents_body()), None, None),
    "fault_no_permission": (asking(sisc_body()), Rejected("read.no_permission"), None),
    "fault_period": (asking(documents_body()), Rejected("read.period"), None),
    "fault_no_sisc": (asking(sisc_body()), Rejected("read.no_sisc"), None),
    "fault_unknown_system": (asking(next_body("<targetSystem>XYZ</targetSystem>")), None, None),
    "fault_soap_12": (envelope(soap="http://www.w3.org/2003/05/soap-envelope"), None, None),
}


def answer(name: str) -> tuple[int, dict[str, str], bytes]:
    request, error, waiting = CASES[name]
    gate = Gate()
    gate.error = error
    gate.waiting = [waiting] if isinstance(waiting, Waiting) else []
    if isinstance(waiting, list):
        gate.found = Found(tuple(waiting))
    elif isinstance(waiting, Found):
        gate.found = waiting
    reply = gate.post(request)
    body = re.sub(rb"(<MessageID[^>]*>urn:uuid:)[0-9a-f-]{36}", rb"\g<1>NEW", reply.body)
    return reply.status, dict(reply.headers), re.sub(rb"<sysRef>[0-9a-f-]{36}", b"<sysRef>NEW", body)


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    status, headers, body = answer(name)
    lines = [f"HTTP {status}", *(f"{key}: {value}" for key, value in sorted(headers.items())), "", body.decode(), ""]
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("BRAMA_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), "utf-8")
    assert "\n".join(lines) == path.read_text("utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


class _Served(etree.Resolver):
    """Gives the schema parser our own files and nothing else."""

    def resolve(self, system_url: str, public_id: str, context: object) -> object:
        return self.resolve_string(served("http://x")[system_url.partition("?")[2].lower()], context)  # type: ignore[arg-type]


def schema(edition: str) -> etree.XMLSchema:
    parser = etree.XMLParser()
    parser.resolvers.add(_Served())
    wsdl = etree.fromstring(served("http://x")[edition])
    inline = wsdl.find("{http://schemas.xmlsoap.org/wsdl/}types/{http://www.w3.org/2001/XMLSchema}schema")
    return etree.XMLSchema(etree.fromstring(etree.tostring(inline), parser, base_url="http://x/"))


@pytest.fixture(scope="module", params=["wsdl", "wsdl=2014"])
def edition(request: pytest.FixtureRequest) -> Iterator[etree.XMLSchema]:
    return schema(request.param)


@pytest.mark.parametrize("name", CASES)
def test_answers_are_valid_by_both_editions(name: str, edition: etree.XMLSchema) -> None:
    root = etree.fromstring(answer(name)[2])
    content = root.find(f"{{{SOAP}}}Body")[0]  # type: ignore[index]
    if content.tag == f"{{{SOAP}}}Fault":
        detail = content.find("detail")
        if detail is None:
            assert name.split("_")[1] in ("addressing", "policy", "token", "soap", "unknown")
            return
        content = detail[0]
    assert edition.validate(content), edition.error_log


def test_the_schema_really_judges(edition: etree.XMLSchema) -> None:
    spoilt = answer("accept_document")[2].replace(b"sysRef>", b"sysref>")
    assert not edition.validate(etree.fromstring(spoilt).find(f"{{{SOAP}}}Body")[0])  # type: ignore[index]


def test_sys_ref_stands_literally() -> None:
    gate = Gate()
    body = gate.post(asking(accept_body())).body.decode()
    found = re.search(r"<sysRef>([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})</sysRef>", body)
    assert found is not None
    assert found[1] == gate.received[0].sys_ref
    assert "<ns2:AcceptDocumentResponse " in body
    assert body.startswith('<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">')
    assert f'<RelatesTo xmlns="{WSA}">{MESSAGE_ID}</RelatesTo>' in body


def test_error_code_and_text_stand_literally() -> None:
    body = answer("fault_no_schema")[2].decode()
    assert "<faultcode>soap:Server</faultcode><faultstring>Błąd komunikacji</faultstring>" in body
    assert f"<errorCode>E003</errorCode><errorDesc>{NO_SCHEMA}</errorDesc>" in body
    body = answer("fault_administration_only")[2].decode()
    assert f"<faultstring>{ADMINISTRATION_ONLY}</faultstring>" in body
    assert f"<errorDesc>{ADMINISTRATION_ONLY}</errorDesc>" in body


def test_fault_action_names_the_operation() -> None:
    root = etree.fromstring(answer("fault_no_schema")[2])
    assert root.findtext(f".//{{{WSA}}}Action") == f"{PULL}/DocumentHandlingPort/AcceptDocument/Fault/techErrorFault"


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("accept_document", "AcceptDocument"),
        ("next_document", "GetNextDocument"),
        ("next_document_none", "GetNextDocument"),
        ("next_document_sisc", "GetNextDocumentSisc"),
        ("next_document_sisc_none", "GetNextDocumentSisc"),
        ("documents", "GetDocuments"),
    ],
)
def test_the_action_of_an_answer_names_the_operation_that_was_called(name: str, operation: str) -> None:
    """Two operations answer with the same element, and stacks with WS-Addressing tell them apart by this."""
    root = etree.fromstring(answer(name)[2])
    assert root.findtext(f".//{{{WSA}}}Action") == f"{PULL}/DocumentHandlingPort/{operation}Response"


def test_content_survives_base64_and_escaping() -> None:
    gate = Gate()
    data = bytes(range(256)) * 40
    gate.waiting = [document(content=data, filename='a"<&>\u017c.xml')]
    root = etree.fromstring(gate.post(asking(next_body())).body)
    found = root.find(f".//{{{CHANNEL}}}content")
    assert found is not None
    from base64 import b64decode

    assert b64decode(found.text or "") == data
    assert found.get("filename") == 'a"<&>ż.xml'


def test_what_xml_cannot_carry_is_replaced() -> None:
    text = "a\x00b\x0bc\ufffed\ud800e\r\n\tf"
    assert etree.fromstring(f"<a b='{escaped(text)}'/>").get("b") == "a?b?c?d?e\r\n\tf"


TEXTS = {value for name, value in vars(faults).items() if name.isupper() and isinstance(value, str)}


@pytest.mark.parametrize("code", [code for code, entry in CODES.items() if entry.verdict == "fault"])
def test_every_code_that_is_told_has_words_for_it(code: str) -> None:
    """Faults about the sender's identity say nothing of ours; all others say both sentences, beside the contract's own text."""
    error = GatewayError(code)
    fault = soap_fault(error)
    words = f"{error.text('pl')} {error.text('en')}"
    if code.split(".")[0] in ("addressing", "policy", "token", "reply"):
        assert words not in fault.string + fault.error_desc
        assert fault.reason is None
    elif fault.reason is None:
        assert (fault.error_desc or fault.string) == words
    else:
        assert fault.reason == (code, error.text("pl"), error.text("en"))
        assert fault.error_desc in TEXTS
    assert fault.status == 500


@pytest.mark.parametrize(
    "error",
    [
        Failed("unexpected", kind="KeyError"),
        Failed("route.no_route", system="S", root="R"),
        KeyError("secret"),
        Rejected("validate.schema"),
    ],
)
def test_what_was_never_meant_for_a_sender_is_not_told(error: Exception) -> None:
    fault = soap_fault(error)
    assert (fault.kind, fault.error_code) == ("tech", "E001")
    assert fault == soap_fault(ValueError())


def test_a_failing_keeper_becomes_a_fault_without_details() -> None:
    _, _, body = answer("fault_unexpected")
    assert b"hunter2" not in body
    assert b"RuntimeError" not in body


def test_after_a_poll_the_mailbox_hears_how_it_ended() -> None:
    import asyncio

    for written, word in ((True, "collected"), (False, "released")):
        gate = Gate()
        gate.waiting = [document()]
        reply = gate.post(asking(next_body()))
        assert reply.after is not None
        assert gate.settled == []
        asyncio.run(reply.after(written))  # type: ignore[arg-type]
        assert gate.settled == [(word, "17", 3)]


def test_a_busy_store_after_the_answer_breaks_nothing_any_more() -> None:
    import asyncio

    async def busy(document_id: str, claim: int) -> None:
        raise Deferred("record.store_unavailable")

    gate = Gate()
    gate.waiting = [document()]
    gate.collected = busy  # type: ignore[method-assign]
    reply = gate.post(asking(next_body()))
    assert reply.after is not None
    asyncio.run(reply.after(True))  # type: ignore[arg-type]


def test_a_document_that_cannot_be_written_is_released() -> None:
    gate = Gate()
    gate.waiting = [document(content=None)]
    assert gate.post(asking(next_body())).status == 500
    assert gate.settled == [("released", "17", 3)]


def test_an_empty_mailbox_has_nothing_to_settle() -> None:
    assert Gate().post(asking(next_body())).after is None
    assert Gate().post(asking(accept_body())).after is None
