"""The engine's errors in plain words: where, which code, and what to change, in Polish and English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml.etree import _Element

from gateway.message import Violation
from schemas.grammar import TOO_COMPLEX, RawError
from schemas.large import MANY_ERRORS
from schemas.paths import Paths, name_of
from schemas.xsd import line_of

MAX_VIOLATIONS = MANY_ERRORS
MAX_VALUE = 40  # characters of a value that are repeated to the sender
MAX_LIST = 12  # names or values offered as what is expected

ATTRIBUTE = re.compile(r"^Element '[^']*'(?:, attribute|: The attribute) '([^']*)'")
ALLOWED = re.compile(r"'([^']*)'[^']*$")  # the engine names the limit last
LENGTH = re.compile(r"has a length of '(\d+)'")
PATTERN = re.compile(r"is not accepted by the pattern '(.*)'\.$", re.DOTALL)
SET = re.compile(r"is not an element of the set \{(.*)\}\.$", re.DOTALL)
EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*) \)\.$", re.DOTALL)
TYPE = re.compile(r"not a valid value of the (?:atomic|union|list|local atomic|local union|local list) ?type(?: '([^']*)')?")
NAMESPACE = re.compile(r"\{[^}]*\}")

#: built-in types as people would write them: (pl, en)
TYPES = {
    "xs:date": ("data RRRR-MM-DD", "a date YYYY-MM-DD"),
    "xs:dateTime": ("data i czas RRRR-MM-DDTGG:MM:SS", "a date and time YYYY-MM-DDThh:mm:ss"),
    "xs:time": ("czas GG:MM:SS", "a time hh:mm:ss"),
    "xs:decimal": ("liczba, np. 12.5", "a number such as 12.5"),
    "xs:integer": ("liczba całkowita", "a whole number"),
    "xs:boolean": ("true, false, 1 albo 0", "true, false, 1 or 0"),
    "xs:anyURI": ("adres URI", "a URI"),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """What the texts are filled from: the engine's error and the element it points at."""

    error: RawError
    node: _Element | None
    path: str
    field: str
    value: str
    patterns: Mapping[str, str]


def explain(root: _Element, errors: Sequence[RawError], patterns: Mapping[str, str]) -> tuple[Violation, ...]:
    """The violations for these errors of the tree below `root`, at most MAX_VIOLATIONS and one that says that there are more.

    `patterns` maps patterns as the engine knows them to those of the published schema. Columns are 0: `position.locate`
    finds them.
    """
    paths = Paths(root)
    found = [_violation(_place(paths, error, patterns)) for error in errors[:MAX_VIOLATIONS]]
    if len(errors) > MAX_VIOLATIONS:
        found.append(
            Violation(
                0,
                0,
                "",
                "schema.more",
                f"Pokazano pierwszych {MAX_VIOLATIONS} błędów; jest ich więcej. Popraw je i sprawdź dokument ponownie.",
                f"The first {MAX_VIOLATIONS} errors are shown; there are more. Correct them and check the document again.",
            )
        )
    return tuple(found)


def wrong_root(root: _Element, expected: str) -> Violation:
    """The document's root is not the one of its type."""
    return Violation(
        line_of(root),
        0,
        "/" + name_of(root),
        "schema.root",
        f"Element główny {name_of(root)} jest inny niż oczekiwany {expected}. Zmień element główny.",
        f"The root element {name_of(root)} is not the expected {expected}. Change the root element.",
    )


def _place(paths: Paths, error: RawError, patterns: Mapping[str, str]) -> _Place:
    node = paths.find(error.path)
    attribute = ATTRIBUTE.match(error.message)
    name = NAMESPACE.sub("", attribute[1]) if attribute else ""
    path = paths.path(node) if node is not None else error.path
    field = "/".join(re.sub(r"\[\d+\]", "", step) for step in path.strip("/").split("/")[-2:])
    if node is None:
        value = ""
    elif attribute:
        value = node.get(attribute[1]) or ""
    else:
        value = node.text or ""
    return _Place(error, node, path + ("/@" + name if name else ""), field + ("/@" + name if name else ""), value, patterns)


