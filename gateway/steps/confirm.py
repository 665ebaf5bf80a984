"""confirm: a signed UPD, Verified -> Verified with what it confirms. Only the UPD that we issued, unchanged, confirms anything.

The office seals the UPD and lays it into the mailbox; the trader puts his signature behind the seal and sends it back
(facts: "two signatures, office, then party"), or signs the UPD without the seal ("one signature, party"). What he signed
is compared, element by element, with what we issued and stored: so our seal need not be judged again, and nothing can be
added to it, taken away or put in its place.
"""

from __future__ import annotations

from dataclasses import replace

from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.message import Verified
from gateway.ports import Parser, Servings
from gateway.technical import CRD


def confirm(verified: Verified, servings: Servings, parser: Parser) -> Verified:
    """Raises Rejected(confirm.unknown | confirm.altered). Whether it comes in time and for the first time is for the
    recording transaction: only there is it sure."""
    named = verified.signed.findtext(f"{{{CRD}}}UPD/{{{CRD}}}IdentyfikatorPoswiadczenia", "").strip()
    serving = servings.find(named)
    if serving is None:
        raise Rejected("confirm.unknown", certificate=named[:80])
    issued, signed = list(parser.parse(serving.request)), list(verified.signed)
    if len(signed) > len(issued) or not all(map(_alike, signed, issued)) or not _bare(verified.signed):
        raise Rejected("confirm.altered", certificate=named)
    return replace(verified, serving=serving)


def _bare(root: _Element) -> bool:
    """Nothing beside the elements but white space: signing software likes to break lines there."""
    return not any(text and not text.isspace() for text in (root.text, *(child.tail for child in root)))


def _alike(one: _Element, other: _Element) -> bool:
    """The same names, prefixes, attributes and texts all the way down; what follows the element itself does not count."""
    if one.tag != other.tag or one.prefix != other.prefix or (one.text or "") != (other.text or "") or len(one) != len(other):
        return False
    if sorted(one.items()) != sorted(other.items()):
        return False
    return all((a.tail or "") == (b.tail or "") and _alike(a, b) for a, b in zip(one, other, strict=True))
