"""What a customs system's profile says, as values. `adapters.profiles` reads them from `adapters/<folder>/<system>.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DocumentProfile:
    """Where the business keys of one document stand, and what it means in the flow.

    `root` is in Clark notation. `paths` maps a field of `BusinessKeys` to an ElementPath below the root.
    `permission` is what a sender needs, e.g. `NCTS2/CC015C`. `state`, `final` and `served` apply to answers; what is
    `served` is held until its addressee has signed for it. `confirms`: traders send this document only with this element
    as its first child, to confirm that something was served to them.
    """

    root: str
    paths: Mapping[str, str]
    permission: str = ""
    state: str | None = None
    final: bool = False
    served: bool = False
    confirms: str = ""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Back-off in seconds (the last value repeats) and the deadline after acceptance, in seconds."""

    delays: tuple[float, ...]
    deadline: float

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1)."""
        return self.delays[min(attempt, len(self.delays)) - 1]


@dataclass(frozen=True, slots=True)
class Proof:
    """How both sides prove who they are: HMAC-SHA256 with the secret in the file that setting `secret_setting` names;
    a time stamp may be `window` seconds away from now."""

    secret_setting: str
    window: float


@dataclass(frozen=True, slots=True)
class DuplicateAnswer:
    """How the target says "I have this request already": this HTTP status and this text at `path` below `root`."""

    status: int
    root: str
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class SystemProfile:
    """One customs system: documents in and out by root, transport, retry, how its answers are proven to be its own.

    `flow` maps a state to the names of the answers that may move it; any other answer is kept and leaves the state alone.
    `receipt` says who gives the official receipt (UPO): the `system`, as an answer, or the `gateway`.
    """

    system: str
    title_pl: str
    title_en: str
    documents: Mapping[str, DocumentProfile]
    answers: Mapping[str, DocumentProfile]
    retry: RetryPolicy
    transport: Mapping[str, str] = field(default_factory=dict)
    flow: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    proof: Proof | None = None
    duplicate: DuplicateAnswer | None = None
    receipt: str = "system"
