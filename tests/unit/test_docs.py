"""The pages: links that lead somewhere, commands that exist, reference that is what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import gateway.migrations.tables  # noqa: F401  # fills the metadata with the tables of all rooms
from gateway.cli import main
from gateway.database import metadata
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "adapters").rglob("*.md")),
    *sorted((ROOT / "schemas").rglob("*.md")),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^\$ (?:\.venv/bin/)?|`|&& |\(BIN\)/)brama((?: [a-z][a-z0-9-]*)*)([^`\n]*)", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_relative_to(ROOT), target
        assert found.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(found), f"{target}: there is no such heading"


def commands() -> Iterator[tuple[str, str, str]]:
    for page, name in zip(PAGES, NAMES, strict=True):
        for words, rest in COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
            yield name, words, rest


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words name, and the words left over."""
    command: click.Command = main
    for place, word in enumerate(words):
        if not isinstance(command, click.Group):
            return command, words[place:]
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no `brama {' '.join(words)}`"
        command = found
    return command, []


def test_every_command_and_option_in_the_docs_exists() -> None:
    seen = 0
    for page, words, rest in commands():
        command, left = resolve(words.split())
        if not words:
            continue
        takes_arguments = any(isinstance(parameter, click.Argument) for parameter in command.params)
        assert not left or takes_arguments, f"{page}: brama{words} takes no '{left[0]}'"
        known = {option for parameter in command.params for option in parameter.opts} | {"-h", "--help", "--version"}
        for option in re.findall(r"(?<= )--?[a-z][a-z-]*", " " + rest.split("|")[0]):
            assert option in known, f"{page}: brama{words} has no {option}"
        seen += 1
    assert seen > 40  # the pattern above still finds them


def test_every_command_is_in_the_reference() -> None:
    written = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    for name in main.list_commands(click.Context(main)):
        assert f"\n## brama {name}" in written


def test_the_reference_pages_are_what_the_code_says(tmp_path: Path) -> None:
    """Made in a process of its own: click remembers, command by command, how it was called before."""
    subprocess.run(
        [sys.executable, DOCS / "make_reference.py", tmp_path], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    made = {page.name: page.read_text(encoding="utf-8") for page in tmp_path.iterdir()}
    assert set(made) == {"cli.md", "codes.md", "faults.md", "settings.md"}
    for name, text in made.items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, "run: python docs/make_reference.py"


def test_every_setting_is_documented() -> None:
    written = (DOCS / "reference/settings.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"| `BRAMA_{name.upper()}` |" in written


def test_every_table_is_documented_and_no_other() -> None:
    written = (DOCS / "reference/data.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", written, re.MULTILINE))
    assert listed == set(metadata.tables) | {"alembic_version"}


def test_the_import_rules_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    rooms = next(contract["layers"] for contract in contracts if contract["name"] == "rooms")
    assert "\n".join(rooms) in (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_every_page_is_reached_from_the_index() -> None:
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in LINK.findall((DOCS / "README.md").read_text(encoding="utf-8"))}
    assert set(DOCS.rglob("*.md")) - linked == {DOCS / "README.md"}


def test_the_readme_fits_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 65
