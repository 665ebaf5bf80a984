"""What NCTS2's HTTP answers to a request mean.

| status | meaning |
| --- | --- |
| 2xx | taken |
| the profile's duplicate answer (409, CC906C with error code 26) | taken before |
| 408, 425, 429, and 503 with Retry-After | not taken, try later |
| 401, 403, 404, 405, 407, and 3xx | our address or secret is wrong: for an operator |
| other 4xx | refused |
| other 5xx | in doubt |
"""

from __future__ import annotations

from lxml.etree import _Element

from adapters.ncts.codes import describe
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.http_answer import HttpAnswer
from gateway.message import Taken
from gateway.ports import Parser
from gateway.profile import DuplicateAnswer, SystemProfile

_LATER = frozenset({408, 425, 429})
_OURS = frozenset({401, 403, 404, 405, 407})
_LONGEST_DETAIL = 300


def judge(profile: SystemProfile, parser: Parser, answer: HttpAnswer) -> Taken:
    """Taken, or the error that the table above gives."""
    status = answer.status
    if 200 <= status < 300:
        return Taken(duplicate=False, detail=f"HTTP {status}")
    if status in _LATER or (status == 503 and "retry-after" in answer.headers):
        raise Deferred("deliver.unavailable", system=profile.system, detail=f"HTTP {status}", retry_after=answer.headers.get("retry-after"))
    if status in _OURS or 300 <= status < 400:
        settings = f"{profile.transport['url_setting']}, {profile.proof.secret_setting if profile.proof else ''}"
        raise Failed("deliver.misconfigured", system=profile.system, detail=f"HTTP {status}", settings=settings)
    if 400 <= status < 500:
        return _no(profile, parser, answer)
    raise Deferred("deliver.in_doubt", system=profile.system, detail=f"HTTP {status} without a statement")


def _no(profile: SystemProfile, parser: Parser, answer: HttpAnswer) -> Taken:
    """A 4xx: the duplicate answer, or a refusal in the target's words."""
    duplicate = profile.duplicate
    if duplicate is not None and answer.status == duplicate.status:
        if not answer.whole:  # it may have said "duplicate": asking again costs nothing, guessing could lose a message
            raise Deferred("deliver.in_doubt", system=profile.system, detail=f"HTTP {answer.status}, its body cannot be read")
        root = _parsed(parser, answer.body)
        if root is not None and _says(root, duplicate):
            return Taken(duplicate=True, detail=f"HTTP {answer.status}, {describe(duplicate.value)}")
    words = _in_words(_parsed(parser, answer.body) if answer.whole else None)
    detail = f"HTTP {answer.status}: {words}" if words else f"HTTP {answer.status}"
    raise Rejected("deliver.refused", system=profile.system, detail=detail[:_LONGEST_DETAIL])


def _parsed(parser: Parser, body: bytes) -> _Element | None:
    """The body as a tree; None when it is no XML: the status has spoken already, the body only adds words."""
    try:
        return parser.parse(body)
    except GatewayError:
        return None


def _says(root: _Element, duplicate: DuplicateAnswer) -> bool:
    return root.tag == duplicate.root and any((element.text or "").strip() == duplicate.value for element in root.iterfind(duplicate.path))


def _in_words(root: _Element | None) -> str:
    """The reasons in a CC906C (functional errors) or CC917C (XML errors) body."""
    if root is None:
        return ""
    return "; ".join(_reason(error) for error in (*root.iterfind("FunctionalError"), *root.iterfind("XMLError")))


def _reason(error: _Element) -> str:
    pointer = error.findtext("errorPointer", "")
    code = error.findtext("errorCode", "")
    parts = (
        describe(code) if error.tag == "FunctionalError" else code,
        error.findtext("errorReason", "") or error.findtext("errorText", ""),
        pointer and f"at {pointer}",
    )
    return ", ".join(part for part in parts if part)
