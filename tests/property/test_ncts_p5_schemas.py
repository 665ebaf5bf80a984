"""Our phase 5 schema files refuse and accept exactly what the official edition 51.8.6 does.

Instances are made by walking the official schema, most of them then changed, and both grammars are asked; for a part of them also a second
engine. To run longer: `BRAMA_PROPERTY_INSTANCES` is the number of instances a message type, `BRAMA_PROPERTY_SEED` another start,
`BRAMA_PROPERTY_REPEATS` the largest number of repetitions tried.
"""

from __future__ import annotations

import functools
import os
import random
from collections import Counter
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from tests.corpora import CORPORA
from tests.property.xsd_instances import Instances
from tests.property.xsd_model import Model, paths

OURS = Path(__file__).resolve().parents[2] / "schemas" / "ncts" / "p5"
THEIRS = CORPORA / "ncts-p5-51.8.6" / "xsd"
NAMESPACE = "http://ncts.dgtaxud.ec"
ROOTS = sorted(path.stem.upper() for path in OURS.glob("cc*.xsd"))
PER_ROOT = int(os.environ.get("BRAMA_PROPERTY_INSTANCES", "400"))
SEED = os.environ.get("BRAMA_PROPERTY_SEED", "brama")
SECOND_ENGINE_EVERY = 25
MOST_REPEATS = int(os.environ.get("BRAMA_PROPERTY_REPEATS", "99"))  # the schema's largest is 9999
# xmlschema takes Unicode spaces for white space, and comments and instructions in a value for children: there it cannot judge libxml2.
MARK = "\x00"
SECOND_ENGINE_SPACES = dict.fromkeys(map(ord, "\x1c\x1d\x1e\x1f\x85\xa0\u2003\u2028\u3000"), MARK)

corpus = pytest.mark.skipif(not THEIRS.is_dir(), reason=f"the published schemas are not at {THEIRS}; set BRAMA_CORPORA")


def driver(folder: Path) -> bytes:
    """One schema that includes every file of `folder`: one grammar a namespace, as the gateway compiles it."""
    includes = "".join(f'<xs:include schemaLocation="{path.as_uri()}"/>' for path in sorted(folder.rglob("*.xsd")))
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{NAMESPACE}">{includes}</xs:schema>'.encode()


@functools.cache
def grammar(folder: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(driver(folder)))


@functools.cache
def second_engine(folder: Path) -> xmlschema.XMLSchemaBase:
    version = xmlschema.XMLSchema10 if folder == OURS else xmlschema.XMLSchema11  # theirs ask for 1.1 by vc:minVersion
    return version(driver(folder).decode())


def second_verdict(folder: Path, source: etree._Element) -> bool:
    try:
        return bool(second_engine(folder).is_valid(source))
    except KeyError:  # raised, instead of a verdict, where xsi:type names nothing
        return False


@functools.cache
def official_model() -> Model:
    return Model(THEIRS, skip=("doc.xsd",))  # doc.xsd: elements that only annotate the schema itself


@functools.cache
def official() -> Instances:
    return Instances(official_model(), NAMESPACE)


def same_verdict(document: etree._Element, ask_second: bool) -> bool:
    """The verdict both grammars give on the serialised document; fails if they differ. `ask_second`: the second engine too."""
    source = etree.fromstring(etree.tostring(document))
    theirs, ours = grammar(THEIRS).validate(source), grammar(OURS).validate(source)
    assert theirs == ours, f"theirs {theirs}, ours {ours}: {grammar(OURS if theirs else THEIRS).error_log}"
    if ask_second:
        judged = second_verdict(OURS, source)
        assert judged == second_verdict(THEIRS, source)
        if not etree.tostring(source, encoding=str).translate(SECOND_ENGINE_SPACES).count(MARK) and not source.xpath(
            "//comment()|//processing-instruction()"
        ):
            assert judged == ours, f"second engine {judged}, libxml2 {ours}: {grammar(OURS).error_log}"
    return bool(ours)


@corpus
@pytest.mark.parametrize("root", ROOTS)
def test_random_instances_get_the_verdict_of_the_official_schema(root: str) -> None:
    rng = random.Random(f"{SEED} {root}")
    tally: Counter[tuple[str, bool]] = Counter()
    for number in range(PER_ROOT):
        document, how = official().mutated(root, rng) if number % 4 else (official().valid(root, rng), "unchanged")
        try:
            verdict = same_verdict(document, ask_second=number % SECOND_ENGINE_EVERY == 0)
        except AssertionError as problem:
            problem.add_note(f"{how}:\n{etree.tostring(document, pretty_print=True, encoding=str)}")
            raise
        tally["unchanged" if how == "unchanged" else "changed", verdict] += 1
    # The comparison is worth something only if both verdicts occur often.
    assert tally["unchanged", False] <= 0.1 * tally["unchanged", True], tally
    assert tally["changed", True] > 0.1 * tally["changed", False], tally
    assert tally["changed", False] > 0.3 * tally["changed", True], tally


@corpus
@pytest.mark.parametrize("root", ROOTS)
def test_an_element_may_repeat_as_often_as_in_the_official_schema(root: str) -> None:
    rng = random.Random(f"{SEED} {root}")
    for path in paths(official_model().roots[root]):
        high = path[-1].high
        if high > MOST_REPEATS or (high == 1 and len(path) > 2):  # what repeats at all, and the outer single ones
            continue
        where = "/".join(particle.name or "" for particle in path)
        assert same_verdict(official().repeated(root, path, high, rng), ask_second=False), where
        assert not same_verdict(official().repeated(root, path, high + 1, rng), ask_second=False), where


@corpus
def test_ours_declare_the_same_roots() -> None:
    assert sorted(official_model().roots) == ROOTS


@corpus
def test_published_samples_get_the_verdict_of_the_official_schema() -> None:
    samples = sorted((CORPORA / "ncts-p5-51.8.6" / "samples").glob("*.xml"))
    verdicts = [same_verdict(etree.parse(path).getroot(), ask_second=True) for path in samples]
    assert (verdicts.count(True), len(verdicts)) == (18, 32)
    for path in sorted((CORPORA / "ncts-p5-51.8.2" / "samples").glob("*.xml")):
        same_verdict(etree.parse(path).getroot(), ask_second=False)
