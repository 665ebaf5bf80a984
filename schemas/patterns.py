"""Patterns that libxml2 gets wrong, written so that it gets them right.

libxml2 loses the negation of a category or block escape inside a character class: `[\\P{Cc}\\t]+` is read as
`[\\p{Cc}\\t]+` and refuses ordinary text (seen with libxml2 2.14.6). Such a class is replaced by the same set of
characters written out as ranges. So is every other place where a category stands for what is left out, because
libxml2's tables of categories are those of an old Unicode, and would let newer letters pass; and so is a class with a
range that begins with an escaped character (`[\\[-\\]a-z]`), which it takes apart wrongly.

A category that stands for what is let in is left to libxml2, which is quick: it errs only by refusing newer letters, and
then the grammar is asked again with `exact`, where every category is written out (right, but some 3 µs a character).
The sets come from the Unicode tables of the second engine (elementpath, a part of xmlschema).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LAST = 0x10FFFF
CATEGORY = re.compile(r"\\([pP])\{([A-Za-z0-9-]+)\}")
ESCAPED_START = re.compile(r"\\[^pPsSdDwWiIcC]-(?![\[\]])")  # of a range in a class
SINGLE = {"n": "\n", "r": "\r", "t": "\t"}
SPECIAL = set("\\[]^-.?*+{}()|")
#: what XML 1.0 allows in a document at all (production 2, Char)
XML_CHARACTERS = [(0x9, 0xA), (0xD, 0xD), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, LAST)]

Ranges = list[tuple[int, int]]


class PatternError(ValueError):
    """A pattern that is no regular expression of XML Schema (part 2, appendix F)."""


def rewrite(pattern: str, exact: bool = False) -> str:
    """An equivalent pattern that libxml2 reads rightly; the pattern itself if there is nothing to mend. Raises PatternError."""
    if "\\P{" not in pattern and "\\p{" not in pattern and not ESCAPED_START.search(pattern):
        return pattern
    out: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "[":
            found, end = _read_class(pattern, at)
            text = pattern[at:end]
            leaves_out = text.startswith("[^") or "-[" in text
            mend = "\\P{" in text or ("\\p{" in text and (exact or leaves_out)) or ESCAPED_START.search(text) is not None
            out.append(_write(found) if mend else text)
        elif category := CATEGORY.match(pattern, at):
            end = category.end()
            mend = exact or category[1] == "P"
            out.append(_write(_category(category)) if mend else category[0])
        else:
            end = at + (2 if pattern[at] == "\\" else 1)
            out.append(pattern[at:end])
        at = end
    return "".join(out)


def uses_categories(pattern: str) -> bool:
    """Whether a refusal by this pattern rests on libxml2's own, old tables of categories."""
    return any(not category[2].startswith("Is") for category in CATEGORY.finditer(pattern))


def _read_class(pattern: str, at: int) -> tuple[Ranges, int]:
    """The set of a class that opens at `at`, and the position after its closing bracket."""
    start = at
    at += 1
    negative = pattern.startswith("^", at)
    at += negative
    found: Ranges = []
    while True:
        if at >= len(pattern):
            raise PatternError(f"the class opened at character {start + 1} of the pattern '{pattern}' has no end")
        if pattern[at] == "]":
            return (_complement(found) if negative else _union(found)), at + 1
        if pattern.startswith("-[", at):
            without, end = _read_class(pattern, at + 1)
            if not pattern.startswith("]", end):
                raise PatternError(f"the subtraction in the pattern '{pattern}' must end its class")
            base = _complement(found) if negative else _union(found)
            return _common(base, _complement(without)), end + 1
        part, at = _read_part(pattern, at)
        found.extend(part)


def _read_part(pattern: str, at: int) -> tuple[Ranges, int]:
    """One member of a class: a set escape, a character or a range."""
    if category := CATEGORY.match(pattern, at):
        return _category(category), category.end()
    if pattern[at] == "\\" and pattern[at + 1 : at + 2] in set("sSdDwWiIcC"):
        return _shortcut(pattern[at + 1]), at + 2
    first, at = _character(pattern, at)
    if pattern.startswith("-", at) and at + 1 < len(pattern) and pattern[at + 1] not in "[]":
        last, end = _character(pattern, at + 1)
        if last < first:
            raise PatternError(f"a range of the pattern '{pattern}' runs backwards")
        return [(first, last)], end
    return [(first, first)], at


def _character(pattern: str, at: int) -> tuple[int, int]:
    if pattern[at] != "\\":
        return ord(pattern[at]), at + 1
    if at + 1 >= len(pattern):
        raise PatternError(f"the pattern '{pattern}' ends with a backslash")
    return ord(SINGLE.get(pattern[at + 1], pattern[at + 1])), at + 2


def _category(match: re.Match[str]) -> Ranges:
    from elementpath.regex.unicode_subsets import unicode_subset  # only for patterns that need it: 0.1 s and 3 MB

    try:
        points = unicode_subset(match[2]).codepoints
    except Exception as error:  # its own error class has moved between releases
        raise PatternError(f"{match[0]} names no category or block") from error
    found = _union((point, point) if isinstance(point, int) else (point[0], point[1] - 1) for point in points)
    return _complement(found) if match[1] == "P" else found


def _shortcut(letter: str) -> Ranges:
    from elementpath.regex.character_classes import CharacterClass

    points = CharacterClass("\\" + letter.lower()).positive.codepoints
    found = _union((point, point) if isinstance(point, int) else (point[0], point[1] - 1) for point in points)
    return _complement(found) if letter.isupper() else found


def _union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    joined: Ranges = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


def _complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    left: Ranges = []
    start = 0
    for low, high in _union(ranges):
        if low > start:
            left.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        left.append((start, LAST))
    return left


def _common(one: Ranges, other: Ranges) -> Ranges:
    return _complement([*_complement(one), *_complement(other)])


def _write(found: Ranges) -> str:
    """The set as a class, plain or negated, whichever has fewer ranges."""
    plain = _common(found, XML_CHARACTERS)
    negated = _common(_complement(found), XML_CHARACTERS)
    if not plain or not negated:
        return "[\\s\\S]" if plain else "[^\\s\\S]"
    return f"[^{_text(negated)}]" if len(negated) < len(plain) else f"[{_text(plain)}]"


def _text(ranges: Ranges) -> str:
    """The ranges, none of which begins or ends with an escaped character (see the top of this file)."""
    out: list[str] = []
    for low, high in ranges:
        while low < high and _escape(low) != chr(low):
            out.append(_escape(low))
            low += 1
        ends: list[str] = []
        while low < high and _escape(high) != chr(high):
            ends.append(_escape(high))
            high -= 1
        out.append(_escape(low) if low == high else f"{chr(low)}-{chr(high)}")
        out.extend(ends)
    return "".join(out)


def _escape(point: int) -> str:
    character = chr(point)
    for name, meant in SINGLE.items():
        if character == meant:
            return "\\" + name
    return "\\" + character if character in SPECIAL else character
