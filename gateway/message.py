"""The message and the states it walks through.

Every state is frozen and holds the one before it; a step takes one state and returns the next, so mypy refuses a
walk that leaves a step out. Times are aware and UTC; digests are raw bytes.

    Received -> Parsed -> Identified -> Validated -> Verified -> Authorized -> Accepted | Refused -> Recorded
    Recorded -> Routed -> Delivered -> Replied
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NamedTuple

from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.profile import DocumentProfile

Direction = Literal["in", "out"]  # in: a trader may send it; out: only the administration sends it


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that the door has proven."""

    account_id: int
    login: str


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str | None
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """What a door took in, decoded, before anyone looked inside. `digest` is SHA-256 over content and attachments."""

    sys_ref: str
    received_at: datetime
    door: str
    caller: Caller
    content: bytes
    digest: bytes
    filename: str | None = None
    attachments: tuple[Attachment, ...] = ()
    message_id: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The document as a tree: DOCTYPE, entities and inner processing instructions refused, comments gone."""

    received: Received
    root: _Element


@dataclass(frozen=True, slots=True)
class DocumentType:
    """One document in one edition of the catalogue. `root` is in Clark notation, `{namespace}Name` or `Name`."""

    system: str
    edition: str
    root: str
    direction: Direction

    @property
    def name(self) -> str:
        return self.root.rpartition("}")[2]

    @property
    def namespace(self) -> str:
        return self.root[1:].partition("}")[0] if self.root.startswith("{") else ""


@dataclass(frozen=True, slots=True)
class Identified:
    """The document type and edition are pinned from here on."""

    parsed: Parsed
    document_type: DocumentType
    profile: DocumentProfile


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason why a document does not conform: position (1-based, 0 unknown), XPath, stable code, plain words."""

    line: int
    column: int
    path: str
    code: str
    pl: str
    en: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document with its signature set aside: `payload` is the tree to validate and to digest.

    `opaque` belongs to gateway.security: what had to be canonicalised while the signature still stood in its place.
    """

    payload: _Element
    opaque: object


@dataclass(frozen=True, slots=True)
class Validated:
    """The payload conforms to the schema of exactly its edition; nobody knows yet who made it."""

    identified: Identified
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Signer:
    """The certificate that signed: DER SHA-256 (hex), subject and issuer (RFC 4514), serial number."""

    fingerprint: str
    subject: str
    issuer: str
    serial: int


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What the verifier can say for: what is signed (XPath), by whom, how; goes into the evidence as it is."""

    signed: str
    signer: Signer
    algorithm: str
    digest_algorithm: str
    form: str  # XML-DSig | XAdES-BES
    claimed_at: datetime | None
    revocation: str  # e.g. "not checked (policy none)"


@dataclass(frozen=True, slots=True)
class BusinessKeys:
    """The keys of the business, read from the signed tree by the profile's paths; absent ones are None."""

    message_id: str | None = None
    correlation_id: str | None = None
    sender: str | None = None
    recipient: str | None = None
    lrn: str | None = None
    mrn: str | None = None
    party: str | None = None
    sys_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """An official document held until somebody who may receive it for `addressee` signs for it.

    `request` is the UPD as we sealed and issued it under `certificate_id`; `permission` is what the signer needs.
    """

    serving_id: int
    certificate_id: str
    addressee: str | None
    permission: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """`signed` is the only XML that later steps may read. `serving`: what this document confirms, if it is a signed UPD."""

    validated: Validated
    signed: _Element
    report: SignatureReport
    keys: BusinessKeys
    serving: Serving | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """Allowed, by these links (ids of representations, in words), as the registry stood at `generation`.

    `person`, `agency` and `party` are the three grades of idSISC: who acts, the intermediary where the way has two links,
    and for whom.
    """

    via: tuple[str, ...]
    person: str
    party: str
    generation: int
    agency: str | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """Not allowed; `code` is a code of the catalogue (authorize.*), `context` fills its text."""

    code: str
    context: Mapping[str, object]
    generation: int


Decision = Granted | Denied


@dataclass(frozen=True, slots=True)
class Authorized:
    verified: Verified
    decision: Granted


class StepTime(NamedTuple):
    """One line of the timeline: what was done, how long after the walk began, how long it took (both in microseconds), and
    how it ended (`ok` or a code). A tuple, because seven are made for each message."""

    step: str
    after: int
    microseconds: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A signed official receipt: `kind` UPP or NPP, the bytes as they go out."""

    kind: Literal["UPP", "NPP"]
    content: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """Taken for processing; nothing is promised until it is recorded."""

    authorized: Authorized
    receipt: Receipt
    timeline: tuple[StepTime, ...] = ()

    @property
    def identified(self) -> Identified:
        return self.authorized.verified.validated.identified

    @property
    def generation(self) -> int | None:
        return self.authorized.decision.generation

    def with_timeline(self, timeline: tuple[StepTime, ...]) -> Accepted:
        return replace(self, timeline=timeline)


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused with a signed NPP; recorded like an acceptance, delivered to nobody.

    `generation` is the registry's when the refusal came from it, else None.
    """

    identified: Identified
    reason: Rejected
    violations: tuple[Violation, ...]
    receipt: Receipt
    generation: int | None
    timeline: tuple[StepTime, ...] = ()

    def with_timeline(self, timeline: tuple[StepTime, ...]) -> Refused:
        return replace(self, timeline=timeline)


Judged = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Recorded:
    """It is in the store for good. `repeat` says that these bytes had been accepted before; `sys_ref` is then the first one's."""

    sys_ref: str
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed delivery: one accepted message on its way to one system, held under a fencing number.

    `lost` counts the claims before this one that ended without an outcome: their worker died or slept.
    """

    delivery_id: int
    sys_ref: str
    system: str
    document_type: DocumentType
    content: bytes
    keys: BusinessKeys
    attempts: int
    fence: int
    deadline_at: datetime
    request: Request | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to the target: made once, stored before the first attempt, sent unchanged by every retry."""

    request_id: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Routed:
    job: Job
    target: str
    request: Request


@dataclass(frozen=True, slots=True)
class Taken:
    """The target has it. `duplicate`: it said it had it already, which after a lost answer means delivered."""

    duplicate: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Delivered:
    routed: Routed
    taken: Taken


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a customs system, read but not yet matched: bytes as they came and the keys inside."""

    system: str
    root: str
    content: bytes
    keys: BusinessKeys
    state: str | None = None  # the flow state this answer leads to, by the profile
    final: bool = False
    served: bool = False  # an official document: held until its addressee has signed for it


@dataclass(frozen=True, slots=True)
class Replied:
    """An answer lies in the sender's mailbox. `repeat`: it had been there already."""

    sys_ref: str
    document_id: str
    repeat: bool = False
