"""One call of a trader's AcceptDocument: the envelope, made by zeep from our own WSDL, and what the answer means.

Every attempt for a document carries the same wsa:MessageID and the same dispatchId, both derived from the document's id,
and the same content; only the token is new, because it holds for minutes. So an endpoint can tell a repeat from news.

| answer | means |
| --- | --- |
| AcceptDocumentResponse with a sysRef | taken |
| businessErrorFault, except B010 (emergency mode) | refused: the same document would be refused again |
| techErrorFault E003 (content, schema) | refused |
| B010, any other techErrorFault, HTTP 408, 425, 429, 503 | come again later |
| a fault of security or addressing, HTTP 3xx, 401, 403, 404 and most other 4xx | not let in: address or password is wrong |
| HTTP 413 | refused |
| everything else | in doubt: it may have arrived |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lxml import etree
from lxml.etree import _Element
from zeep import Client, Settings
from zeep.exceptions import Error as ZeepError
from zeep.wsa import WSA
from zeep.wsdl.utils import get_or_create_header
from zeep.wsse.username import UsernameToken

from gateway.endpoints.soap.contract import PUSH, TRADER
from gateway.endpoints.soap.push_contract import WSDL, push_sources
from gateway.endpoints.soap.token import hashed_password
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.http_answer import HttpAnswer
from gateway.ports import Parser

OPERATION = "AcceptDocument"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MAX_SYS_REF = 100
_ANSWER = f"{{{PUSH}}}AcceptDocumentResponse"
_FOLDER = "file:///brama/"

_LATER_STATUS = frozenset({408, 425, 429, 503})
_REFUSED_STATUS = 413
_LATER_CODES = frozenset({"B010"})
_REFUSED_CODES = frozenset({"E003"})
#: Local names of the faults by which WSS4J, WCF and others say that token or addressing do not please them.
_NOT_LET_IN = ("security", "authentication", "failedcheck", "addressing", "actionnotsupported")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we prove to an endpoint who we are. `digest`: a (of the password) or b (of its Base64 SHA-1)."""

    login: str
    password: str = field(repr=False)
    digest: Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Document:
    """What is handed over; `document_id` names the dispatch."""

    document_id: str
    filename: str
    content: bytes
    mime: str = "application/xml"
    case_id: str | None = None
    person_sisc: str | None = None
    middle_sisc: str | None = None
    end_sisc: str | None = None


class _Shipped:
    """zeep's transport for reading the WSDL: our own files and nothing else."""

    def load(self, url: str) -> bytes:
        return push_sources()[url.removeprefix(_FOLDER)]


class Call:
    """Makes requests and reads answers. zeep never sees a byte from the network: the hardened parser reads first."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        settings = Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False)
        self._client = Client(_FOLDER + WSDL, transport=_Shipped(), settings=settings)
        self._operation = self._client.service._binding.get(OPERATION)

    def request(self, url: str, credentials: Credentials, document: Document) -> bytes:
        """The SOAP envelope, UTF-8."""
        content = {"_value_1": document.content, "filename": document.filename, "mime": document.mime}
        values: dict[str, Any] = {
            "content": content,
            "dispatchId": document.document_id,
            "caseId": document.case_id,
            "personSISC": document.person_sisc,
            "middleSISC": document.middle_sisc,
            "endSISC": document.end_sisc,
            "targetSystems": {"system": [TRADER]},
        }
        envelope = self._client.create_message(self._client.service, OPERATION, document=values)
        header = get_or_create_header(envelope)
        header.extend([WSA.Action(OPERATION), WSA.MessageID(f"urn:uuid:{document.document_id}"), WSA.To(url)])
        password = credentials.password if credentials.digest == "a" else hashed_password(credentials.password)
        UsernameToken(credentials.login, password, use_digest=True, zulu_timestamp=True).apply(envelope, {})
        return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)

    def judge(self, host: str, answer: HttpAnswer) -> str:
        """The endpoint's sysRef. Raises Rejected(push.refused), Deferred(push.later | push.in_doubt), Failed(push.misconfigured)."""
        body = self._body(answer)
        fault = body.find(f"{{{SOAP}}}Fault") if body is not None else None
        if fault is not None:
            raise _of_fault(host, fault)
        if answer.status != 200:
            raise _of_status(host, answer)
        if body is None or [child.tag for child in body] != [_ANSWER]:
            raise Deferred("push.in_doubt", host=host, detail="HTTP 200 with a body that is no AcceptDocumentResponse in SOAP 1.1")
        try:
            result = self._operation.process_reply(body.getparent())
        except (ZeepError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise Deferred("push.in_doubt", host=host, detail=f"HTTP 200 with a body that is no answer ({type(error).__name__})") from error
        sys_ref = getattr(result, "sysRef", result)
        if not isinstance(sys_ref, str) or not sys_ref.strip():
            raise Deferred("push.in_doubt", host=host, detail="HTTP 200 without a sysRef")
        return sys_ref.strip()[:MAX_SYS_REF]

    def _body(self, answer: HttpAnswer) -> _Element | None:
        """The SOAP body; None when there is none that can be read."""
        media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not answer.whole or media not in ("text/xml", "application/xml"):
            return None
        try:
            root = self._parser.parse(answer.body)
        except GatewayError:
            return None
        return root.find(f"{{{SOAP}}}Body") if root.tag == f"{{{SOAP}}}Envelope" else None


def _of_status(host: str, answer: HttpAnswer) -> GatewayError:
    status, detail = answer.status, f"HTTP {answer.status}"
    if status in _LATER_STATUS:
        return Deferred("push.later", host=host, detail=detail, retry_after=answer.headers.get("retry-after"))
    if status == _REFUSED_STATUS:
        return Rejected("push.refused", host=host, detail=detail)
    if 300 <= status < 500:
        return Failed("push.misconfigured", host=host, detail=detail)
    return Deferred("push.in_doubt", host=host, detail=f"{detail} without a statement")


def _of_fault(host: str, fault: _Element) -> GatewayError:
    """By the code in the detail; without one by the faultcode. Namespaces are not insisted on here: the words are what counts."""
    code = next((_said(e) for e in fault.iter("{*}errorCode")), "")
    business = next(fault.iter("{*}businessErrorFault"), None) is not None
    what = _said(fault.find("faultstring")) or next((_said(e) for e in fault.iter("{*}errorDesc")), "")
    detail = ", ".join(filter(None, (code, what))) or "a fault without words"
    if code:
        refused = code in _REFUSED_CODES if not business else code not in _LATER_CODES
        return Rejected("push.refused", host=host, detail=detail) if refused else Deferred("push.later", host=host, detail=detail)
    name = _said(fault.find("faultcode")).rpartition(":")[2].lower()
    if any(word in name for word in _NOT_LET_IN):
        return Failed("push.misconfigured", host=host, detail=detail)
    return Deferred("push.in_doubt", host=host, detail=detail)


def _said(element: _Element | None) -> str:
    """Its text as one short line."""
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())[:300]
