"""The grammar of permissions.

    needed  = system "/" document                  NCTS2/CC015C    what a document's profile asks for
    granted = needed | system "/*" | "*" | named   one document, all of a system, every document of every system
    named   = "read-all-employees"                 reading what anybody sent in the same context

`system` is a system code as in the catalogue, `document` the local name of the root element; both are compared as they
stand. They mean sending; reading what one sent oneself needs the representation alone. A named permission is about no
document, so it must stand in the representation by its name: not even `*` includes it.
"""

from __future__ import annotations

import re
from collections.abc import Set

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_NEEDED = re.compile(rf"{_PART}/{_PART}")
_GRANTED = re.compile(rf"\*|{_PART}/(\*|{_PART})")
LONGEST = 100

READ_ALL_EMPLOYEES = "read-all-employees"
NAMED = frozenset({READ_ALL_EMPLOYEES})


def is_granted_form(text: str) -> bool:
    """Whether a representation may carry this permission."""
    return text in NAMED or (len(text) <= LONGEST and _GRANTED.fullmatch(text) is not None)


def covers(granted: Set[str], needed: str) -> bool:
    """Whether these rights allow `needed`. A `needed` that names no document is allowed by nothing, not even by `*`."""
    if not _NEEDED.fullmatch(needed):
        return False
    return needed in granted or f"{needed.partition('/')[0]}/*" in granted or "*" in granted
