"""Odd settings and arguments get a sentence that says what to change, never a traceback and never a promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.database import Database

HUGE = "99999999999999999999"


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_that_forgets_is_refused(tmp_path: Path, url: str) -> None:
    ended = CliRunner().invoke(main, ["init"], env={"BRAMA_DATABASE_URL": url, "BRAMA_HOME": str(tmp_path)})
    assert ended.exit_code == 2
    assert "BRAMA_DATABASE_URL" in ended.stderr
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["dead-letters", "retry", HUGE],
        ["dead-letters", "show", HUGE],
        ["dead-letters", "discard", HUGE, "--why", "x"],
        ["registry", "end-representation", HUGE],
    ],
)
def test_a_number_too_large_for_any_row_is_told(database: Database, tmp_path: Path, command: list[str]) -> None:
    ended = CliRunner().invoke(main, command, env={"BRAMA_DATABASE_URL": str(database.engine.url), "BRAMA_HOME": str(tmp_path)})
    assert ended.exit_code == 2
    assert "not in the range" in ended.stderr
