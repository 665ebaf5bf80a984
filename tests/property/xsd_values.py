"""Values that satisfy a simple type, preferring its boundaries, and values made to break one."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from decimal import Decimal

from tests.property.xsd_model import SimpleType

ORDINARY = string.ascii_letters + string.digits + " -_.,;:()/+'\"&<>ąęłńóśźżÄß€中𝄞"
SEPARATORS = " \u00a0\u2003\u2028\u3000"
Sampler = Callable[[random.Random, int], str]


def _category(name: str, negated: bool) -> str:
    sets = {"Z": SEPARATORS, "IsBasicLatin": "".join(map(chr, range(32, 127)))}
    if name not in sets:
        raise NotImplementedError(f"category {name} in a pattern")
    return "".join(char for char in ORDINARY if char not in sets[name]) if negated else sets[name]


class PatternSampler:
    """Draws strings that match an XSD pattern: alternatives, groups, classes, the escapes d, p, P and quantifiers.

    `longest` given to `draw` is how far an unbounded quantifier may go.
    """

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0
        self.draw = self._alternatives()
        if self._at != len(pattern):
            raise NotImplementedError(f"pattern {pattern!r} at {self._at}")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _alternatives(self) -> Sampler:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._take()
            branches.append(self._sequence())
        return lambda rng, longest: rng.choice(branches)(rng, longest)

    def _sequence(self) -> Sampler:
        parts: list[Sampler] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._quantified(self._atom()))
        return lambda rng, longest: "".join(part(rng, longest) for part in parts)

    def _quantified(self, atom: Sampler) -> Sampler:
        sign = self._peek()
        bounds: tuple[int, int | None]
        if sign and sign in "?*+":
            self._take()
            bounds = {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        elif sign == "{":
            low, _, high = self._text[self._at + 1 : self._text.index("}", self._at)].partition(",")
            self._at = self._text.index("}", self._at) + 1
            bounds = (int(low), int(high or low))
        else:
            return atom
        return lambda rng, longest: _repeat(atom, bounds, rng, longest)

    def _atom(self) -> Sampler:
        char = self._take()
        if char == "(":
            inner = self._alternatives()
            self._take()
            return inner
        if char == "[":
            return _one_of(self._class())
        if char == ".":
            return _one_of(ORDINARY)
        return _one_of(self._escape() if char == "\\" else char)

    def _escape(self) -> str:
        kind = self._take()
        if kind == "d":
            return string.digits
        if kind in "pP":
            end = self._text.index("}", self._at)
            name, self._at = self._text[self._at + 1 : end], end + 1
            return _category(name, kind == "P")
        return {"n": "\n", "r": "\r"}.get(kind, kind)

    def _class(self) -> str:
        negated = self._peek() == "^"
        if negated:
            self._take()
        found = ""
        while self._peek() != "]":
            char = self._take()
            chars = self._escape() if char == "\\" else char
            if len(chars) == 1 and self._peek() == "-" and self._text[self._at + 1] != "]":
                self._take()
                chars = "".join(map(chr, range(ord(chars), ord(self._take()) + 1)))
            found += chars
        self._take()
        return "".join(char for char in ORDINARY if char not in found) if negated else found


def _one_of(chars: str) -> Sampler:
    return lambda rng, longest: rng.choice(chars)


def _repeat(atom: Sampler, bounds: tuple[int, int | None], rng: random.Random, longest: int) -> str:
    low = bounds[0]
    high = max(low, longest) if bounds[1] is None else bounds[1]
    return "".join(atom(rng, longest) for _ in range(rng.choice((low, high, rng.randint(low, high)))))


def _fits(kind: SimpleType, value: str) -> bool:
    if kind.base in ("xs:decimal", "xs:integer"):
        number = Decimal(value)
        digits = number.normalize().as_tuple()
        fraction = max(0, -int(digits.exponent))
        total = max(len(digits.digits), fraction) if int(digits.exponent) <= 0 else len(digits.digits) + int(digits.exponent)
        return (
            all(total <= int(limit) for limit in kind.values("totalDigits"))
            and all(fraction <= int(limit) for limit in kind.values("fractionDigits"))
            and all(number >= Decimal(limit) for limit in kind.values("minInclusive"))
            and all(number <= Decimal(limit) for limit in kind.values("maxInclusive"))
        )
    size = len(" ".join(value.split()) if kind.base == "xs:token" else value)
    return (
        all(size == int(limit) for limit in kind.values("length"))
        and all(size >= int(limit) for limit in kind.values("minLength"))
        and all(size <= int(limit) for limit in kind.values("maxLength"))
        and (kind.base != "xs:token" or value == value.strip())
    )


def _moment(kind: SimpleType, rng: random.Random) -> str:
    day = rng.choice(("0001-01-01", "2024-02-29", "9999-12-31", f"20{rng.randint(10, 49)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"))
    time = rng.choice(("00:00:00", "23:59:59", f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"))
    return day if kind.base == "xs:date" else f"{day}T{time}"


_SAMPLERS: dict[str, PatternSampler] = {}


def _sampled(kind: SimpleType, rng: random.Random) -> str:
    limits = [int(value) for value in kind.values("maxLength") + kind.values("length")]
    longest = min(limits, default=14)
    patterns = [[value for name, value in step if name == "pattern"] for step in kind.steps]
    patterns = [alternatives for alternatives in patterns if alternatives]
    if not patterns:
        low = max((int(value) for value in kind.values("minLength") + kind.values("length")), default=0)
        return _repeat(_one_of(ORDINARY), (low, longest), rng, longest)
    pattern = rng.choice(patterns[-1])
    if pattern not in _SAMPLERS:
        _SAMPLERS[pattern] = PatternSampler(pattern)
    value = _SAMPLERS[pattern].draw(rng, rng.choice((longest, max(longest - 2, 0), rng.randint(0, longest))))
    if any("IsBasicLatin" in alternative for alternatives in patterns for alternative in alternatives):
        value = "".join(char if char.isascii() else "e" for char in value)
    return value


def valid(kind: SimpleType, rng: random.Random) -> str:
    """A value the type accepts (in rare cases only nearly: the validators decide, never this function)."""
    if kind.values("enumeration"):
        return rng.choice(kind.values("enumeration"))
    if kind.base in ("xs:date", "xs:dateTime"):
        return _moment(kind, rng)
    if kind.values("minInclusive") and rng.random() < 0.5:
        return rng.choice((kind.values("minInclusive")[-1], kind.values("maxInclusive")[-1]))
    value = ""
    for _ in range(40):
        value = _sampled(kind, rng)
        if _fits(kind, value):
            break
    return value


BOUNDARIES = (
    *(
        "0",
        "1",
        "-1",
        "+1",
        "01",
        "1.0",
        "0.0",
        "1.",
        ".5",
        "0.000001",
        "0.0000001",
        "1e3",
        "INF",
        "NaN",
        "9" * 16,
        "9" * 17,
        "1" + "0" * 40,
    ),
    *("10000000000000.01", "100000000000000.01", "0.00", "9999999999.999999", "99999999999.999999", "-0", "999", "1000", "1999", "2000"),
    *(
        "9999",
        "10000",
        "99999",
        "100000",
        "99999999",
        "100000000",
        "999999999",
        "1000000000",
        "180.00000",
        "90.0000000",
        "90.00001",
        "-89.12345",
    ),
    *("2023-02-29", "2024-02-29", "2024-13-01", "0000-01-01", "-0001-01-01", "2024-01-01Z", "2024-01-01+01:00", "12024-01-01"),
    *(
        "2024-01-01T24:00:00",
        "2024-01-01T24:00:01",
        "2024-01-01T10:00:00Z",
        "2024-01-01T10:00:00.5",
        "2024-01-01T10:00:60",
        "2024-01-01T10:00",
    ),
    *("24PL301010NS0000J1", "24PL301010NS0000Z1", "23PL301010NS0000Z1", "25PL301010NS0000Z1", "25PL301010NS0000M1", "24PL301010NS0000A1"),
    *(
        "a@b.c",
        "a@b",
        "@b.c",
        "a@.c",
        " a@b.c",
        "ą@b.c",
        "true",
        "NCTS5.0",
        "NCTS5.1",
        " NCTS5.1",
        "NCTS6",
        "CC015C",
        "PL",
        "pl",
        "PL301010",
    ),
    *("XX25000000", "25000000", "25000001", "", " ", "\u00a0", "\t", "\n", "A B", "A  B"),
)


def broken(kind: SimpleType, value: str, rng: random.Random) -> str:
    """`value` changed so that it probably, not surely, breaks the type: too long, too short, garbled, at a numeric boundary."""
    limits = [int(limit) for limit in kind.values("maxLength") + kind.values("length")]
    longest = min(limits, default=max(len(value), 1))
    at = rng.randint(0, len(value))
    strange = rng.choice(
        [*SEPARATORS, "\t", "\n", "\r", "é", "𝄞", "~", "\x7f", "\u0085", "@", "-", "0", "Z", "٣", "Ａ", "\u200b", "\ufffd"]
    )
    return rng.choice(
        (
            lambda: (value or "x").ljust(longest, "x")[:longest] + "x",
            lambda: (value or "x").ljust(longest, "x")[:longest],
            lambda: "𝄞" * longest,
            lambda: value[:-1],
            lambda: value[:1],
            lambda: value[:at] + strange + value[at:],
            lambda: value[:at] + strange + value[at + 1 :],
            lambda: strange + value,
            lambda: value + strange,
            lambda: f" {value}\n ",
            lambda: value.swapcase(),
            lambda: rng.choice(BOUNDARIES),
            lambda: rng.choice(BOUNDARIES),
        )
    )()
