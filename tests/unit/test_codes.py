"""The catalogue of codes: both languages, the page, and no code that nobody raises or that does not exist."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from click.testing import CliRunner

from gateway.cli.codes import STAGES, codes, page
from gateway.codes import CODES

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "registry", "schemas", "adapters", "transformers")
RAISING = {"GatewayError", "Rejected", "Deferred", "Failed", "Denied"}
#: These only tell or look at codes; a mention here does not raise one.
TELLERS = {"gateway/codes.py", "gateway/faults.py"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            if name not in TELLERS and not name.startswith(("gateway/cli/", "gateway/demo/")):
                yield name, ast.parse(file.read_text(encoding="utf-8"))


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def placeholders(text: str) -> set[str]:
    """The names a text asks for; `_pl` and `_en` mark the two languages of one."""
    return {re.sub(r"_(pl|en)$", "", name) for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_a_known_stage_and_both_texts_with_the_same_placeholders(code: str) -> None:
    entry = CODES[code]
    assert code.partition(".")[0] in STAGES
    assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+|unexpected", code)
    assert entry.verdict in ("fault", "npp", "none")
    for text in (entry.pl, entry.en):
        assert text.strip() == text
        assert text.endswith((".", "}"))
    assert entry.pl != entry.en
    assert placeholders(entry.pl) == placeholders(entry.en)


def test_a_text_in_one_language_never_asks_for_the_other_ones_words() -> None:
    for code, entry in CODES.items():
        assert "_en}" not in entry.pl, code
        assert "_pl}" not in entry.en, code


def test_every_code_that_is_raised_stands_in_the_catalogue() -> None:
    unknown = [
        f"{name}:{node.lineno} {node.args[0].value}"
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and called(node) in RAISING
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value not in CODES
    ]
    assert unknown == []


def test_every_text_that_looks_like_a_code_is_one() -> None:
    """Codes are also handed on (`_wrong("signature.structure", ...)`), so each lone `stage.reason` must exist."""
    alike = re.compile(rf"(?:{'|'.join(STAGES)})\.[a-z0-9_]+")
    unknown = [
        f"{name}:{node.lineno} {node.value}"
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and alike.fullmatch(node.value) and node.value not in CODES
    ]
    assert unknown == []


def test_no_code_is_left_that_nobody_raises() -> None:
    mentioned = {node.value for _, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in CODES}
    assert set(CODES) - mentioned == set()


def test_the_page_is_what_the_command_prints() -> None:
    written = (ROOT / "docs/reference/codes.md").read_text(encoding="utf-8")
    assert written == page(CODES), "run: brama codes --markdown > docs/reference/codes.md"
    for code in CODES:
        assert f"| `{code}` |" in written


def test_the_command_gives_one_json_object_a_line() -> None:
    done = CliRunner().invoke(codes, ["authorize", "--json"])
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.output.splitlines()]
    assert {line["code"] for line in lines} == {code for code in CODES if code.startswith("authorize.")}
    assert all(line["heard_as"] == "npp" for line in lines)


def test_an_unknown_code_is_named_and_ends_with_2() -> None:
    done = CliRunner().invoke(codes, ["authorize.typo"])
    assert done.exit_code == 2
    assert "authorize.typo" in done.output


def test_who_raises_a_code_gives_all_that_its_texts_ask_for() -> None:
    """Where the context stands in the call itself; a missing name would reach people as a question mark."""
    for name, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or called(node) not in RAISING or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            given = {keyword.arg for keyword in node.keywords}
            if None in given or len(node.args) > 1:
                continue
            entry = CODES[node.args[0].value]
            asked = {field for text in (entry.pl, entry.en) for _, field, _, _ in Formatter().parse(text) if field is not None}
            assert asked <= given, f"{name}:{node.lineno} {node.args[0].value} lacks {asked - given}"
