"""What is taken from an AcceptDocumentRequest, and how lenient the outer request is."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.errors import Rejected
from gateway.message import Attachment, Received
from gateway.steps.receive import digest as digest_of
from tests.soap_requests import DOCUMENT, Gate, accept_body, b64, content, envelope, reason, told

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def received(inner: str, **settings: int) -> Received:
    gate = Gate(**settings)
    reply = gate.post(envelope(accept_body(inner)))
    assert reply.status == 200, reply.body
    return gate.received[0]


TOLERATED = {
    "no targetSystems": content(),
    "targetSystems with text and a wrong xsi:type": content() + f'<targetSystems {XSI} xsi:type="systemType">SENT</targetSystems>',
    "unknown system": content() + "<targetSystems><system>NOWY</system></targetSystems>",
    "emailReplyList": content() + "<targetSystems/><emailReplyList><email>a@b.example</email></emailReplyList>",
    "unknown element": content() + "<whatever><deeper/></whatever>",
    "order turned round": "<targetSystems/>" + content(),
    "fields of the other direction": content() + "<dispatchId>1</dispatchId><caseId>2</caseId><personSISC>3</personSISC>",
    "no mime": content(attributes=""),
    "unknown mime": content(attributes='mime="text/xml"'),
    "white space around": content("\r\n   " + b64(DOCUMENT)[:20] + "\n\t" + b64(DOCUMENT)[20:] + "  "),
    "CDATA": content(f"<![CDATA[{b64(DOCUMENT)}]]>"),
    "comment between": content(f"{b64(DOCUMENT)[:7]}<!-- x -->{b64(DOCUMENT)[7:]}"),
    "empty attachments": content() + "<attachments/>",
}


@pytest.mark.parametrize("name", TOLERATED)
def test_the_outer_request_is_read_leniently(name: str) -> None:
    assert received(TOLERATED[name]).content == DOCUMENT


def test_the_bytes_are_kept_as_they_came() -> None:
    data = b"\xef\xbb\xbf<?xml version='1.0'?>\r\n<a>\t</a>\r\n\x00\xff"
    assert received(content(data)).content == data


def test_without_attachments_the_digest_is_that_of_the_content() -> None:
    assert received(content()).digest == sha256(DOCUMENT).digest()


def test_attachments_change_the_digest_and_their_order_counts() -> None:
    one, two = Attachment("a", "other", b"1"), Attachment("b", "other", b"2")
    own = sha256(DOCUMENT).digest()
    assert digest_of(DOCUMENT, (one,)) == sha256(own + sha256(b"1").digest()).digest()
    assert digest_of(DOCUMENT, (one, two)) != digest_of(DOCUMENT, (two, one))
    assert digest_of(DOCUMENT, (one,)) != digest_of(DOCUMENT + sha256(b"1").digest(), ())


def test_name_and_type_of_an_attachment_do_not_change_the_digest() -> None:
    assert digest_of(DOCUMENT, (Attachment("a", "other", b"1"),)) == digest_of(DOCUMENT, (Attachment(None, "application/xml", b"1"),))


def test_number_of_attachments_is_a_setting() -> None:
    inner = content() + f"<attachments>{content() * 3}</attachments>"
    assert len(received(inner, max_attachments=3).attachments) == 3
    gate = Gate(max_attachments=2)
    assert "Załączników jest 3, dozwolone: 2." in reason(gate.post(envelope(accept_body(inner))))[1]
    assert gate.untouched()


def test_size_is_a_setting() -> None:
    gate = Gate(max_content=len(DOCUMENT) - 1)
    assert f"{len(DOCUMENT)} bajtów" in reason(gate.post(envelope()))[1]
    assert gate.untouched()


def test_unknown_type_of_an_attachment_counts_as_other() -> None:
    inner = content() + "<attachments>" + content(b"abc", 'mime="image/png"') + "</attachments>"
    assert received(inner).attachments[0].mime == "other"


@pytest.mark.parametrize("start", [b"<a/>", b"\xef\xbb\xbf<a/>", b"\n <a/>", "<a/>".encode("utf-16")])
def test_an_xml_attachment_may_start_in_several_ways(start: bytes) -> None:
    inner = content() + "<attachments>" + content(start, 'mime="application/xml"') + "</attachments>"
    assert received(inner).attachments[0].content == start


def test_every_call_gets_its_own_sys_ref() -> None:
    gate = Gate()
    for _ in range(3):
        gate.post(envelope())
    assert len({message.sys_ref for message in gate.received}) == 3


def test_a_request_never_read_gets_a_fault_too() -> None:
    gate = Gate()
    reply = gate.door.refuse(Rejected("receive.busy", seconds=3))
    assert told(reply)[3] == "E011"
    assert reply.headers["Retry-After"] == "3"
