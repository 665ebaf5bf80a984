"""validate: Identified -> Validated. What is validated is the very tree that the signature is over."""

from __future__ import annotations

from gateway.errors import Rejected
from gateway.message import Identified, Validated, Violation
from gateway.ports import Schemas, Verifier


class Invalid(Rejected):
    """Rejected(validate.schema) with every violation."""

    def __init__(self, violations: tuple[Violation, ...], edition: str) -> None:
        self.violations = violations
        first = violations[0]
        super().__init__("validate.schema", edition=edition, count=len(violations), first_pl=first.pl, first_en=first.en)


def validate(identified: Identified, schemas: Schemas, verifier: Verifier) -> Validated:
    """Set the enveloped signature aside, unless the schema has a place for it, and validate. Raises Invalid."""
    document_type, root, content = identified.document_type, identified.parsed.root, identified.parsed.received.content
    if schemas.foresees_signature(document_type):
        violations = schemas.validate(document_type, root, content)
        candidate = verifier.set_aside(root, countersigned=bool(identified.profile.confirms))
    else:
        candidate = verifier.set_aside(root)
        violations = schemas.validate(document_type, candidate.payload, content)
    if violations:
        raise Invalid(violations, document_type.edition)
    return Validated(identified, candidate)
