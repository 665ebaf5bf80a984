"""NCTS2: the keeper of the port `gateway.ports.Adapter` for transit, phase 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from adapters import answers
from adapters.http_client import HttpClient
from adapters.ncts.client import judge
from adapters.proof import Secrets, proves_answer, sign_request
from gateway.errors import Rejected
from gateway.message import Answer, Job, Request, Taken
from gateway.ports import Parser
from gateway.profile import SystemProfile

REQUEST_ID = "brama-request-id"
SYS_REF = "brama-sys-ref"
DOCUMENT = "brama-document"


def _now() -> datetime:
    return datetime.now(UTC)


class NctsAdapter:
    """Speaks to the transit authority as its profile says. Safe to use from many tasks of one event loop."""

    def __init__(self, profile: SystemProfile, url: str, secrets: Secrets, parser: Parser, now: Callable[[], datetime] = _now) -> None:
        """`url` is where declarations are posted; `now` stamps our signatures, at the moment of sending.

        Raises Failed(deliver.misconfigured) for an address that is none, ValueError for a profile without proof.
        """
        if profile.proof is None:
            raise ValueError(f"{profile.system}: a system whose answers prove nothing cannot be connected; add [proof] to its profile")
        self.profile = profile
        self._window = profile.proof.window
        self._secrets = secrets
        self._parser = parser
        self._now = now
        self._client = HttpClient(profile, url)

    def request(self, job: Job) -> Request:
        """The bytes as the trader signed them, under our message id; the signature to the target is added when sending
        because it holds only for minutes and a retry must not change what is stored."""
        headers = {
            "content-type": "application/xml",
            REQUEST_ID: job.sys_ref,
            SYS_REF: job.sys_ref,
            DOCUMENT: job.document_type.name,
        }
        return Request(job.sys_ref, job.content, headers)

    async def deliver(self, request: Request) -> Taken:
        """Send it once; the meaning of every outcome stands in `adapters.http_client` and `adapters.ncts.client`."""
        signature = sign_request(self._secrets, request.request_id, request.content, self._now())
        answer = await self._client.post(request.content, {**request.headers, **signature})
        return judge(self.profile, self._parser, answer)

    def authenticate(self, headers: Mapping[str, str], body: bytes, at: datetime) -> None:
        """Raises Rejected(reply.unauthenticated) unless the call carries the authority's signature of these bytes."""
        if not proves_answer(self._secrets, headers, body, at, self._window):
            raise Rejected("reply.unauthenticated", system=self.profile.system)

    def read_answer(self, content: bytes) -> Answer:
        """Raises Failed(reply.garbage)."""
        return answers.read_answer(self.profile, self._parser, content)

    async def close(self) -> None:
        """Close the connections to the authority."""
        await self._client.close()
