"""Our phase 5 schema files refuse and accept what the official edition 51.8.6 does: random instances, and the published samples.

Instances are made by walking the official schema, most of them then changed, and both grammars are asked; for a part of them also a second
engine. To run longer: `BRAMA_PROPERTY_INSTANCES` is the number of instances a message type, `BRAMA_PROPERTY_SEED` another start.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from lxml import etree

from tests.corpora import CORPORA
from tests.property.ncts_p5 import ROOTS, SEED, corpus, official, official_model, same_verdict

PER_ROOT = int(os.environ.get("BRAMA_PROPERTY_INSTANCES", "250"))
SECOND_ENGINE_EVERY = 25


@corpus
@pytest.mark.parametrize("root", ROOTS)
def test_random_instances_get_the_verdict_of_the_official_schema(root: str) -> None:
    rng = random.Random(f"{SEED} {root}")
    tally: Counter[tuple[str, bool]] = Counter()
    for number in range(PER_ROOT):
        document, how = official().mutated(root, rng) if number % 4 else (official().valid(root, rng), "unchanged")
        text = etree.tostring(document)
        try:
            verdict = same_verdict(etree.fromstring(text), ask_second=number % SECOND_ENGINE_EVERY == 0)
        except AssertionError as problem:
            problem.add_note(f"{how}:\n{text.decode()}")
            raise
        tally["unchanged" if how == "unchanged" else "changed", verdict] += 1
    # The comparison is worth something only if both verdicts occur often.
    assert tally["unchanged", False] <= 0.1 * tally["unchanged", True], tally
    assert tally["changed", True] > 0.1 * tally["changed", False], tally
    assert tally["changed", False] > 0.3 * tally["changed", True], tally


@corpus
def test_ours_declare_the_same_roots() -> None:
    assert sorted(official_model().roots) == ROOTS


@corpus
def test_published_samples_get_the_verdict_of_the_official_schema() -> None:
    samples = sorted((CORPORA / "ncts-p5-51.8.6" / "samples").glob("*.xml"))
    verdicts = [same_verdict(etree.parse(path).getroot(), ask_second=True) for path in samples]
    assert (verdicts.count(True), len(verdicts)) == (18, 32)
    for path in sorted((CORPORA / "ncts-p5-51.8.2" / "samples").glob("*.xml")):
        same_verdict(etree.parse(path).getroot())
