"""receipt: Authorized -> Accepted with a signed UPP, or a refusal -> Refused with a signed NPP that gives all reasons.

The document is that of the CRD UPO schema (`schemas/seap/upo/`); an NPP is a UPP-shaped content in our extension.
`IDENTIFIER_TYPES` and `INFORMATION` are the one table of the attribute values, which no public text fixes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from gateway.errors import Rejected
from gateway.message import Accepted, Authorized, Identified, Receipt, Received, Refused, Violation
from gateway.ports import Signer

CRD = "http://crd.gov.pl/xml/schematy/UPO/2008/05/09/"
NPP = "urn:brama:seap:npp:1"
WARSAW = ZoneInfo("Europe/Warsaw")
LISTED = 20  # violations spelled out in an NPP; more are counted

IDENTIFIER_TYPES = {"gateway": "system", "account": "konto"}
INFORMATION = {
    "sys_ref": "idDokumentuSEAP",
    "correlation": "KorelacjaSysref",
    "digest": "SkrotSHA256",
    "system": "SystemDocelowy",
    "code": "KodPrzyczynyOdmowy",
    "reason_pl": "PrzyczynaOdmowy",
    "reason_en": "PrzyczynaOdmowyEN",
}


def accept(authorized: Authorized, signer: Signer, issuer: str) -> Accepted:
    """A signed UPP for what may go on. `issuer` is the gateway's name as it stands in the receipt."""
    identified = authorized.verified.validated.identified
    facts = [("system", identified.document_type.system)]
    return Accepted(authorized, Receipt("UPP", _sealed("UPP", identified, facts, signer, issuer)))


def refuse(
    identified: Identified,
    reason: Rejected,
    violations: tuple[Violation, ...],
    generation: int | None,
    signer: Signer,
    issuer: str,
) -> Refused:
    """A signed NPP: the code, the reason in Polish and English, and each violation of the schema in both languages."""
    facts = [("code", reason.code), ("reason_pl", reason.text("pl")), ("reason_en", reason.text("en"))]
    for violation in violations[:LISTED]:
        facts += [("reason_pl", _placed(violation, violation.pl)), ("reason_en", _placed(violation, violation.en))]
    receipt = Receipt("NPP", _sealed("NPP", identified, facts, signer, issuer))
    return Refused(identified, reason, violations, receipt, generation)


def _placed(violation: Violation, text: str) -> str:
    return f"[{violation.line}:{violation.column}] {violation.path}: {text}"


def _sealed(kind: str, identified: Identified, facts: Sequence[tuple[str, str]], signer: Signer, issuer: str) -> bytes:
    received = identified.parsed.received
    sys_ref = received.sys_ref
    common = [("sys_ref", sys_ref), ("correlation", sys_ref), ("digest", received.digest.hex())]
    name = identified.document_type.name
    return signer.seal(_document(kind, received, name, [*common, *facts], issuer), "upo:Dokument")


def _document(kind: str, received: Received, name: str, facts: Sequence[tuple[str, str]], issuer: str) -> str:
    """The receipt as canonical XML: no declaration, no empty-element tags, namespaces where they are first used."""
    moment = local(received.received_at)
    opening, closing = ("<upo:UPP>", "</upo:UPP>") if kind == "UPP" else (f'<npp:NPP xmlns:npp="{NPP}">', "</npp:NPP>")
    informations = "".join(
        f'<upo:InformacjaUzupelniajaca upo:TypInformacjiUzupelniajacej="{INFORMATION[key]}">{_text(value)}</upo:InformacjaUzupelniajaca>'
        for key, value in facts
    )
    return (
        f'<upo:Dokument xmlns:upo="{CRD}">{opening}'
        f"<upo:IdentyfikatorPoswiadczenia>{kind}-{received.sys_ref}</upo:IdentyfikatorPoswiadczenia>"
        f"<upo:Adresat>{_party(issuer, 'gateway')}</upo:Adresat>"
        f"<upo:Nadawca>{_party(received.caller.login, 'account')}</upo:Nadawca>"
        f"<upo:DataDoreczenia>{moment}</upo:DataDoreczenia>"
        f"<upo:DataWytworzeniaPoswiadczenia>{moment}</upo:DataWytworzeniaPoswiadczenia>"
        f"<upo:IdentyfikatorDokumentu>{_text(received.filename or name)}</upo:IdentyfikatorDokumentu>"
        f"{informations}{closing}</upo:Dokument>"
    )


def _party(name: str, kind: str) -> str:
    return (
        f"<upo:Nazwa>{_text(name)}</upo:Nazwa>"
        f'<upo:IdentyfikatorPodmiotu upo:TypIdentyfikatora="{IDENTIFIER_TYPES[kind]}">{_text(name)}</upo:IdentyfikatorPodmiotu>'
    )


_ILLEGAL = re.compile(r"[\x00-\x08\x0b-\x1f]")  # a carriage return would need an escape of its own


def _text(value: str) -> str:
    if value.isprintable() and not ("&" in value or "<" in value or ">" in value):  # nearly always: nothing to do
        return value
    return escape(_ILLEGAL.sub("", value))


def local(at: datetime) -> str:
    """Legal time: Europe/Warsaw with its offset, as xs:dateTime."""
    return at.astimezone(WARSAW).isoformat(timespec="milliseconds")
