"""The technical messages as text, ready for the seal: UPP, NPP, UPD, the notices, PND, and the UPO that Brama makes itself.

All but the UPO are documents of the CRD UPO schema (`schemas/seap/upo/`) or of our extensions of it. Each is written as
canonical XML: no declaration, no empty-element tags, namespaces where they are first used. `IDENTIFIER_TYPES` and
`INFORMATION` are the one table of the attribute values, which no public text fixes. When each is made and what it
carries: docs/reference/technical-messages.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape

from gateway.legal_time import local

CRD = "http://crd.gov.pl/xml/schematy/UPO/2008/05/09/"
NPP = "urn:brama:seap:npp:1"
SERVING = "urn:brama:seap:serving:1"
UPO = "urn:brama:seap:upo:1"
DOCUMENT = "upo:Dokument"  # the element that the seal goes into

IDENTIFIER_TYPES = {"gateway": "system", "account": "konto", "party": "podmiot"}
INFORMATION = {
    "sys_ref": "idDokumentuSEAP",
    "correlation": "KorelacjaSysref",
    "digest": "SkrotSHA256",
    "system": "SystemDocelowy",
    "code": "KodPrzyczynyOdmowy",
    "reason_pl": "PrzyczynaOdmowy",
    "reason_en": "PrzyczynaOdmowyEN",
    "from": "SystemNadawczy",
    "until": "TerminOdbioru",
    "concerns": "IdentyfikatorUPD",
    "notice": "NumerZawiadomienia",
    "text_pl": "Informacja",
    "text_en": "InformacjaEN",
}

Facts = Sequence[tuple[str, str]]  # a key of INFORMATION and its value


def receipt(kind: Literal["UPP", "NPP"], sys_ref: str, login: str, name: str, at: datetime, facts: Facts, issuer: str) -> str:
    """UPP or NPP: what became of the document `name` (a file's or root's) that account `login` handed in at `at`."""
    moment = local(at)
    opening, closing = ("<upo:UPP>", "</upo:UPP>") if kind == "UPP" else (f'<npp:NPP xmlns:npp="{NPP}">', "</npp:NPP>")
    return (
        f'<upo:Dokument xmlns:upo="{CRD}">{opening}'
        f"<upo:IdentyfikatorPoswiadczenia>{kind}-{sys_ref}</upo:IdentyfikatorPoswiadczenia>"
        f"<upo:Adresat>{_party(issuer, 'gateway')}</upo:Adresat>"
        f"<upo:Nadawca>{_party(login, 'account')}</upo:Nadawca>"
        f"<upo:DataDoreczenia>{moment}</upo:DataDoreczenia>"
        f"<upo:DataWytworzeniaPoswiadczenia>{moment}</upo:DataWytworzeniaPoswiadczenia>"
        f"<upo:IdentyfikatorDokumentu>{text(name)}</upo:IdentyfikatorDokumentu>"
        f"{_informations('upo', facts)}{closing}</upo:Dokument>"
    )


@dataclass(frozen=True, slots=True)
class Held:
    """An official document that is held for its addressee, as the messages about it name it.

    `certificate_id` is that of its UPD, `name` its file name, `digest` the SHA-256 (hex) of its bytes; `sys_ref` names the
    trader's message that it answers; `issued_at` is when the UPD was laid into the mailbox, `due_at` the end of the period.
    """

    certificate_id: str
    document_id: str
    name: str
    digest: str
    system: str
    sys_ref: str
    addressee: str
    issued_at: datetime
    due_at: datetime

    @property
    def facts(self) -> list[tuple[str, str]]:
        return [
            ("sys_ref", self.document_id),
            ("correlation", self.sys_ref),
            ("digest", self.digest),
            ("from", self.system),
            ("until", local(self.due_at)),
        ]


def upd(held: Held, issuer: str) -> str:
    """The UPD for the addressee to sign. DataOdbioru is when it was laid into his mailbox: the text must not change when he
    signs, and the moment of receipt in law is when his signature reaches us, which the UPP for it says."""
    moment = local(held.issued_at)
    return (
        f'<upo:Dokument xmlns:upo="{CRD}"><upo:UPD>'
        f"<upo:IdentyfikatorPoswiadczenia>{held.certificate_id}</upo:IdentyfikatorPoswiadczenia>"
        f"<upo:PodmiotWystawiajacyPoswiadczenie>{_party(issuer, 'gateway')}</upo:PodmiotWystawiajacyPoswiadczenie>"
        f"<upo:Adresat>{_party(held.addressee, 'party')}</upo:Adresat>"
        f"<upo:DataOdbioru>{moment}</upo:DataOdbioru>"
        f"<upo:DataUtworzeniaPoswiadczenia>{moment}</upo:DataUtworzeniaPoswiadczenia>"
        f"<upo:IdentyfikatorDokumentu>{text(held.name)}</upo:IdentyfikatorDokumentu>"
        f"{_informations('upo', held.facts)}</upo:UPD></upo:Dokument>"
    )


_NOTICE_PL = (
    "W skrzynce czeka dokument urzędowy. Aby go odebrać, podpisz UPD i odeślij go operacją AcceptDocument. "
    "Po upływie terminu dokument uznaje się za doręczony."
)
_NOTICE_EN = (
    "An official document awaits you. To receive it, sign the UPD and return it by AcceptDocument. "
    "When the period has passed, the document is deemed served."
)
_LAPSE_PL = "Dokumentu nie odebrano w terminie. Uznaje się go za doręczony z upływem terminu odbioru; treść udostępniono w skrzynce."
_LAPSE_EN = "The document was not received in time. It is deemed served when the period ended; its content now lies in the mailbox."


def notice(held: Held, number: int, at: datetime, issuer: str) -> str:
    """Notice `number` (Zawiadomienie) that a document still waits for its UPD."""
    facts = [("concerns", held.certificate_id), *held.facts, ("notice", str(number)), ("text_pl", _NOTICE_PL), ("text_en", _NOTICE_EN)]
    return _certificate("Zawiadomienie", f"ZAW{number}-{held.document_id}", held, facts, at, issuer)


def pnd(held: Held, at: datetime, issuer: str) -> str:
    """The certificate of non-delivery (PND)."""
    facts = [("concerns", held.certificate_id), *held.facts, ("text_pl", _LAPSE_PL), ("text_en", _LAPSE_EN)]
    return _certificate("PND", f"PND-{held.document_id}", held, facts, at, issuer)


def _certificate(kind: str, identifier: str, held: Held, facts: Facts, at: datetime, issuer: str) -> str:
    return (
        f'<upo:Dokument xmlns:upo="{CRD}"><srv:{kind} xmlns:srv="{SERVING}">'
        f"<srv:IdentyfikatorPoswiadczenia>{identifier}</srv:IdentyfikatorPoswiadczenia>"
        f"<srv:PodmiotWystawiajacyPoswiadczenie>{_party(issuer, 'gateway')}</srv:PodmiotWystawiajacyPoswiadczenie>"
        f"<srv:Adresat>{_party(held.addressee, 'party')}</srv:Adresat>"
        f"<srv:DataUdostepnienia>{local(held.issued_at)}</srv:DataUdostepnienia>"
        f"<srv:TerminOdbioru>{local(held.due_at)}</srv:TerminOdbioru>"
        f"<srv:DataUtworzeniaPoswiadczenia>{local(at)}</srv:DataUtworzeniaPoswiadczenia>"
        f"<srv:IdentyfikatorDokumentu>{text(held.name)}</srv:IdentyfikatorDokumentu>"
        f"{_informations('srv', facts)}</srv:{kind}></upo:Dokument>"
    )


_TAKEN_PL = "System docelowy potwierdził otrzymanie komunikatu; samo potwierdzenie nie rozstrzyga sprawy."
_TAKEN_EN = "The target system has confirmed that it has the message; this receipt decides nothing in the matter."
RECEIPT = "upo:UPO"  # the element that the seal of a UPO goes into


def upo(
    number: str, sys_ref: str, system: str, digest: str, own_number: str | None, received_at: datetime, at: datetime, issuer: str
) -> str:
    """The official receipt of a system that gives none of its own. `digest`: SHA-256 (hex) of what the trader handed in;
    `own_number` is the identifier that he gave it."""
    own = f"<upo:NrWlasny>{text(own_number)}</upo:NrWlasny>" if own_number else ""
    return (
        f'<upo:UPO xmlns:upo="{UPO}"><upo:NumerIdentyfikacyjny>{number}</upo:NumerIdentyfikacyjny>'
        f"<upo:IdentyfikatorECIPSEAP>{sys_ref}</upo:IdentyfikatorECIPSEAP>"
        f"<upo:NazwaPodmiotuWydajacego>{text(issuer)}</upo:NazwaPodmiotuWydajacego>"
        f"<upo:NazwaSystemuWydajacego>{text(system)}</upo:NazwaSystemuWydajacego>"
        f"<upo:DataDoreczenia>{local(received_at)}</upo:DataDoreczenia><upo:DataWytworzenia>{local(at)}</upo:DataWytworzenia>"
        f'<upo:Dokument><upo:Skrot Algorytm="SHA-256">{digest}</upo:Skrot>{own}</upo:Dokument>'
        f'<upo:Informacja><upo:Rodzaj>INFO</upo:Rodzaj><upo:Tekst Jezyk="PL">{_TAKEN_PL}</upo:Tekst>'
        f'<upo:Tekst Jezyk="ENG">{_TAKEN_EN}</upo:Tekst></upo:Informacja></upo:UPO>'
    )


def _informations(prefix: str, facts: Facts) -> str:
    return "".join(
        f'<{prefix}:InformacjaUzupelniajaca upo:TypInformacjiUzupelniajacej="{INFORMATION[key]}">{text(value)}'
        f"</{prefix}:InformacjaUzupelniajaca>"
        for key, value in facts
    )


def _party(name: str, kind: str) -> str:
    return (
        f"<upo:Nazwa>{text(name)}</upo:Nazwa>"
        f'<upo:IdentyfikatorPodmiotu upo:TypIdentyfikatora="{IDENTIFIER_TYPES[kind]}">{text(name)}</upo:IdentyfikatorPodmiotu>'
    )


_ILLEGAL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")  # a carriage return would need an escape of its own


def text(value: str) -> str:
    """`value` as character data."""
    if value.isprintable() and not ("&" in value or "<" in value or ">" in value):  # nearly always: nothing to do
        return value
    return escape(_ILLEGAL.sub("", value))
