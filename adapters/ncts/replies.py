"""What the simulated authority says: the messages of `adapters.ncts.samples`, filled for one request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from lxml.etree import QName, _Element

from adapters.ncts import samples

#: For what cannot be addressed, because the request does not say who sent it.
NOBODY = "unknown"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an answer needs to know of the request it answers."""

    root: _Element
    message_id: str
    sender: str
    lrn: str
    mrn: str

    @property
    def holder(self) -> str:
        return self.root.findtext("HolderOfTheTransitProcedure/identificationNumber") or self.sender

    @property
    def office(self) -> str:
        return self.root.findtext("CustomsOfficeOfDeparture/referenceNumber") or samples.OFFICE


def mrn(request_id: str, at: datetime) -> str:
    """An MRN for this request: the same id gives the same number within a year, also after a restart."""
    number = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8], "big")
    return samples.mrn("PL", number % 10**12, at.year)


def reply(name: str, declaration: Declaration, message_id: str, at: datetime) -> bytes:
    """The answer called `name` (e.g. CC028C) to this request. Raises KeyError for an answer that the simulator does not give."""
    header: samples.Header = {
        "message_id": message_id,
        "correlation_id": declaration.message_id,
        "recipient": declaration.sender,
        "at": at,
    }
    lrn, number, holder, office = declaration.lrn, declaration.mrn, declaration.holder, declaration.office
    match name:
        case "CC928C":
            return samples.cc928c(lrn=lrn, holder=holder, office=office, **header)
        case "CC028C":
            return samples.cc028c(lrn=lrn, mrn=number, holder=holder, office=office, **header)
        case "CC029C":
            return samples.cc029c(lrn=lrn, mrn=number, holder=holder, office=office, **header)
        case "CC060C":
            return samples.cc060c(lrn=lrn, mrn=number, holder=holder, office=office, **header)
        case "CC056C":
            reason = "Odrzucono w próbie: znacznik REJ w LRN"
            error: samples.Error = {
                "pointer": f"/{QName(declaration.root).localname}/TransitOperation/LRN",
                "code": "14",
                "reason": "R0000",
            }
            return samples.cc056c(reason=reason, lrn=lrn, errors=(error,), holder=holder, office=office, **header)
        case "CC004C" | "CC009C":
            return _decision(name, declaration, header, at)
    raise KeyError(name)


def _decision(name: str, declaration: Declaration, header: samples.Header, at: datetime) -> bytes:
    """CC004C (amendment accepted) or CC009C (invalidation granted): a CC928C with its own facts in the operation or behind it."""
    root = etree.fromstring(samples.cc928c(lrn=declaration.lrn, holder=declaration.holder, office=declaration.office, **header))
    root.tag = f"{{{samples.NAMESPACE}}}{name}"
    next(root.iter("messageType")).text = name
    operation = next(root.iter("TransitOperation"))
    if not declaration.lrn:  # the request named its movement by MRN
        operation.remove(next(operation.iter("LRN")))
        etree.SubElement(operation, "MRN").text = declaration.mrn
    time = at.strftime("%Y-%m-%dT%H:%M:%S")
    if name == "CC004C":
        etree.SubElement(operation, "amendmentSubmissionDateAndTime").text = time
        etree.SubElement(operation, "amendmentAcceptanceDateAndTime").text = time
    else:
        decision = etree.Element("Invalidation")
        etree.SubElement(decision, "decisionDateAndTime").text = time
        etree.SubElement(decision, "decision").text = "1"
        etree.SubElement(decision, "initiatedByCustoms").text = "0"
        operation.addnext(decision)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def functional_error(code: str, pointer: str, recipient: str, correlation: str | None, message_id: str, at: datetime) -> bytes:
    """A CC906C: the statement in an HTTP refusal, and in the duplicate answer (code 26)."""
    header: samples.Header = {"message_id": message_id, "recipient": recipient, "at": at}
    if correlation is not None:
        header["correlation_id"] = correlation
    error: samples.Error = {"pointer": pointer, "code": code, "reason": "N/A"}
    return samples.cc906c(errors=(error,), **header)


def xml_error(text: str, recipient: str, message_id: str, at: datetime) -> bytes:
    """A CC917C: the statement about a request that cannot be read."""
    return samples.cc917c(text=text[:512], code="50", message_id=message_id, recipient=recipient, at=at)
