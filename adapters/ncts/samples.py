"""Invented transit messages of phase 5: the declaration a trader lodges and the answers an authority gives.

For the simulated authority, the demo, the bench and the tests. Every function returns an unsigned message, indented, UTF-8 with an XML
declaration, valid under `schemas/ncts/p5`. Nobody in them exists: identifiers are `PL` and zeros, customs offices are PL0000xx.
Text that is passed in is escaped, not checked; what the schema refuses comes out refused.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict, Unpack
from xml.sax.saxutils import escape

from adapters.ncts import sample_texts as texts

NAMESPACE = "http://ncts.dgtaxud.ec"
AUTHORITY = "NTA.PL"
TRADER = "PL00000000000001"
OFFICE = "PL000010"
AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


class Header(TypedDict):
    """The header of an answer. `at` is written in UTC to the second (a naive one as it is); what is left out is invented."""

    message_id: str
    correlation_id: NotRequired[str]
    sender: NotRequired[str]
    recipient: NotRequired[str]
    at: NotRequired[datetime]


class Error(TypedDict):
    """One functional error: XPath of the place, code (12 code list, 14 rule, 26 repeated id, ...), rule of at most 7 characters."""

    pointer: str
    code: str
    reason: str


def mrn(country: str, sequence: int, year: int) -> str:
    """An MRN of 18 characters: year, country, 12 characters for `sequence`, J (J to M mean transit), check digit.

    `country` has two capital letters, `sequence` is 0 to 999,999,999,999, `year` has four digits. The form is that of the phase 5
    schemas from 2024 on; the check digit is that of ISO 6346 as taken over for MRN and GRN (TAXUD working document DGXXI/0879/99 Rev. 1,
    section 2). Raises ValueError on anything else.
    """
    if len(country) != 2 or not country.isascii() or not country.isalpha() or not country.isupper():
        raise ValueError(f"country is {country!r}; give two capital letters")
    if not 0 <= sequence < 10**12:
        raise ValueError(f"sequence is {sequence}; give 0 to 999999999999")
    body = f"{year % 100:02}{country}{sequence:012}J"
    return f"{body}{check_digit(body)}"


def check_digit(body: str) -> int:
    """The ISO 6346 digit of capital letters and digits: values times powers of two, sum modulo 11, where 10 counts as 0.

    Letters are worth 10 to 38 in their order, leaving out 11, 22 and 33.
    """
    total = 0
    for place, char in enumerate(body):
        value = int(char, 36)
        if value > 9:
            value += (value - 1) // 10
        total += value << place
    return total % 11 % 10


def cc015c(
    lrn: str,
    message_id: str,
    sender: str = TRADER,
    holder_eori: str = TRADER,
    *,
    items: int = 1,
    recipient: str = AUTHORITY,
    at: datetime = AT,
    office: str = OFFICE,
) -> bytes:
    """A declaration of `items` goods items (1 to 999): about 4.5 KB with 1, 17 KB with 11, 200 KB with 154."""
    if not 1 <= items <= 999:
        raise ValueError(f"items is {items}; a house consignment takes 1 to 999")
    content = texts.DECLARATION.format(
        lrn=escape(lrn),
        holder=escape(holder_eori),
        office=escape(office),
        limit=_day(at + timedelta(days=30)),
        mass=120 * items,
        items="".join([_item(number) for number in range(1, items + 1)]),
    )
    return _message("CC015C", content, message_id=message_id, sender=sender, recipient=recipient, at=at)


def cc928c(*, lrn: str, holder: str = TRADER, office: str = OFFICE, **header: Unpack[Header]) -> bytes:
    """Receipt of a declaration acknowledged; it has no MRN yet."""
    return _message("CC928C", f"{_operation(LRN=lrn)}{_parties(office, holder)}", **header)


def cc028c(*, lrn: str, mrn: str, holder: str = TRADER, office: str = OFFICE, **header: Unpack[Header]) -> bytes:
    """MRN allocated on the day of `at`."""
    day = _day(header.get("at", AT))
    return _message("CC028C", f"{_operation(LRN=lrn, MRN=mrn, declarationAcceptanceDate=day)}{_parties(office, holder)}", **header)


def cc029c(*, lrn: str, mrn: str, holder: str = TRADER, office: str = OFFICE, **header: Unpack[Header]) -> bytes:
    """Goods released for transit on the day of `at`; one item."""
    day = _day(header.get("at", AT))
    operation = _operation(
        LRN=lrn,
        MRN=mrn,
        declarationType="T1",
        additionalDeclarationType="A",
        declarationAcceptanceDate=day,
        releaseDate=day,
        security="0",
        reducedDatasetIndicator="0",
        bindingItinerary="0",
    )
    return _message("CC029C", texts.RELEASE.format(operation=operation, holder=escape(holder), office=escape(office)), **header)


def cc056c(
    *,
    reason: str,
    lrn: str | None = None,
    mrn: str | None = None,
    rejected: str = "015",
    errors: tuple[Error, ...] = (),
    holder: str = TRADER,
    office: str = OFFICE,
    **header: Unpack[Header],
) -> bytes:
    """A message to the office of departure rejected: `rejected` is its number (015, 013, 014), `reason` a text for people."""
    operation = _operation(
        LRN=lrn,
        MRN=mrn,
        businessRejectionType=rejected,
        rejectionDateAndTime=_time(header.get("at", AT)),
        rejectionCode="12",
        rejectionReason=reason,
    )
    return _message("CC056C", f"{operation}{_parties(office, holder)}{_errors(errors)}", **header)


def cc060c(
    *, mrn: str, lrn: str | None = None, document: str = "N380", holder: str = TRADER, office: str = OFFICE, **header: Unpack[Header]
) -> bytes:
    """A control announced, with one `document` asked for."""
    operation = _operation(LRN=lrn, MRN=mrn, controlNotificationDateAndTime=_time(header.get("at", AT)), notificationType="1")
    wanted = _group("RequestedDocument", sequenceNumber="1", documentType=document, description="Faktura do wglądu")
    return _message("CC060C", f"{operation}{_parties(office, holder)}{wanted}", **header)


def cc906c(*, errors: tuple[Error, ...], lrn: str | None = None, mrn: str | None = None, **header: Unpack[Header]) -> bytes:
    """A message refused for functional errors, at least one."""
    return _message("CC906C", f"{_group('Header', LRN=lrn, MRN=mrn)}{_errors(errors)}", **header)


def cc917c(*, text: str, line: int = 0, column: int = 0, code: str = "12", lrn: str | None = None, **header: Unpack[Header]) -> bytes:
    """A message refused because it breaks syntax or schema at `line` and `column`; `text` says how."""
    named = _group("Header", LRN=lrn) if lrn is not None else ""
    error = _group("XMLError", errorLineNumber=str(line), errorColumnNumber=str(column), errorCode=code, errorText=text)
    return _message("CC917C", f"{named}{error}", **header)


def _message(root: str, content: str, **header: Unpack[Header]) -> bytes:
    correlation = header.get("correlation_id")
    lines = _lines(
        2,
        messageSender=header.get("sender", AUTHORITY),
        messageRecipient=header.get("recipient", TRADER),
        preparationDateAndTime=_time(header.get("at", AT)),
        messageIdentification=header["message_id"],
        messageType=root,
        correlationIdentifier=correlation,
    )
    start = f'<?xml version="1.0" encoding="UTF-8"?>\n<ncts:{root} xmlns:ncts="{NAMESPACE}" PhaseID="NCTS5.1">\n'
    return f"{start}{lines}{content}</ncts:{root}>\n".encode()


def _time(at: datetime) -> str:
    return (at.astimezone(UTC) if at.tzinfo else at).strftime("%Y-%m-%dT%H:%M:%S")


def _day(at: datetime) -> str:
    return _time(at)[:10]


def _lines(indent: int, **values: str | None) -> str:
    blank = " " * indent
    return "".join([f"{blank}<{name}>{escape(value)}</{name}>\n" for name, value in values.items() if value is not None])


def _group(name: str, **values: str | None) -> str:
    return f"  <{name}>\n{_lines(4, **values)}  </{name}>\n"


def _operation(**values: str | None) -> str:
    return _group("TransitOperation", **values)


def _parties(office: str, holder: str) -> str:
    named = _group("HolderOfTheTransitProcedure", identificationNumber=holder)
    return _group("CustomsOfficeOfDeparture", referenceNumber=office) + named


def _errors(errors: tuple[Error, ...]) -> str:
    return "".join(
        [_group("FunctionalError", errorPointer=error["pointer"], errorCode=error["code"], errorReason=error["reason"]) for error in errors]
    )


def _item(number: int) -> str:
    description, heading, subheading = texts.GOODS[number % len(texts.GOODS)]
    return texts.ITEM.format(number=number, description=description, heading=heading, subheading=subheading, packages=1 + number % 24)
