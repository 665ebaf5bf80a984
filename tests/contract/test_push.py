"""The push contract: its WSDL name by name, the request as it goes over the wire, and what each answer means."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from zeep import Client

from gateway.endpoints.push.call import Call, Credentials, Document
from gateway.endpoints.soap.contract import CHANNEL, PULL, PUSH, served
from gateway.endpoints.soap.push_contract import WSDL, push_sources
from gateway.errors import GatewayError
from gateway.http_answer import HttpAnswer
from gateway.security.xml import HardenedParser

XS = "{http://www.w3.org/2001/XMLSchema}"
W = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
WSA = "{http://www.w3.org/2005/08/addressing}"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
CH = f"{{{CHANNEL}}}"
DOCUMENT = Document("6f1f4f0a-2f0e-4a57-9b0e-1de0a63f5d11", "CC029C_X-1.xml", "<a>żółw</a>".encode() * 50)
URL = "https://edi.example:8443/seap?for=brama&x=1"


@pytest.fixture(scope="module")
def call() -> Call:
    return Call(HardenedParser())


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    folder = tmp_path_factory.mktemp("push")
    for name, text in push_sources().items():
        (folder / name).write_bytes(text)
    (types,) = etree.parse(str(folder / WSDL)).iter(f"{W}types")
    (folder / "push.xsd").write_bytes(etree.tostring(types[0]))  # with the prefixes of the elements around it
    return etree.XMLSchema(file=str(folder / "push.xsd"))


def parts(request: bytes) -> tuple[etree._Element, etree._Element]:
    """Header and the body's one child."""
    envelope = etree.fromstring(request)
    assert envelope.tag == f"{SOAP}Envelope"
    header, body = envelope
    assert (header.tag, body.tag, len(body)) == (f"{SOAP}Header", f"{SOAP}Body", 1)
    return header, body[0]


# --- the contract --------------------------------------------------------------------------------------------------------


def test_the_wsdl_has_accept_document_alone_with_both_faults_and_the_policy_of_the_pull_service() -> None:
    push = etree.fromstring(served("https://brama.example")["wsdl=push"])
    pull = etree.fromstring(served("https://brama.example")["wsdl"])
    assert push.get("targetNamespace") == PUSH
    assert [o.get("name") for o in push.iter(f"{W}operation")] == ["AcceptDocument", "AcceptDocument"]
    (port_type,) = push.findall(f"{W}portType")
    assert [(c.tag, c.get("name"), c.get("message")) for c in port_type[0]] == [
        (f"{W}input", None, "tns:AcceptDocumentRequest"),
        (f"{W}output", None, "tns:AcceptDocumentResponse"),
        (f"{W}fault", "businessErrorFault", "tns:businessErrorFault"),
        (f"{W}fault", "techErrorFault", "tns:techErrorFault"),
    ]
    for name in ("portType", "binding", "service"):
        assert [e.get("name") for e in push.findall(W + name)] == [e.get("name") for e in pull.findall(W + name)]
    policy = "{http://www.w3.org/ns/ws-policy}Policy"
    canonical = [etree.tostring(wsdl.find(policy), method="c14n", exclusive=True) for wsdl in (push, pull)]
    assert canonical[0].replace(PUSH.encode(), PULL.encode()) == canonical[1]
    elements = [e.get("name") for e in push.find(f"{W}types/{XS}schema") if e.tag == f"{XS}element"]
    assert elements == ["AcceptDocumentRequest", "AcceptDocumentResponse", "businessErrorFault", "techErrorFault"]


def test_each_element_of_the_wsdl_is_that_of_the_pull_service_in_its_own_namespace() -> None:
    push, pull = etree.fromstring(served("https://brama.example")["wsdl=push"]), etree.fromstring(served("https://brama.example")["wsdl"])
    for element in push.find(f"{W}types/{XS}schema").findall(f"{XS}element"):
        twin = pull.find(f"{W}types/{XS}schema/{XS}element[@name='{element.get('name')}']")
        texts = [etree.tostring(e, method="c14n", exclusive=True, with_tail=False) for e in (element, twin)]
        assert texts[0].replace(PUSH.encode(), PULL.encode()) == texts[1]


def test_the_wsdl_loads_in_zeep_as_a_trader_would_load_it(tmp_path: Path) -> None:
    for name, text in push_sources().items():
        (tmp_path / name).write_bytes(text)
    client = Client(str(tmp_path / WSDL))
    (service,) = client.wsdl.services.values()
    assert (service.name, list(service.ports)) == ("DocumentHandlingSvc", ["DocumentHandlingPort"])
    assert b"?xsd=WS_CHANNEL.xsd" in served("https://brama.example")["wsdl=push"]


# --- the request -----------------------------------------------------------------------------------------------------------


