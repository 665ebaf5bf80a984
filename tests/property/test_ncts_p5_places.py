"""Every place of every phase 5 message, one after the other: may it be missing, repeated, moved, and is its value of the right type?

Where the random instances sample, this goes through all. The values tried at a place are those that tell its official type from every
other simple type of the schema; that equal types are equal is asked once a type, with many values. `BRAMA_PROPERTY_REPEATS` is the largest
number of repetitions tried (the schema goes to 9999).
"""

from __future__ import annotations

import functools
import os
import random

import pytest
from lxml import etree

from tests.property import xsd_values
from tests.property.ncts_p5 import NAMESPACE, ROOTS, SEED, THEIRS, corpus, grammar, official, official_model, same_verdict
from tests.property.xsd_model import ComplexType, Particle, SimpleType, paths

MOST_REPEATS = int(os.environ.get("BRAMA_PROPERTY_REPEATS", "99"))
Path = tuple[Particle, ...]


def at(root: str, path: Path, count: int = 1) -> tuple[etree._Element, etree._Element]:
    """The smallest instance that has the place, there `count` times, and the first element there."""
    document = official().repeated(root, path, count, random.Random(f"{SEED} {root}"))
    element = document.find("/".join(particle.name or "" for particle in path))
    assert element is not None
    return document, element


def settable(text: str) -> bool:
    return all(char >= " " or char in "\t\n\r" for char in text)


@functools.cache
def simple_types() -> dict[SimpleType, tuple[str, Path]]:
    """Every simple type of an element and the first place that has it."""
    found: dict[SimpleType, tuple[str, Path]] = {}
    for root in ROOTS:
        for path in paths(official_model().roots[root]):
            if isinstance(path[-1].content, SimpleType):
                found.setdefault(path[-1].content, (root, path))
    return found


@functools.cache
def telling_values() -> dict[SimpleType, list[str]]:
    """For each simple type values that no other simple type of the schema judges all alike."""
    rng = random.Random(SEED)
    pool = list(xsd_values.BOUNDARIES)
    for kind in simple_types():
        for _ in range(3):
            value = xsd_values.valid(kind, rng)
            pool += [value, xsd_values.broken(kind, value, rng)]
    pool = sorted({value for value in pool if settable(value)}, key=lambda value: (len(value), value))
    judged: dict[SimpleType, list[bool]] = {}
    for kind, (root, path) in simple_types().items():
        document, element = at(root, path)
        judged[kind] = []
        for value in pool:
            element.text = value
            judged[kind].append(bool(grammar(THEIRS).validate(document)))
    assert len({tuple(verdicts) for verdicts in judged.values()}) == len(judged), "the values tried do not tell all types apart"
    return {kind: _telling(kind, pool, judged) for kind in judged}


def _telling(kind: SimpleType, pool: list[str], judged: dict[SimpleType, list[bool]]) -> list[str]:
    chosen: list[str] = []
    unlike = [other for other in judged if other != kind]
    while unlike:
        best = max(range(len(pool)), key=lambda index: sum(judged[other][index] != judged[kind][index] for other in unlike))
        chosen.append(pool[best])
        unlike = [other for other in unlike if judged[other][best] == judged[kind][best]]
    return chosen


@corpus
def test_each_simple_type_judges_values_as_the_official_one() -> None:
    rng = random.Random(SEED)
    assert len(simple_types()) > 70
    for kind, (root, path) in simple_types().items():
        document, element = at(root, path)
        verdicts = set()
        values = [*xsd_values.BOUNDARIES, *kind.values("enumeration")]
        for _ in range(150):
            value = xsd_values.valid(kind, rng)
            values += [value, xsd_values.broken(kind, value, rng)]
        for value in filter(settable, values):
            element.text = value
            try:
                verdicts.add(same_verdict(document))
            except AssertionError as problem:
                problem.add_note(f"{value!r} at {root}/{'/'.join(particle.name or '' for particle in path)}")
                raise
        assert verdicts == {True, False}, kind


@corpus
@pytest.mark.parametrize("root", ROOTS)
def test_every_place_is_as_in_the_official_schema(root: str) -> None:
    for path in paths(official_model().roots[root]):
        place = path[-1]
        try:
            _count(root, path)
            document, element = at(root, path)
            if isinstance(place.content, ComplexType):
                _order(document, element, place.content)
            if isinstance(place.content, SimpleType):
                for value in telling_values()[place.content]:
                    element.text = value
                    same_verdict(document)
        except AssertionError as problem:
            problem.add_note(f"at {root}/{'/'.join(particle.name or '' for particle in path)}")
            raise


@corpus
@pytest.mark.parametrize("root", ROOTS)
def test_the_root_has_the_same_order_and_attributes(root: str) -> None:
    kind = official_model().roots[root]
    document, _ = at(root, (kind.particles[0],))
    _order(document, document, kind)
    assert list(kind.attributes) == ["PhaseID"]
    for value in (*kind.attributes["PhaseID"].values("enumeration"), "NCTS5.1 ", "NCTS5", "NCTS6", "ncts5.1", ""):
        document.set("PhaseID", value)
        same_verdict(document)
    for name in ("phaseID", f"{{{NAMESPACE}}}PhaseID"):
        document.attrib.clear()
        document.set(name, "NCTS5.1")
        assert not same_verdict(document)


def _order(document: etree._Element, element: etree._Element, kind: ComplexType) -> None:
    """With every child there once, each two neighbours exchanged."""
    official().one_of_each(element, kind, random.Random(SEED))
    assert same_verdict(document)
    for child in list(element)[:-1]:
        following = child.getnext()
        assert following is not None
        following.addnext(child)
        assert not same_verdict(document), f"{child.tag} after {following.tag}"
        following.addprevious(child)


def _count(root: str, path: Path) -> None:
    """The place empty, once too often and, if that is not too many, as often as it may be."""
    place = path[-1]
    document, element = at(root, path)
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)
    assert same_verdict(document) == (place.low == 0)
    if place.high <= MOST_REPEATS:
        document, element = at(root, path, place.high)
        assert same_verdict(document)
        element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))
        assert not same_verdict(document)
