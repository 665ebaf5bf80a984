"""The few promises with more than one keeper. Steps and the pipeline know these and never the keepers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.message import (
    Answer,
    Candidate,
    Decision,
    DocumentType,
    Job,
    Judged,
    Recorded,
    Replied,
    Request,
    Serving,
    SignatureReport,
    Taken,
    Violation,
)
from gateway.profile import DocumentProfile, SystemProfile


class Stale(Exception):
    """The registry changed since the message was judged: judge again."""


class Conflict(Exception):
    """Only the store could know it: the message is to be refused for this reason."""

    def __init__(self, reason: Rejected) -> None:
        self.reason = reason
        super().__init__(reason.code)


class Clock(Protocol):
    """The time of day. Steps never ask: they take `received_at`."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        ...


class Parser(Protocol):
    """The one hardened XML parser."""

    def parse(self, content: bytes) -> _Element:
        """The root of the tree. Raises Rejected(parse.*)."""
        ...


class Schemas(Protocol):
    """Which documents exist, in which edition, and whether a tree conforms."""

    def identify(self, root: str, at: datetime) -> DocumentType:
        """The edition of `root` (Clark notation) in force at `at`. Raises Rejected(identify.*)."""
        ...

    def foresees_signature(self, document_type: DocumentType) -> bool:
        """Whether the schema itself has a place for ds:Signature in the root."""
        ...

    def validate(self, document_type: DocumentType, root: _Element, content: bytes | None = None) -> tuple[Violation, ...]:
        """All violations; empty means valid. They have columns if the document as it came is given."""
        ...


class Verifier(Protocol):
    """Signatures: what is signed, by whom."""

    def set_aside(self, root: _Element, countersigned: bool = False) -> Candidate:
        """Take the enveloped signature out (its tail text put back). `countersigned`: one signature more may stand in front of
        it, which stays and is part of what must be signed. Never raises: a defect is reported by `verify`."""
        ...

    def verify(self, candidate: Candidate, at: datetime) -> tuple[_Element, SignatureReport]:
        """The signed tree and the report. Raises Rejected(signature.* | certificate.*)."""
        ...


class Servings(Protocol):
    """Official documents that are held until their addressee has signed for them."""

    def find(self, certificate_id: str) -> Serving | None:
        """By the identifier of the UPD, whatever became of it; None when we never issued it."""
        ...


class Registry(Protocol):
    """Who may act for whom."""

    def refresh(self) -> object:
        """The registry moved: what is cached counts no more."""
        ...

    def authorize(
        self, account_id: int, fingerprint: str, permission: str, party: str | None, at: datetime, sender: str | None
    ) -> Decision:
        """May the holder of this certificate (SHA-256 of its DER, hex), calling from this account, do `permission`
        (e.g. NCTS2/CC015C) for the party with this identifier at that instant, in a document that names `sender` as its
        sender? Missing data means Denied."""
        ...


class Signer(Protocol):
    """The gateway's seal."""

    def seal(self, document: str, place: str) -> bytes:
        """Sign `document` (a canonical XML text without declaration) as XAdES-B-B; the ds:Signature goes in front of
        the last end tag named `place` (a QName as written). Gives the whole document, UTF-8, with XML declaration."""
        ...


class Revocation(Protocol):
    """Whether a certificate had been revoked. The first keeper answers `not checked (policy none)`."""

    def check(self, certificate_der: bytes, at: datetime) -> str:
        """Words for the evidence. Raises Rejected(certificate.revoked)."""
        ...


class Profiles(Protocol):
    """The profiles of all systems."""

    def document(self, document_type: DocumentType) -> DocumentProfile:
        """Raises Rejected(identify.unknown) when no profile takes this document from a trader."""
        ...

    def system(self, system: str) -> SystemProfile:
        """Raises Failed(route.no_route)."""
        ...


class Adapter(Protocol):
    """One customs system: speaks its format over its transport."""

    profile: SystemProfile

    def request(self, job: Job) -> Request:
        """The request for this message, made once. Pure."""
        ...

    async def deliver(self, request: Request) -> Taken:
        """Send it. Raises Deferred(deliver.unavailable) when surely nothing arrived, Deferred(deliver.in_doubt) when
        it may have, Rejected(deliver.refused) when the target said no, Failed for what a person must look at."""
        ...

    def authenticate(self, headers: Mapping[str, str], body: bytes, at: datetime) -> None:
        """Is this incoming call really from the system? `headers` has lower-case names. Raises Rejected(reply.unauthenticated)."""
        ...

    def read_answer(self, content: bytes) -> Answer:
        """What kind of answer, and its keys. Raises Failed(reply.garbage)."""
        ...

    async def close(self) -> None:
        """End the connections to the system."""
        ...


class Committer(Protocol):
    """The one way into the store for the accept walk."""

    async def record(self, judged: Judged) -> Recorded:
        """Commit message, history, receipt, outbox row, repeat key, nonce together. Raises Rejected(token.refused) for
        a used nonce, Rejected(receive.message_id_reused), Deferred(record.store_unavailable), Stale or Conflict."""
        ...


class Deliveries(Protocol):
    """What the dispatch walk needs of the queue."""

    def store_request(self, job: Job, request: Request) -> None:
        """Keep the request before the first attempt. Raises LostLease when the claim is no longer ours."""
        ...


class Answers(Protocol):
    """Where answers find their messages."""

    def attach(self, answer: Answer, at: datetime) -> Replied:
        """In one transaction: match, mailbox, history, flow state. Raises Failed(reply.*)."""
        ...
