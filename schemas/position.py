"""Where in the document an element stands, to the column. libxml2 keeps lines only, so the text is read once more.

Only for documents that are refused, so the second reading costs nothing on the way of good ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from xml.parsers import expat

from gateway.message import Violation

STEP = re.compile(r"^(.*?)(?:\[(\d+)\])?$")


class _Found(Exception):
    """Everything asked for has been found: no need to read on."""


def locate(content: bytes, violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """The violations with the line and column (1-based) of their element's start tag.

    `content` is the document as it came. It has passed the hardened parser already, so it has no DOCTYPE; what cannot
    be read here (an encoding that expat lacks) leaves the positions as they are.
    """
    wanted = {_steps(violation.path) for violation in violations if violation.path}
    found = _read(content, wanted) if wanted else {}
    return tuple(
        replace(violation, line=position[0], column=position[1]) if (position := found.get(_steps(violation.path))) else violation
        for violation in violations
    )


def _steps(path: str) -> str:
    """The path with a number on every step; an attribute stands for its element."""
    names = path.partition("/@")[0].strip("/").split("/")
    return "/".join(f"{match[1]}[{match[2] or 1}]" for name in names if (match := STEP.match(name)))


def _read(content: bytes, wanted: set[str]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    trail: list[str] = []
    counts: list[dict[str, int]] = [{}]
    parser = expat.ParserCreate()

    def start(name: str, _attributes: object) -> None:
        number = counts[-1][name] = counts[-1].get(name, 0) + 1
        trail.append(f"{name}[{number}]")
        counts.append({})
        path = "/".join(trail)
        if path in wanted:
            found[path] = (parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
            if len(found) == len(wanted):
                raise _Found

    def end(_name: str) -> None:
        trail.pop()
        counts.pop()

    def doctype(*_: object) -> None:
        raise _Found

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except (_Found, expat.ExpatError, ValueError, LookupError):
        return found
    return found
