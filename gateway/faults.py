"""What a door says when something goes wrong: the only place where an error becomes words for a sender.

`soap_fault` is the translation for the SEAP channel. The texts in capitals are the contract that trader software
reads; our own sentence, Polish then English, follows them in errorDesc and says what to change. An error about the
sender's identity is never explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.errors import GatewayError

SOAP_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_POLICY = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
_WSS4J = "http://ws.apache.org/wss4j"

COMMUNICATION = "Błąd komunikacji"
NO_SCHEMA = "Problems while processing content or no active XSD schema for current document."
ADMINISTRATION_ONLY = "Dopasowany schemat nie jest schematem wysyłki"
SECURITY = "A security error was encountered when verifying the message"
ADDRESSING_MISSING = "A required header representing a Message Addressing Property is not present"
ADDRESSING_INVALID = "A header representing a Message Addressing Property is not valid and the message cannot be processed"
POLICY = "These policy alternatives can not be satisfied:" + "".join(
    f"\n{{{_POLICY}}}{name}" for name in ("SupportingTokens", "UsernameToken", "WssUsernameToken10", "HashPassword")
)
NO_PERMISSION = "No permission to idSiscROF/idSiscROP/idSiscP"
PERIOD = "DataOd and DataDo must be defined and must be limited up to 10 days period"
NO_SISC = "At least one of idSisc needs to be provided"
BUSY = "Przekroczono limit jednoczesnych połączeń"
INTERNAL = "Błąd wewnętrzny"

Kind = Literal["plain", "tech", "business"]


@dataclass(frozen=True, slots=True)
class SoapFault:
    """A SOAP 1.1 fault. `code` is a qualified name (namespace, local name).

    `plain` faults have no detail; `tech` and `business` carry error_code and error_desc in the detail of that kind.
    `status` is always 500: SOAP 1.1 (section 6.2) asks for it, and client stacks read a fault under no other.
    `retry_after`, in seconds, goes out as the HTTP header of that name.
    """

    code: tuple[str, str]
    string: str
    kind: Kind = "plain"
    error_code: str = ""
    error_desc: str = ""
    status: int = 500
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """How a code is told. `desc` opens errorDesc; `explained`: our own sentences follow (or are all there is)."""

    string: str
    kind: Kind = "plain"
    error_code: str = ""
    desc: str = ""
    code: tuple[str, str] = (SOAP_ENVELOPE, "Server")
    explained: bool = True
    retry_after: int | None = None


_CONTENT = _Row(COMMUNICATION, "tech", "E003", NO_SCHEMA)
_CLIENT = _Row("", code=(SOAP_ENVELOPE, "Client"))
_UNEXPECTED = _Row(
    INTERNAL, "tech", "E001", "Nieoczekiwany błąd; niczego nie przyjęto. Unexpected error; nothing was accepted.", explained=False
)

#: code, or its stage, -> how the SEAP channel tells it. E001 for our own troubles is our choice: the channel's table is not known whole.
_SOAP: dict[str, _Row] = {
    "receive": _CONTENT,
    "parse": _CONTENT,
    "identify": _CONTENT,
    "identify.administration_only": _Row(ADMINISTRATION_ONLY, "tech", "E003", ADMINISTRATION_ONLY),
    "receive.request": _CLIENT,
    "receive.soap_version": _Row("", code=(SOAP_ENVELOPE, "VersionMismatch")),
    "receive.must_understand": _Row("", code=(SOAP_ENVELOPE, "MustUnderstand")),
    "receive.message_id_reused": _Row(COMMUNICATION, "tech", "E003"),
    "read": _CLIENT,
    "read.no_permission": _Row(NO_PERMISSION, "business", "B006", NO_PERMISSION),
    "read.period": _Row(PERIOD, "business", "B006", PERIOD),
    "read.no_sisc": _Row(NO_SISC, "business", "B006", NO_SISC),
    "receive.busy": _Row(BUSY, "tech", "E011", retry_after=5),
    "record.store_unavailable": _Row(INTERNAL, "tech", "E001", retry_after=5),
    "addressing.missing": _Row(ADDRESSING_MISSING, code=(_ADDRESSING, "MessageAddressingHeaderRequired"), explained=False),
    "addressing.invalid": _Row(ADDRESSING_INVALID, code=(_ADDRESSING, "InvalidAddressingHeader"), explained=False),
    "policy": _Row(POLICY, explained=False),
    "token": _Row(SECURITY, code=(_WSS4J, "SecurityError"), explained=False),
}


def soap_fault(error: Exception) -> SoapFault:
    """The fault for `error`. Anything unknown, or never meant for a sender, is told without details."""
    row = _UNEXPECTED
    if isinstance(error, GatewayError):
        row = _SOAP.get(error.code) or _SOAP.get(error.stage) or _UNEXPECTED
    words = f"{error.text('pl')} {error.text('en')}" if row.explained and isinstance(error, GatewayError) else ""
    if row.kind == "plain":
        return SoapFault(row.code, row.string or words)
    desc = f"{row.desc} {words}".strip()
    return SoapFault(row.code, row.string, row.kind, row.error_code, desc, retry_after=_seconds(error, row))


def _seconds(error: Exception, row: _Row) -> int | None:
    """The error's own `seconds`, where it carries them, before the table's."""
    own = error.context.get("seconds") if isinstance(error, GatewayError) else None
    return own if row.retry_after is not None and isinstance(own, int) else row.retry_after
