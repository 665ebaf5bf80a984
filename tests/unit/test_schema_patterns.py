"""Patterns that libxml2 gets wrong must give the verdict of XML Schema."""

from __future__ import annotations

import pytest
from lxml import etree

from schemas.grammar import compile_grammar
from schemas.patterns import PatternError, rewrite
from tests.schema_packages import with_pattern


def verdict(pattern: str, text: str) -> bool:
    root = etree.Element("A")
    root.text = text
    return not compile_grammar(with_pattern(pattern), 0).errors(root)


@pytest.mark.parametrize("pattern", [r"[\P{Cc}\t]+", r"[\t\P{Cc}]+", r"[\P{Z}x]+", r"[\P{Cc}]+", r"[\P{L}\P{N}]+", r"[a\P{IsCyrillic}]+"])
def test_negated_categories_in_a_class_accept_ordinary_text(pattern: str) -> None:
    assert verdict(pattern, "Ąbc1")


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"[\P{Cc}\t]+", "a\tb", True),
        (r"[\P{Cc}\t]+", "a\u0085b", False),
        (r"[\P{Z}x]+", "a b", False),
        (r"[^\P{L}]+", "abc", True),  # not(not a letter)
        (r"[^\P{L}]+", "ab1", False),
        (r"[\P{L}-[1]]+", "23", True),
        (r"[\P{L}-[1]]+", "21", False),
        (r"[\P{L}-[1]]+", "a", False),
        (r"[^\P{L}x]+", "ax", False),
        (r"\P{Z}(.*\P{Z})?", "a b", True),
        (r"\P{Z}(.*\P{Z})?", "a ", False),
        (r"[\s\S]+", " a", True),
        (r"[\P{Lu}\]\\\-]+", "a]\\-", True),
        (r"[\P{Lu}\]\\\-]+", "A", False),
        (r"x\[\P{Z}\]", "x[a]", True),
        (r"[\P{IsBasicLatin}a]+", "aĄ", True),
        (r"[\P{IsBasicLatin}a]+", "b", False),
        (r"[^\p{Cc}]+", "a b", True),
        (r"[^\p{Cc}]+", "a\tb", False),
        (r"\P{L}+", "\u1c90", False),
        (r"[^\p{L}]+", "\u1c90", False),
        (r"[\p{L}-[\p{Lu}]]+", "ąb", True),
        (r"[\p{L}-[\p{Lu}]]+", "aB", False),
        (r"[a-]+-[b]", "a--b", True),
        (r"[\[-\]a-z]+", "a[b", True),
        (r"[\[-\]a-z]+", "A", False),
        (r"[^\[-\]_a-z]+", "a", False),
        (r"[^\[-\]_a-z]+", "A", True),
        (r"[\.-\?x]+", "./0?x", True),
        (r"[\.-\?x]+", "@", False),
        (r"[\w\.\-]+@[a-z\.-]+", "a-b@c-d.e", True),
    ],
)
def test_verdicts(pattern: str, text: str, expected: bool) -> None:
    assert verdict(pattern, text) is expected


def test_a_sound_pattern_is_left_alone() -> None:
    for pattern in (r"[A-Z]{2}[0-9]{1,22}", r"[\p{L}\d]+", r"\p{L}{1,3}", r"\p{IsBasicLatin}+", r".{0,35}"):
        assert rewrite(pattern) == pattern


def test_the_published_pattern_is_what_the_sender_reads() -> None:
    grammar = compile_grammar(with_pattern(r"[\P{Cc}\t]+"), 0)
    assert list(grammar.patterns.values()) == [r"[\P{Cc}\t]+"]


def test_exact_writes_new_letters_out() -> None:
    georgian = "\u1c90"  # a letter since Unicode 11, unknown to libxml2's tables
    assert not verdict(r"\p{L}+", georgian)  # why the exact form exists; if this fails, libxml2 has learned it
    assert verdict(rewrite(r"\p{L}+", exact=True), georgian)


@pytest.mark.parametrize("pattern", [r"[\P{Cc}", r"[\P{Nonsense}a]", r"[z-a\P{L}]"])
def test_broken_patterns_are_named(pattern: str) -> None:
    with pytest.raises(PatternError):
        rewrite(pattern)
