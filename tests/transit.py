"""Transit messages, a parser and a job for the tests of the NCTS2 adapter and its simulator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lxml import etree
from lxml.etree import _Element

from adapters.profiles import Profiles
from adapters.proof import Secrets
from gateway.errors import Rejected
from gateway.message import BusinessKeys, DocumentType, Job
from gateway.profile import SystemProfile

NAMESPACE = "http://ncts.dgtaxud.ec"
SECRET = b"0123456789abcdef0123456789abcdef"
SECRETS = Secrets((SECRET,))
SENDER = "PL000000000000001"


class StrictParser:
    """Does what the port `Parser` promises, as far as these tests need it."""

    def parse(self, content: bytes) -> _Element:
        try:
            root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        except (etree.XMLSyntaxError, ValueError) as error:
            raise Rejected("parse.malformed", line=1, column=1, detail=str(error), detail_pl=str(error)) from error
        if root.getroottree().docinfo.internalDTD is not None:
            raise Rejected("parse.doctype")
        return root


def ncts2() -> SystemProfile:
    return Profiles.load().system("NCTS2")


def declaration(lrn: str, message_id: str | None = None, root: str = "CC015C") -> bytes:
    return (
        f'<n:{root} xmlns:n="{NAMESPACE}"><messageSender>{SENDER}</messageSender><messageRecipient>NTA.PL</messageRecipient>'
        "<preparationDateAndTime>2026-01-05T10:00:00</preparationDateAndTime>"
        f"<messageIdentification>{message_id or 'M-' + lrn}</messageIdentification><messageType>{root}</messageType>"
        f"<TransitOperation><LRN>{lrn}</LRN><declarationType>T1</declarationType></TransitOperation>"
        "<CustomsOfficeOfDeparture><referenceNumber>PL301010</referenceNumber></CustomsOfficeOfDeparture>"
        f"<HolderOfTheTransitProcedure><identificationNumber>{SENDER}</identificationNumber></HolderOfTheTransitProcedure></n:{root}>"
    ).encode()


def job(sys_ref: str, content: bytes, root: str = "CC015C") -> Job:
    return Job(
        delivery_id=1,
        sys_ref=sys_ref,
        system="NCTS2",
        document_type=DocumentType("NCTS2", "51.8.6", f"{{{NAMESPACE}}}{root}", "in"),
        content=content,
        keys=BusinessKeys(),
        attempts=0,
        fence=1,
        deadline_at=datetime.now(UTC) + timedelta(hours=1),
    )