def test_the_request_conforms_to_the_schema_and_carries_the_document_unchanged(call: Call, schema: etree.XMLSchema) -> None:
    given = Document("6f1f4f0a-2f0e-4a57-9b0e-1de0a63f5d11", "UPP.xml", b"\x00\xff<a/>", "other", "case 7", "8" * 17, "A" * 17, "B" * 17)
    _, request = parts(call.request(URL, Credentials("brama", "hasło", "b"), given))
    schema.assertValid(request)
    assert request.tag == f"{{{PUSH}}}AcceptDocumentRequest"
    (document,) = request
    names = [child.tag.removeprefix(CH) for child in document]
    assert names == ["content", "dispatchId", "caseId", "personSISC", "middleSISC", "endSISC", "targetSystems"]
    assert base64.b64decode(document[0].text) == given.content
    assert dict(document[0].attrib) == {"filename": "UPP.xml", "mime": "other"}
    assert [document[n].text for n in range(1, 6)] == [given.document_id, "case 7", "8" * 17, "A" * 17, "B" * 17]
    assert [system.text for system in document[6]] == ["PODMIOT"]


def test_what_is_not_known_is_left_out(call: Call, schema: etree.XMLSchema) -> None:
    _, request = parts(call.request(URL, Credentials("brama", "hasło", "b"), DOCUMENT))
    schema.assertValid(request)
    assert [child.tag.removeprefix(CH) for child in request[0]] == ["content", "dispatchId", "targetSystems"]


@pytest.mark.parametrize("digest", ["a", "b"])
def test_the_token_carries_the_digest_that_was_agreed(call: Call, digest: str) -> None:
    header, _ = parts(call.request(URL, Credentials("brama@mf.example", "hasło żółw", digest), DOCUMENT))  # type: ignore[arg-type]
    (security,) = header.findall(f"{WSSE}Security")
    (token,) = security
    username, password, nonce, created = token
    assert username.text == "brama@mf.example"
    assert password.get("Type", "").endswith("username-token-profile-1.0#PasswordDigest")
    assert nonce.get("EncodingType", "").endswith("soap-message-security-1.0#Base64Binary")
    assert len(base64.b64decode(nonce.text)) == 16
    secret = "hasło żółw".encode()
    if digest == "b":
        secret = base64.b64encode(hashlib.sha1(secret).digest())
    salt = base64.b64decode(nonce.text) + created.text.encode()
    assert password.text == base64.b64encode(hashlib.sha1(salt + secret).digest()).decode()
    assert created.text.endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(created.text)) < timedelta(seconds=30)
    assert "hasło" not in etree.tostring(header, encoding="unicode")


def test_each_attempt_has_the_same_identifiers_and_content_and_a_token_of_its_own(call: Call) -> None:
    made = [parts(call.request(URL, Credentials("brama", "p", "b"), DOCUMENT)) for _ in range(2)]
    for header, _ in made:
        addressing = {child.tag: child.text for child in header if child.tag.startswith(WSA)}
        assert addressing == {
            f"{WSA}Action": "AcceptDocument",
            f"{WSA}MessageID": f"urn:uuid:{DOCUMENT.document_id}",
            f"{WSA}To": URL,
        }
    bodies = [etree.tostring(body, method="c14n") for _, body in made]
    assert bodies[0] == bodies[1]
    nonces = {header.findtext(f".//{WSSE}Nonce") for header, _ in made}
    assert len(nonces) == 2


def test_a_document_of_the_largest_size_goes_out_whole(call: Call) -> None:
    content = b"<a>" + b"0123456789abcdef" * 940_000 + b"</a>"
    request = call.request(URL, Credentials("brama", "p", "b"), Document(DOCUMENT.document_id, "UPP.xml", content))
    start = request.index(b">", request.index(b":content ")) + 1
    assert base64.b64decode(request[start : request.index(b"</", start)]) == content


# --- the answer ------------------------------------------------------------------------------------------------------------


def envelope(inside: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP[1:-1]}"><s:Body>{inside}</s:Body></s:Envelope>'.encode()


def answer(sys_ref: str = "<sysRef>ref-1</sysRef>", namespace: str = PUSH, name: str = "AcceptDocumentResponse") -> bytes:
    return envelope(f'<n:{name} xmlns:n="{namespace}"><result xmlns="{CHANNEL}">{sys_ref}</result></n:{name}>')


def fault(kind: str, code: str, string: str = "x", faultcode: str = "s:Server") -> bytes:
    error = f'<p:error><errorCode xmlns="{CHANNEL}">{code}</errorCode><errorDesc xmlns="{CHANNEL}">opis</errorDesc></p:error>'
    detail = f'<detail><p:{kind} xmlns:p="{PUSH}">{error}</p:{kind}></detail>' if kind else ""
    return envelope(f"<s:Fault><faultcode>{faultcode}</faultcode><faultstring>{string}</faultstring>{detail}</s:Fault>")


