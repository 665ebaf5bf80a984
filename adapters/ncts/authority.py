"""The simulated transit authority's mind: what becomes of one request.

It proves the caller, takes a request id once, knows its repeats, and plans the answers; how that travels over HTTP is
`adapters.ncts.simulator`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from lxml import etree
from lxml.etree import QName, _Element

from adapters.answers import read_keys
from adapters.ncts.adapter import REQUEST_ID
from adapters.ncts.codes import DUPLICATE
from adapters.ncts.replies import NOBODY, Declaration, functional_error, mrn, reply, xml_error
from adapters.ncts.scenarios import GARBAGE, SLOW_REPLY, Scenario, choose
from adapters.proof import Secrets, proves_request
from adapters.wire_log import Effect, PlannedAnswer, WireLog, sha256
from gateway.message import BusinessKeys
from gateway.profile import SystemProfile

_GARBAGE = b"<<< this is no XML"
_RETRY_AFTER = {"retry-after": "1"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back on the call. `status` 0: nothing, the connection is closed. `delay` is in seconds at speed 1;
    `answers_follow`: there is something to call back."""

    outcome: str
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    answers_follow: bool = False


class Authority:
    """Takes requests one after another. `down` and `repaired` are set by the control."""

    def __init__(self, profile: SystemProfile, secrets: Secrets, log: WireLog) -> None:
        if profile.proof is None:
            raise ValueError(f"{profile.system}: the profile has no [proof]")
        self._window = profile.proof.window
        self._profile = profile
        self._secrets = secrets
        self._log = log
        self.down = False
        self.repaired = False

    def receive(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Decide about one arrival, and log it. `headers` has lower-case names."""
        request_id = headers.get(REQUEST_ID, "")[:100]
        made = self._decide(request_id, headers, body, datetime.now(UTC))
        self._log.arrived(request_id, body, made.outcome, made.status)
        return made

    def _decide(self, request_id: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Reply:
        if not request_id or not proves_request(self._secrets, headers, request_id, body, now, self._window):
            return Reply("unauthenticated", 401)
        if self.down:
            return Reply("unavailable", 503, headers=_RETRY_AFTER)
        if (known := self._log.effect(request_id)) is not None:
            return self._repeat(known == sha256(body), now)
        try:
            root = _parse(body)
            document = self._profile.documents[root.tag]
            keys = read_keys(root, document.paths)
        except (etree.XMLSyntaxError, ValueError, KeyError) as error:
            return Reply("refused", 400, xml_error(f"not a request of this system: {error}", NOBODY, _new_id(), now))
        return self._judge(request_id, root, keys, body, now)

    def _repeat(self, same: bool, now: datetime) -> Reply:
        """The same bytes again: already there (409). Other bytes under a used id: refused."""
        statement = functional_error(DUPLICATE, "/messageIdentification", NOBODY, None, _new_id(), now)
        return Reply("duplicate", 409, statement) if same else Reply("refused", 400, statement)

    def _judge(self, request_id: str, root: _Element, keys: BusinessKeys, body: bytes, now: datetime) -> Reply:
        if not keys.message_id or not keys.sender:
            return Reply("refused", 400, xml_error("messageIdentification or messageSender is missing", NOBODY, _new_id(), now))
        scenario = choose(QName(root).localname, keys.lrn)
        if scenario.conduct == "down" and not self.repaired:
            return Reply("unavailable", 503, headers=_RETRY_AFTER)
        if scenario.conduct == "refuse":
            statement = functional_error("14", "/TransitOperation/LRN", keys.sender, keys.message_id, _new_id(), now)
            return Reply("refused", 400, statement)
        if self._log.message_known(keys.sender, keys.message_id):
            statement = functional_error(DUPLICATE, "/messageIdentification", keys.sender, keys.message_id, _new_id(), now)
            return Reply("refused", 400, statement)
        number = keys.mrn or self._log.mrn_of(keys.sender, keys.lrn) or mrn(request_id, now)
        declaration = Declaration(root, keys.message_id, keys.sender, keys.lrn or "", number)
        answers = _plan(scenario, declaration, now)
        document = QName(root).localname
        effect = Effect(request_id, sha256(body), document, keys.sender, keys.message_id, keys.lrn, number, scenario.marker)
        self._log.take(effect, answers)
        if scenario.conduct == "lose":
            return Reply("lost", 0, answers_follow=True)
        delay = SLOW_REPLY if scenario.conduct == "slow" else 0.0
        return Reply("taken", 202, delay=delay, answers_follow=bool(answers))


def _plan(scenario: Scenario, declaration: Declaration, now: datetime) -> tuple[PlannedAnswer, ...]:
    contents = {name: _GARBAGE if name == GARBAGE else reply(name, declaration, _new_id(), now) for name in scenario.answers}
    return tuple(PlannedAnswer(name, scenario.pause, contents[name]) for name in scenario.answers)


def _new_id() -> str:
    return uuid4().hex


def _parse(body: bytes) -> _Element:
    """The authority is not the gateway: it has its own, equally strict, parser. Raises XMLSyntaxError or ValueError."""
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False))
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a DOCTYPE is not allowed")
    return root
