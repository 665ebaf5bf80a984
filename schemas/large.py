"""Keeping the cost of large invalid documents within bounds.

lxml works out the place of every error, counting siblings: 100,000 errors in one row take 72 s and 100 MB. So a large
document is first read by the engine as a stream, where errors have no place and reading can stop at the hundred-and-first.
What was read until then is all that is looked at closely.
"""

from __future__ import annotations

from typing import Any

from lxml import etree
from lxml.etree import _Element

MANY_ELEMENTS = 5_000  # that many errors in one row still take only 0.3 s
MANY_ERRORS = 100
LARGE_STEP = 256 * 1024
SMALL_STEP = 1024

_many = etree.XPath(f"count(//*) > {MANY_ELEMENTS}")


def is_large(root: _Element) -> bool:
    """Whether the tree below `root` has so many elements that its errors must be bounded."""
    return bool(_many(root))


def narrow(schema: etree.XMLSchema, root: _Element) -> _Element | None:
    """The tree to look for errors in: `root` itself, only its beginning if that has MANY_ERRORS, or None if it is valid."""
    text = etree.tostring(root, with_tail=False)
    count, end = _scan(schema, text, 0, LARGE_STEP)
    if count == 0:
        return None
    if count <= MANY_ERRORS:
        return root
    _, end = _scan(schema, text, max(end - LARGE_STEP, 0), SMALL_STEP)
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    beginning: _Element = etree.fromstring(text[:end], parser)
    return beginning


def _scan(schema: etree.XMLSchema, text: bytes, first: int, step: int) -> tuple[int, int]:
    """Read `first` bytes, then piece by piece, until there are MANY_ERRORS: how many there are, and where reading stopped."""
    parser: Any = etree.XMLParser(schema=schema, resolve_entities=False, no_network=True)
    end, count = first, 0
    try:
        parser.feed(text[:first])
        while end < len(text):
            parser.feed(text[end : end + step])
            end = min(end + step, len(text))
            count = _errors(parser)
            if count > MANY_ERRORS:
                return count, end
        parser.close()
    except etree.XMLSyntaxError:
        return max(_errors(parser), 1), len(text)  # how lxml says at the end that the document is not valid
    return _errors(parser), end


def _errors(parser: Any) -> int:
    """The errors by the schema; the parser's own remarks, on relative namespace names for one, do not count."""
    return sum(entry.domain_name == "SCHEMASV" for entry in parser.feed_error_log)