def _violation(place: _Place) -> Violation:
    kind = place.error.kind.removeprefix("SCHEMAV_")
    if kind == "ELEMENT_CONTENT":
        code, pl, en = _content(place)
    elif kind in {"CVC_MAXLENGTH_VALID", "CVC_MINLENGTH_VALID", "CVC_LENGTH_VALID"}:
        code, pl, en = _length(place, kind)
    else:
        code, pl, en = {
            "CVC_PATTERN_VALID": _pattern,
            "CVC_ENUMERATION_VALID": _enumeration,
            "CVC_MININCLUSIVE_VALID": _range,
            "CVC_MINEXCLUSIVE_VALID": _range,
            "CVC_MAXINCLUSIVE_VALID": _range,
            "CVC_MAXEXCLUSIVE_VALID": _range,
            "CVC_TOTALDIGITS_VALID": _digits,
            "CVC_FRACTIONDIGITS_VALID": _digits,
            "CVC_DATATYPE_VALID_1_2_1": _type,
            "CVC_DATATYPE_VALID_1_2_2": _type,
            "CVC_DATATYPE_VALID_1_2_3": _type,
            "CVC_COMPLEX_TYPE_4": _missing_attribute,
            "CVC_COMPLEX_TYPE_3_1": _unexpected_attribute,
            "CVC_COMPLEX_TYPE_3_2_1": _unexpected_attribute,
            "CVC_COMPLEX_TYPE_3_2_2": _unexpected_attribute,
            "CVC_COMPLEX_TYPE_2_1": _text,
            "CVC_COMPLEX_TYPE_2_3": _text,
            "CVC_TYPE_3_1_2": _children,
            "CVC_ELT_1": _root,
            "CVC_IDC": _key,
            TOO_COMPLEX: _too_complex,
        }.get(kind, _other)(place)
    line = line_of(place.node) if place.node is not None else 0
    return Violation(line or place.error.line, 0, place.path, code, pl, en)


def _cut(value: str) -> str:
    shown = " ".join(value.split()) if len(value) <= MAX_VALUE * 4 else value[: MAX_VALUE + 1]
    return shown if len(shown) <= MAX_VALUE else shown[:MAX_VALUE] + "…"


def _listed(names: Sequence[str], pl: bool) -> str:
    rest = len(names) - MAX_LIST
    return ", ".join(names[:MAX_LIST]) + ((f" i {rest} innych" if pl else f" and {rest} more") if rest > 0 else "")


def _allowed(place: _Place) -> str:
    match = ALLOWED.search(place.error.message)
    return match[1] if match else "?"


def _both(place: _Place, pl: str, en: str) -> tuple[str, str]:
    """The usual beginning: the field and its value."""
    value = _cut(place.value)
    return f"Pole {place.field}: wartość „{value}” {pl}", f"Field {place.field}: the value '{value}' {en}"


def _content(place: _Place) -> tuple[str, str, str]:
    expected = EXPECTED.search(place.error.message)
    names = [NAMESPACE.sub("", name.strip()) for name in expected[1].split(",")] if expected else []
    names = [name.replace("##other", "…").replace("*", "…") for name in names]
    if "Missing child element" in place.error.message:
        return (
            "schema.missing",
            f"W {place.field} brakuje elementu. Dodaj: {_listed(names, True)}.",
            f"{place.field} lacks an element. Add: {_listed(names, False)}.",
        )
    if names:
        return (
            "schema.unexpected",
            f"Element {place.field} nie może tu wystąpić. W tym miejscu dozwolone: {_listed(names, True)}.",
            f"Element {place.field} is not allowed here. Allowed at this place: {_listed(names, False)}.",
        )
    return (
        "schema.unexpected",
        f"Element {place.field} nie może tu wystąpić (nieznany, za późno albo o jeden za dużo). Usuń go.",
        f"Element {place.field} is not allowed here (unknown, too late or one too many). Remove it.",
    )


def _length(place: _Place, kind: str) -> tuple[str, str, str]:
    found = LENGTH.search(place.error.message)
    size, allowed = (found[1] if found else "?"), _allowed(place)
    pl, en = {
        "CVC_MAXLENGTH_VALID": (
            f"jest za długa ({size} znaków, dozwolone {allowed}). Skróć ją.",
            f"is too long ({size} characters, {allowed} allowed). Shorten it.",
        ),
        "CVC_MINLENGTH_VALID": (
            f"jest za krótka ({size} znaków, potrzeba {allowed}). Uzupełnij ją.",
            f"is too short ({size} characters, {allowed} needed). Complete it.",
        ),
        "CVC_LENGTH_VALID": (
            f"ma {size} znaków, musi mieć {allowed}. Popraw ją.",
            f"has {size} characters and must have {allowed}. Correct it.",
        ),
    }[kind]
    return "schema.length", *_both(place, pl, en)