def http(status: int, body: bytes, media: str = "text/xml; charset=utf-8", whole: bool = True, **headers: str) -> HttpAnswer:
    return HttpAnswer(status, {"content-type": media, **headers}, body, whole)


@pytest.mark.parametrize("media", ["text/xml", "application/xml", "text/xml;charset=UTF-8", "TEXT/XML"])
def test_the_sys_ref_of_an_answer_is_kept(call: Call, media: str) -> None:
    assert call.judge("edi.example", http(200, answer(), media)) == "ref-1"


def test_an_answer_may_use_any_prefixes_and_headers_of_its_own(call: Call) -> None:
    body = (
        f'<Envelope xmlns="{SOAP[1:-1]}"><Header><x xmlns="urn:x"/></Header><Body><AcceptDocumentResponse xmlns="{PUSH}">'
        f'<c:result xmlns:c="{CHANNEL}"><c:sysRef>7</c:sysRef></c:result></AcceptDocumentResponse></Body></Envelope>'
    )
    assert call.judge("edi.example", http(200, body.encode())) == "7"


ENTITIES = b'<!DOCTYPE a [<!ENTITY b "ccc">]>' + answer("<sysRef>&b;</sysRef>")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        # refused: the same document would be refused again
        (http(500, fault("businessErrorFault", "B001")), "push.refused"),
        (http(500, fault("techErrorFault", "E003")), "push.refused"),
        (http(200, fault("businessErrorFault", "B006")), "push.refused"),
        (http(413, b""), "push.refused"),
        # come again
        (http(500, fault("businessErrorFault", "B010")), "push.later"),
        (http(500, fault("techErrorFault", "E011")), "push.later"),
        (http(500, fault("techErrorFault", "E001")), "push.later"),
        (http(503, b""), "push.later"),
        (http(429, b"slow down", "text/plain"), "push.later"),
        # our address or password is wrong
        (http(500, fault("", "", "no", "w:SecurityError")), "push.misconfigured"),
        (http(500, fault("", "", "no", "wsse:FailedAuthentication")), "push.misconfigured"),
        (http(500, fault("", "", "no", "a:MessageAddressingHeaderRequired")), "push.misconfigured"),
        (http(401, b""), "push.misconfigured"),
        (http(404, b"<html/>", "text/html"), "push.misconfigured"),
        (http(302, b"", location="http://10.0.0.1/"), "push.misconfigured"),
        # nobody knows
        (http(500, b"Internal Server Error", "text/plain"), "push.in_doubt"),
        (http(500, fault("", "", "NullPointerException")), "push.in_doubt"),
        (http(502, b"<html/>", "text/html"), "push.in_doubt"),
        (http(200, b"", "text/plain"), "push.in_doubt"),
        (http(200, b"<html/>", "text/html"), "push.in_doubt"),
        (http(200, b"<a/>"), "push.in_doubt"),
        (http(200, b"<a"), "push.in_doubt"),
        (http(200, answer(), whole=False), "push.in_doubt"),
        (http(200, answer("")), "push.in_doubt"),
        (http(200, answer("<sysRef> </sysRef>")), "push.in_doubt"),
        (http(200, answer(namespace=PULL)), "push.in_doubt"),
        (http(200, answer(name="GetNextDocumentResponse")), "push.in_doubt"),
        (http(200, envelope("")), "push.in_doubt"),
        (http(200, ENTITIES), "push.in_doubt"),
        (http(200, answer().replace(SOAP[1:-1].encode(), b"http://www.w3.org/2003/05/soap-envelope")), "push.in_doubt"),
        (http(200, b"<a>" * 5_000 + b"</a>" * 5_000), "push.in_doubt"),
        (http(200, answer(), "multipart/related; boundary=x"), "push.in_doubt"),
        (http(202, b""), "push.in_doubt"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}-{hashlib.sha256(value.body).hexdigest()[:6]}",
)
def test_what_each_answer_means(call: Call, said: HttpAnswer, code: str) -> None:
    with pytest.raises(GatewayError) as told:
        call.judge("edi.example", said)
    assert told.value.code == code
    assert "edi.example" in told.value.text("pl")
    assert len(told.value.text("en")) < 500


def test_what_an_endpoint_says_is_kept_short_and_on_one_line(call: Call) -> None:
    with pytest.raises(GatewayError) as told:
        call.judge("edi.example", http(500, fault("techErrorFault", "E001", "a\n\n" + "b" * 5_000)))
    assert "\n" not in told.value.text("en")
    assert len(told.value.text("en")) < 500


def test_the_time_a_busy_endpoint_asks_for_is_handed_on(call: Call) -> None:
    with pytest.raises(GatewayError) as told:
        call.judge("edi.example", http(503, b"", **{"retry-after": "120"}))
    assert told.value.context["retry_after"] == "120"
