"""Collecting documents from a mailbox: whose one may read, which one wants, and what is handed out. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

AT_MOST = 100  # documents of one answer of GetDocuments
BYTES_AT_MOST = 10 * 1024 * 1024  # of the documents of one answer, before Base64; one document alone may be larger


@dataclass(frozen=True, slots=True)
class ReadingRights:
    """Whose documents an account may read, as the registry stood at `generation`.

    `person` is the idSISC of the account's person, None without one. A context is (agency, party), both idSISC, the agency
    empty where the person represents the party directly. In `contexts` the account reads what it sent itself, in
    `all_employees` (a part of them) what anybody sent.
    """

    person: str | None
    contexts: frozenset[tuple[str, str]]
    all_employees: frozenset[tuple[str, str]]
    generation: int

    def own(self, person: str, agency: str, party: str) -> bool:
        """Whether the account may read what it sent in this context. What was refused before anybody's context was known has
        the person alone; and a person's documents stay his own when his account passes to another."""
        return person in ("", self.person) and (not party or (agency, party) in self.contexts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of a poll; None wants anything. `system` is a code of the catalogue: that of the message a document answers.

    `person`, `agency` and `party` are the three idSISC grades. `all_employees`: not only what this account sent.
    """

    system: str | None = None
    person: str | None = None
    agency: str | None = None
    party: str | None = None
    all_employees: bool = False

    @property
    def names_a_grade(self) -> bool:
        return self.person is not None or self.agency is not None or self.party is not None

    def fits(self, person: str, agency: str, party: str, system: str) -> bool:
        """Whether a document of this context and system is wanted."""
        asked = ((self.person, person), (self.agency, agency), (self.party, party), (self.system, system))
        return all(wants is None or wants == has for wants, has in asked)


@dataclass(frozen=True, slots=True)
class Search:
    """Criteria of GetDocuments, all of which a document must meet; None asks nothing.

    `sys_ref` is that of the document itself or of the message it belongs to, `correlation` that of the message it answers.
    `dispatch_id` and `case_id` are as handed out with a document (the case by its MRN or its LRN), `own_id` is the
    identifier that the trader's document gave itself. `since` and `until` bound [since, until) when it came into the mailbox.
    """

    wanted: Wanted = Wanted()
    sys_ref: str | None = None
    dispatch_id: str | None = None
    own_id: str | None = None
    case_id: str | None = None
    correlation: str | None = None
    collected: bool | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def names_documents(self) -> bool:
        """Whether a criterion leads to documents without a period."""
        return any(value is not None for value in (self.sys_ref, self.dispatch_id, self.own_id, self.case_id, self.correlation))


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A document on its way to the trader. A poll holds it under `claim`, which `collected` or `release` must end; 0: no claim.

    `sys_ref` names the message it belongs to. `dispatch_id` is idWysylki: the document's own id, which is unique and never
    changes. `case_id` is idSprawy: the MRN once it is known, the LRN before; a search finds the case by either. Nothing public
    says what the two are made of, so this is our choice, and it is made in `of_row` alone.
    """

    document_id: str
    claim: int
    sys_ref: str
    filename: str
    content: bytes
    has_next: bool
    dispatch_id: str | None
    case_id: str | None
    person_sisc: str | None
    middle_sisc: str | None
    end_sisc: str | None
    mime: str = "application/xml"

    @classmethod
    def of_row(cls, row: Row, claim: int = 0, *, has_next: bool = False) -> HandedOut:
        """From what the store holds of a document, its message and its tray."""
        document_id, filename, content, sys_ref, mrn, lrn, *grades = row
        person, agency, party = (grade or None for grade in grades)
        return cls(
            document_id=document_id,
            claim=claim,
            sys_ref=sys_ref,
            filename=filename,
            content=content,
            has_next=has_next,
            dispatch_id=document_id,
            case_id=mrn or lrn,
            person_sisc=person,
            middle_sisc=agency,
            end_sisc=party,
        )


#: document id, file name, content, sysRef, MRN, LRN, person, agency, party
Row = tuple[str, str, bytes, str, str | None, str | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What GetDocuments gives. `cut` says why there is more than that (`count` or `bytes`), `rest_from` when the first document
    left out came."""

    documents: tuple[HandedOut, ...] = ()
    cut: Literal["count", "bytes"] | None = None
    rest_from: datetime | None = None