def _pattern(place: _Place) -> tuple[str, str, str]:
    match = PATTERN.search(place.error.message)
    pattern = place.patterns.get(match[1], match[1]) if match else "?"
    pattern = pattern if len(pattern) <= 80 else pattern[:80] + "…"
    return "schema.pattern", *_both(
        place,
        f"nie pasuje do wzorca {pattern}. Zapisz ją zgodnie ze wzorcem.",
        f"does not match the pattern {pattern}. Write it by the pattern.",
    )


def _enumeration(place: _Place) -> tuple[str, str, str]:
    match = SET.search(place.error.message)
    values = [value.strip().strip("'") for value in match[1].split("', '")] if match else []
    return "schema.enumeration", *_both(
        place,
        f"nie jest jedną z dozwolonych. Użyj jednej z: {_listed(values, True)}.",
        f"is none of those allowed. Use one of: {_listed(values, False)}.",
    )


def _range(place: _Place) -> tuple[str, str, str]:
    low, exclusive = "MIN" in place.error.kind, "EXCLUSIVE" in place.error.kind
    pl = ("większa niż" if exclusive else "co najmniej") if low else ("mniejsza niż" if exclusive else "co najwyżej")
    en = ("greater than" if exclusive else "at least") if low else ("less than" if exclusive else "at most")
    allowed = _allowed(place)
    return "schema.range", *_both(place, f"jest poza zakresem; musi być {pl} {allowed}.", f"is out of range; it must be {en} {allowed}.")


def _digits(place: _Place) -> tuple[str, str, str]:
    allowed, fraction = _allowed(place), "FRACTION" in place.error.kind
    return "schema.digits", *_both(
        place,
        f"ma za dużo cyfr{' po przecinku' if fraction else ''} (dozwolone {allowed}). Zaokrąglij ją.",
        f"has too many {'fraction ' if fraction else ''}digits ({allowed} allowed). Round it.",
    )


def _type(place: _Place) -> tuple[str, str, str]:
    match = TYPE.search(place.error.message)
    name = (match[1] if match else "") or ""
    pl, en = TYPES.get(name, (name or "inny typ", name or "another type"))
    return "schema.type", *_both(place, f"ma zły typ; oczekiwano: {pl}. Popraw ją.", f"has the wrong type; expected: {en}. Correct it.")


def _missing_attribute(place: _Place) -> tuple[str, str, str]:
    return "schema.missing", f"Brakuje atrybutu {place.field}. Dodaj go.", f"Attribute {place.field} is missing. Add it."


def _unexpected_attribute(place: _Place) -> tuple[str, str, str]:
    return "schema.unexpected", f"Atrybut {place.field} jest niedozwolony. Usuń go.", f"Attribute {place.field} is not allowed. Remove it."


def _text(place: _Place) -> tuple[str, str, str]:
    return (
        "schema.text",
        f"Element {place.field} zawiera tekst między elementami, co jest niedozwolone. Usuń ten tekst.",
        f"Element {place.field} has text between its elements, which is not allowed. Remove that text.",
    )


def _children(place: _Place) -> tuple[str, str, str]:
    return (
        "schema.unexpected",
        f"Pole {place.field} ma zawierać samą wartość. Usuń z niego elementy.",
        f"Field {place.field} must hold a value only. Remove the elements inside it.",
    )


def _root(place: _Place) -> tuple[str, str, str]:
    return (
        "schema.root",
        f"Element główny {place.field} nie jest zadeklarowany w schemacie. Sprawdź nazwę i przestrzeń nazw.",
        f"The root element {place.field} is not declared in the schema. Check the name and the namespace.",
    )


def _key(place: _Place) -> tuple[str, str, str]:
    return "schema.key", *_both(
        place,
        "powtarza się albo wskazuje coś, czego nie ma. Popraw ją.",
        "is repeated, or points at something that is not there. Correct it.",
    )


def _too_complex(place: _Place) -> tuple[str, str, str]:
    return (
        "schema.too_complex",
        "Wartości jednego z pól nie da się sprawdzić względem wzorca w rozsądnym czasie. Skróć długie pola.",
        "The value of a field cannot be checked against its pattern in reasonable time. Shorten long fields.",
    )


def _other(place: _Place) -> tuple[str, str, str]:
    detail = NAMESPACE.sub("", place.error.message)[:200]
    return "schema.other", f"Element {place.field}: {detail} Popraw go.", f"Element {place.field}: {detail} Correct it."
