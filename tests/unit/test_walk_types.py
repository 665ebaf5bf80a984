"""mypy refuses a walk that leaves a step out: a forgotten check is a type error, not a review finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

PIPELINE = Path(__file__).parents[2] / "gateway" / "pipeline.py"


def without(step: str) -> str:
    """pipeline.py with the two lines of one step gone; its result is replaced by the state before it."""
    source = PIPELINE.read_text()
    found = re.search(rf'\n +with journey\.step\("{step}"\):\n +(\w+) = {step}\((\w+)[^\n]*\n', source)
    assert found, f"step {step} is not in the walk as expected"
    result, before = found.groups()
    return re.sub(rf"\b{result}\b", before, source[: found.start() + 1] + source[found.end() :])


@pytest.mark.parametrize("step", ["validate", "verify", "authorize"])
def test_a_walk_without(step: str, tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text(without(step))
    out, _, status = api.run(["--strict", "--no-error-summary", "--follow-imports=silent", str(tmp_path / "walk.py")])
    assert status == 1, "mypy accepts a walk that leaves a step out"
    assert "arg-type" in out, out


def test_the_walk_as_it_stands_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text(PIPELINE.read_text())
    out, _, status = api.run(["--strict", "--no-error-summary", "--follow-imports=silent", str(tmp_path / "walk.py")])
    assert status == 0, out
