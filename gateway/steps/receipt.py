"""receipt: Authorized -> Accepted with a signed UPP, or a refusal -> Refused with a signed NPP that gives all reasons.

How they are written stands in `gateway.technical`.
"""

from __future__ import annotations

from typing import Literal

from gateway import technical
from gateway.errors import Rejected
from gateway.message import Accepted, Authorized, Identified, Receipt, Refused, Violation
from gateway.ports import Signer

LISTED = 20  # violations spelled out in an NPP; more are counted


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


def _sealed(kind: Literal["UPP", "NPP"], identified: Identified, facts: technical.Facts, signer: Signer, issuer: str) -> bytes:
    received = identified.parsed.received
    sys_ref = received.sys_ref
    common = [("sys_ref", sys_ref), ("correlation", sys_ref), ("digest", received.digest.hex())]
    name = received.filename or identified.document_type.name
    document = technical.receipt(kind, sys_ref, received.caller.login, name, received.received_at, [*common, *facts], issuer)
    return signer.seal(document, technical.DOCUMENT)
