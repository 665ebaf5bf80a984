"""Issue sentence: the step types make mypy strict refuse a walk without `authorize` or `verify`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WALK = """
from gateway.message import Accepted, Received
from gateway.ports import Parser, Profiles, Registry, Schemas, Signer, Verifier
from gateway.steps import receipt
from gateway.steps.authorize import authorize
from gateway.steps.identify import identify
from gateway.steps.parse import parse
from gateway.steps.validate import validate
from gateway.steps.verify import verify

def walk(it: Received, p: Parser, s: Schemas, f: Profiles, v: Verifier, r: Registry, seal: Signer) -> Accepted:
    parsed = parse(it, p)
    identified = identify(parsed, s, f)
    validated = validate(identified, s, v)
    verified = verify(validated, v)
    authorized = authorize(verified, r)
    return receipt.accept(authorized, seal, "Brama")
"""


@pytest.fixture(scope="module")
def mypy() -> object:
    return pytest.importorskip("mypy.api", reason="mypy is not installed")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("without", "instead", "complaint"),
    [
        ("", "", ""),
        ("validated = validate(identified, s, v)", "validated = identified", '"Identified"; expected "Validated"'),
        ("verified = verify(validated, v)", "verified = validated", '"Validated"; expected "Verified"'),
        ("authorized = authorize(verified, r)", "authorized = verified", '"Verified"; expected "Authorized"'),
    ],
)
def test_a_walk_with_a_step_left_out_is_a_type_error(mypy: object, tmp_path: Path, without: str, instead: str, complaint: str) -> None:
    assert without in WALK
    (tmp_path / "forgetful.py").write_text(WALK.replace(without, instead) if without else WALK)
    out, err, code = mypy.run([str(tmp_path / "forgetful.py"), "--config-file", str(ROOT / "pyproject.toml"), "--strict"])  # type: ignore[attr-defined]
    assert not err
    if not complaint:
        assert code == 0, out
        return
    assert code == 1
    assert re.search(re.escape(complaint), out), out
