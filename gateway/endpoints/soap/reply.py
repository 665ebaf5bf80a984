"""Writing answers and faults exactly as the channel's clients know them.

The prefixes are part of the contract: `soap` for the envelope, each addressing header with its own default namespace,
`ns2` for the operation's wrapper, and the document types as default namespace inside it, so that `<sysRef>` stands
literally. Hence templates, not a serialiser.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Protocol
from uuid import uuid4

from gateway.collection import AT_MOST, BYTES_AT_MOST, Found
from gateway.endpoints.soap.addressing import Addressing
from gateway.endpoints.soap.contract import CHANNEL, PULL, TRADER
from gateway.endpoints.soap.criteria import WARSAW
from gateway.endpoints.soap.envelope import ADDRESSING_2005, SOAP
from gateway.faults import SoapFault

_ANONYMOUS = {
    ADDRESSING_2005: f"{ADDRESSING_2005}/anonymous",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
}
_REASON = "urn:brama:seap:reason:1"
_SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
_WRAPPED = f'xmlns="{CHANNEL}" xmlns:ns2="{PULL}"'
_SPECIAL = re.compile('[&<>"\r\n\t\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


_LIMITS = {
    "count": (f"najwyżej {AT_MOST} w odpowiedzi", f"at most {AT_MOST} in an answer"),
    "bytes": (f"najwyżej {BYTES_AT_MOST} bajtów w odpowiedzi", f"at most {BYTES_AT_MOST} bytes in an answer"),
}


class HandedOut(Protocol):
    """A document of the mailbox on its way to the trader, claimed for him until it is collected or released.

    `sys_ref` names the message it answers, for the logs. `dispatch_id` is idWysylki, `case_id` idSprawy; the three
    idSISC are the grades person, intermediary, represented entity. `has_next`: more documents wait.
    """

    @property
    def document_id(self) -> str: ...
    @property
    def claim(self) -> int: ...
    @property
    def filename(self) -> str: ...
    @property
    def mime(self) -> str: ...
    @property
    def content(self) -> bytes: ...
    @property
    def has_next(self) -> bool: ...
    @property
    def sys_ref(self) -> str | None: ...
    @property
    def dispatch_id(self) -> str | None: ...
    @property
    def case_id(self) -> str | None: ...
    @property
    def person_sisc(self) -> str | None: ...
    @property
    def middle_sisc(self) -> str | None: ...
    @property
    def end_sisc(self) -> str | None: ...


def escaped(text: str) -> str:
    """For text and attributes alike. What XML 1.0 cannot carry becomes a question mark."""
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "?"), text)


def accepted(request: Addressing, sys_ref: str) -> bytes:
    """AcceptDocumentResponse."""
    body = f"<ns2:AcceptDocumentResponse {_WRAPPED}><result><sysRef>{escaped(sys_ref)}</sysRef></result></ns2:AcceptDocumentResponse>"
    return _envelope(_headers(request, _action("AcceptDocumentResponse")), body)


def next_document(request: Addressing, handed: HandedOut | None, operation: str) -> bytes:
    """GetNextDocumentResponse; without a document when the mailbox is empty. GetNextDocumentSisc answers with the same element,
    under an Action of its own."""
    has_next = "true" if handed is not None and handed.has_next else "false"
    document = "" if handed is None else _document(handed)
    body = f'<ns2:GetNextDocumentResponse {_WRAPPED} hasNext="{has_next}">{document}</ns2:GetNextDocumentResponse>'
    return _envelope(_headers(request, _action(f"{operation}Response")), body)


def documents(request: Addressing, found: Found) -> bytes:
    """GetDocumentsResponse. documentsCount is how many documents stand in this answer; what was cut is said in documentsInfo."""
    info = "" if found.cut is None else f"<ns2:documentsInfo>{escaped(_cut(found))}</ns2:documentsInfo>"
    body = (
        f"<ns2:GetDocumentsResponse {_WRAPPED}><ns2:documentsCount>{len(found.documents)}</ns2:documentsCount>"
        f"{''.join(map(_document, found.documents))}{info}</ns2:GetDocumentsResponse>"
    )
    return _envelope(_headers(request, _action("GetDocumentsResponse")), body)


def _cut(found: Found) -> str:
    """Polish, then English; with the time from which to ask for the rest, as dataOd of the extended contract takes it."""
    since = "" if found.rest_from is None else found.rest_from.astimezone(WARSAW).isoformat(timespec="microseconds")
    given = len(found.documents)
    limit_pl, limit = _LIMITS[found.cut or "count"]
    return (
        f"Wynik obcięto do {given} dokumentów ({limit_pl}). Pozostałe: dataOd = {since}. "
        f"The result was cut to {given} documents ({limit}). For the rest: dataOd = {since}."
    )


def _document(handed: HandedOut) -> str:
    optional = (
        ("dispatchId", handed.dispatch_id),
        ("caseId", handed.case_id),
        ("personSISC", handed.person_sisc),
        ("middleSISC", handed.middle_sisc),
        ("endSISC", handed.end_sisc),
    )
    ids = "".join(f"<{name}>{escaped(value)}</{name}>" for name, value in optional if value is not None)
    return (
        f'<document><content filename="{escaped(handed.filename)}" mime="{escaped(handed.mime)}">'
        f"{b64encode(handed.content).decode()}</content>{ids}"
        f"<targetSystems><system>{TRADER}</system></targetSystems></document>"
    )


def fault(request: Addressing | None, operation: str | None, told: SoapFault) -> bytes:
    """A fault. Without `request` (its addressing could not be read) there are no headers to answer with."""
    namespace, local = told.code
    prefix, declared = ("soap", "") if namespace == SOAP else ("ns1", f' xmlns:ns1="{escaped(namespace)}"')
    detail, name = "", ""
    if told.kind != "plain":
        name = f"{told.kind}ErrorFault"
        detail = (
            f"<detail><ns2:{name} {_WRAPPED}><ns2:error><errorCode>{escaped(told.error_code)}</errorCode>"
            f"<errorDesc>{escaped(told.error_desc)}</errorDesc></ns2:error></ns2:{name}></detail>"
        )
    body = (
        f"<soap:Fault><faultcode{declared}>{prefix}:{local}</faultcode>"
        f"<faultstring>{escaped(told.string)}</faultstring>{detail}</soap:Fault>"
    )
    headers = "" if request is None else _addresses(request, _fault_action(request, operation, name))
    headers += _reason(told) + (_UPGRADE if told.code == (SOAP, "VersionMismatch") else "")
    return _envelope(f"<soap:Header>{headers}</soap:Header>" if headers else "", body)


#: which envelopes we take, as SOAP 1.2 (part 1, sections 2.8 and 5.4.7, appendix A) has it
_UPGRADE = f'<Upgrade xmlns="{_SOAP_12}"><SupportedEnvelope qname="soap:Envelope"/></Upgrade>'


def _reason(told: SoapFault) -> str:
    """Our own sentences, where the texts of the contract leave them no room. No client has to understand this header."""
    if told.reason is None:
        return ""
    code, polish, english = map(escaped, told.reason)
    return f'<Reason xmlns="{_REASON}" code="{code}"><pl>{polish}</pl><en>{english}</en></Reason>'


def _fault_action(request: Addressing, operation: str | None, name: str) -> str:
    if operation and name:
        return _action(f"{operation}/Fault/{name}")
    if request.namespace == ADDRESSING_2005:
        return f"{ADDRESSING_2005}/soap/fault"
    return f"{request.namespace}/fault"


def _action(of: str) -> str:
    return f"{PULL}/DocumentHandlingPort/{of}"


def _headers(request: Addressing, action: str) -> str:
    return f"<soap:Header>{_addresses(request, action)}</soap:Header>"


def _addresses(request: Addressing, action: str) -> str:
    namespace = request.namespace
    return (
        f'<Action xmlns="{namespace}">{action}</Action>'
        f'<MessageID xmlns="{namespace}">urn:uuid:{uuid4()}</MessageID>'
        f'<To xmlns="{namespace}">{_ANONYMOUS[namespace]}</To>'
        f'<RelatesTo xmlns="{namespace}">{escaped(request.message_id)}</RelatesTo>'
    )


def _envelope(header: str, body: str) -> bytes:
    return f'<soap:Envelope xmlns:soap="{SOAP}">{header}<soap:Body>{body}</soap:Body></soap:Envelope>'.encode()
