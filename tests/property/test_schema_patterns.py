"""Classes with negated categories match what Unicode says, whatever else stands in them."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.grammar import compile_grammar
from tests.schema_packages import with_pattern

CATEGORIES = ["L", "Lu", "Ll", "N", "Nd", "P", "Z", "Zs", "S", "Sm", "Cc"]
CHARACTERS = "aZ09ąŻ -_.[]\\^+€\t\u00a0\u0416\u4e00"
ESCAPED = {"\t": "\\t", **{character: "\\" + character for character in "-.[]\\^+"}}

categories = st.tuples(st.sampled_from("pP"), st.sampled_from(CATEGORIES))
members = st.lists(st.one_of(categories, st.sampled_from(CHARACTERS)), min_size=1, max_size=4)


def written(parts: list[tuple[str, str] | str]) -> str:
    return "".join(ESCAPED.get(part, part) if isinstance(part, str) else f"\\{part[0]}{{{part[1]}}}" for part in parts)


def belongs(character: str, parts: list[tuple[str, str] | str]) -> bool:
    return any(
        character == part if isinstance(part, str) else unicodedata.category(character).startswith(part[1]) is (part[0] == "p")
        for part in parts
    )


@settings(max_examples=60, deadline=None)
@given(parts=members, negative=st.booleans(), without=st.none() | members)
def test_classes(parts: list[tuple[str, str] | str], negative: bool, without: list[tuple[str, str] | str] | None) -> None:
    pattern = f"[{'^' if negative else ''}{written(parts)}{f'-[{written(without)}]' if without else ''}]"
    grammar = compile_grammar(with_pattern(pattern.replace("&", "&amp;")), 0, exact=True)
    for character in CHARACTERS:
        root = etree.Element("A")
        root.text = character
        expected = (belongs(character, parts) is not negative) and not (without and belongs(character, without))
        assert (not grammar.errors(root)) is expected, (pattern, character)
