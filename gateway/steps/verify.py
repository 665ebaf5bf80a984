"""verify: Validated -> Verified. From here on the signed tree is the only XML that anyone may read."""

from __future__ import annotations

from collections.abc import Mapping

from lxml.etree import _Element

from gateway.message import BusinessKeys, Validated, Verified
from gateway.ports import Verifier


def verify(validated: Validated, verifier: Verifier) -> Verified:
    """Who signed what. Raises Rejected(signature.* | certificate.*)."""
    signed, report = verifier.verify(validated.candidate, validated.identified.parsed.received.received_at)
    return Verified(validated, signed, report, read_keys(signed, validated.identified.profile.paths))


def read_keys(root: _Element, paths: Mapping[str, str]) -> BusinessKeys:
    """The business keys at the profile's paths; empty text counts as absent."""
    return BusinessKeys(**{field: (root.findtext(path) or "").strip() or None for field, path in paths.items()})
