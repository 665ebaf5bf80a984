"""What the simulated authority says: phase 5 messages made for one request.

Element names and their order follow the published phase 5 schemas (edition 51.8.6); only what they require is written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from lxml.etree import _Element

NAMESPACE = "http://ncts.dgtaxud.ec"
AUTHORITY = "NTA.PL"
_OFFICE = "PL301010"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an answer needs to know of the request it answers."""

    root: _Element
    message_id: str
    sender: str
    lrn: str | None
    mrn: str

    def text(self, path: str, default: str) -> str:
        return self.root.findtext(path, default).strip() or default


def mrn(seed: str, at: datetime) -> str:
    """An MRN of the form in use since phase 5: year, country, 12 characters, procedure letter, check digit (ISO 6346).

    The same seed and year give the same MRN.
    """
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    digits = ""
    for _ in range(12):
        number, rest = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[rest]
    body = f"{at.year % 100:02d}PL{digits}J"
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """ISO 6346: each letter has a value that is no multiple of 11, each place weighs twice the one before it."""
    total = sum(_value(character) << place for place, character in enumerate(body))
    return str(total % 11 % 10)


def _value(character: str) -> int:
    if character.isdigit():
        return int(character)
    letter = ord(character) - ord("A")
    return 10 + letter + (letter + 9) // 10  # 11, 22 and 33 are left out


def reply(name: str, declaration: Declaration, message_id: str, at: datetime) -> bytes:
    """The answer called `name` (e.g. CC028C) to this request, as UTF-8 with an XML declaration."""
    return _finish(_BODIES[name](_message(name, declaration.sender, message_id, declaration.message_id, at), declaration, at))


def functional_error(code: str, pointer: str, recipient: str, correlation: str | None, message_id: str, at: datetime) -> bytes:
    """A CC906C: the statement in an HTTP refusal, and in the duplicate answer (code 26)."""
    root = _message("CC906C", recipient, message_id, correlation, at)
    _group(root, "Header")
    _group(root, "FunctionalError", errorPointer=pointer, errorCode=code, errorReason="N/A")
    return _finish(root)


def xml_error(text: str, recipient: str, message_id: str, at: datetime) -> bytes:
    """A CC917C: the statement about a request that cannot be read."""
    root = _message("CC917C", recipient, message_id, None, at)
    _group(root, "XMLError", errorLineNumber="0", errorColumnNumber="0", errorCode="50", errorText=text[:512])
    return _finish(root)


def _message(name: str, recipient: str, message_id: str, correlation: str | None, at: datetime) -> _Element:
    root = etree.Element(f"{{{NAMESPACE}}}{name}", {"PhaseID": "NCTS5.1"}, nsmap={"ncts": NAMESPACE})
    header = {
        "messageSender": AUTHORITY,
        "messageRecipient": recipient,
        "preparationDateAndTime": _time(at),
        "messageIdentification": message_id,
        "messageType": name,
    }
    for key, value in header.items():
        etree.SubElement(root, key).text = value
    if correlation is not None:
        etree.SubElement(root, "correlationIdentifier").text = correlation
    return root


def _group(parent: _Element, name: str, **values: str | None) -> _Element:
    group = etree.SubElement(parent, name)
    for key, value in values.items():
        if value is not None:
            etree.SubElement(group, key).text = value
    return group


def _finish(root: _Element) -> bytes:
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _date(at: datetime) -> str:
    return at.strftime("%Y-%m-%d")


def _office_and_holder(root: _Element, declaration: Declaration) -> _Element:
    office = declaration.text("CustomsOfficeOfDeparture/referenceNumber", _OFFICE)
    _group(root, "CustomsOfficeOfDeparture", referenceNumber=office)
    holder = declaration.root.findtext("HolderOfTheTransitProcedure/identificationNumber")
    _group(root, "HolderOfTheTransitProcedure", identificationNumber=holder)
    return root


def _cc928c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    _group(root, "TransitOperation", LRN=declaration.lrn)
    return _office_and_holder(root, declaration)


def _cc028c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    _group(root, "TransitOperation", LRN=declaration.lrn, MRN=declaration.mrn, declarationAcceptanceDate=_date(at))
    return _office_and_holder(root, declaration)


def _cc029c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    _group(
        root,
        "TransitOperation",
        LRN=declaration.lrn,
        MRN=declaration.mrn,
        declarationType=declaration.text("TransitOperation/declarationType", "T1"),
        additionalDeclarationType=declaration.text("TransitOperation/additionalDeclarationType", "A"),
        declarationAcceptanceDate=_date(at),
        releaseDate=_date(at),
        security=declaration.text("TransitOperation/security", "0"),
        reducedDatasetIndicator=declaration.text("TransitOperation/reducedDatasetIndicator", "0"),
        bindingItinerary=declaration.text("TransitOperation/bindingItinerary", "0"),
    )
    office = declaration.text("CustomsOfficeOfDeparture/referenceNumber", _OFFICE)
    _group(root, "CustomsOfficeOfDeparture", referenceNumber=office)
    destination = declaration.text("CustomsOfficeOfDestinationDeclared/referenceNumber", _OFFICE)
    _group(root, "CustomsOfficeOfDestinationDeclared", referenceNumber=destination)
    holder = declaration.root.findtext("HolderOfTheTransitProcedure/identificationNumber")
    _group(root, "HolderOfTheTransitProcedure", identificationNumber=holder)
    _group(root, "Guarantee", sequenceNumber="1", guaranteeType=declaration.text("Guarantee/guaranteeType", "1"))
    _group(root, "Consignment", grossMass=declaration.text("Consignment/grossMass", "1"))
    return root


def _cc056c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    operation = {"businessRejectionType": declaration.root.tag[-4:-1], "rejectionDateAndTime": _time(at), "rejectionCode": "12"}
    _group(root, "TransitOperation", LRN=declaration.lrn, **operation)
    _office_and_holder(root, declaration)
    pointer = f"/{etree.QName(declaration.root).localname}/TransitOperation"
    _group(root, "FunctionalError", errorPointer=pointer, errorCode="14", errorReason="N/A")
    return root


def _cc060c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    _group(
        root, "TransitOperation", LRN=declaration.lrn, MRN=declaration.mrn, controlNotificationDateAndTime=_time(at), notificationType="0"
    )
    return _office_and_holder(root, declaration)


def _cc004c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    times = {"amendmentSubmissionDateAndTime": _time(at), "amendmentAcceptanceDateAndTime": _time(at)}
    _group(root, "TransitOperation", LRN=declaration.lrn, MRN=declaration.root.findtext("TransitOperation/MRN"), **times)
    return _office_and_holder(root, declaration)


def _cc009c(root: _Element, declaration: Declaration, at: datetime) -> _Element:
    _group(root, "TransitOperation", LRN=declaration.lrn, MRN=declaration.root.findtext("TransitOperation/MRN"))
    _group(root, "Invalidation", decisionDateAndTime=_time(at), decision="1", initiatedByCustoms="0")
    return _office_and_holder(root, declaration)


_BODIES = {
    "CC928C": _cc928c,
    "CC028C": _cc028c,
    "CC029C": _cc029c,
    "CC056C": _cc056c,
    "CC060C": _cc060c,
    "CC004C": _cc004c,
    "CC009C": _cc009c,
}
