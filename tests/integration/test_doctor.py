"""`brama doctor` names what is wrong and its cure; `brama init` cures most of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main


def findings(home: Path, **environment: str) -> tuple[int, dict[str, dict[str, object]]]:
    env = {"BRAMA_HOME": str(home), "BRAMA_LISTEN": "127.0.0.1:0", **environment}
    result = CliRunner().invoke(main, ["doctor", "--json"], env=env)
    return result.exit_code, {f["what"]: f for f in json.loads(result.stdout)}


def run(home: Path, *arguments: str) -> None:
    result = CliRunner().invoke(main, arguments, env={"BRAMA_HOME": str(home)})
    assert result.exit_code == 0, result.output


def test_an_empty_folder_then_init_then_a_connected_system(tmp_path: Path) -> None:
    status, found = findings(tmp_path)
    assert status == 1
    for what in ("database", "seal", "trust anchors", "secrets key", "system NCTS2"):
        assert not found[what]["ok"]
        assert found[what]["cure"], f"{what}: no cure named"
    run(tmp_path, "init")
    (tmp_path / "secret").write_text("x" * 40)
    status, found = findings(
        tmp_path, BRAMA_SYSTEMS__NCTS2_URL="http://127.0.0.1:9", BRAMA_SYSTEMS__NCTS2_SECRET_FILE=str(tmp_path / "secret")
    )
    assert {what for what, finding in found.items() if not finding["ok"]} == set()
    assert status == 0


def test_keys_are_never_made_over_others(tmp_path: Path) -> None:
    run(tmp_path, "init")
    before = (tmp_path / "keys" / "seal.key").read_bytes()
    run(tmp_path, "init")
    assert (tmp_path / "keys" / "seal.key").read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda home: (home / "keys" / "seal.key").chmod(0o644), "seal"),
        (lambda home: (home / "keys" / "secrets.key").unlink(), "secrets key"),
        (lambda home: [p.unlink() for p in (home / "keys" / "trust").iterdir()], "trust anchors"),
        (
            lambda home: sqlite3.connect(home / "brama.db").execute("UPDATE alembic_version SET version_num = 'x'").connection.commit(),
            "database",
        ),
    ],
)
def test_each_thing_spoilt_is_named(tmp_path: Path, spoil: object, what: str) -> None:
    run(tmp_path, "init")
    spoil(tmp_path)  # type: ignore[operator]
    status, found = findings(tmp_path)
    assert status == 1
    assert not found[what]["ok"]
    assert found[what]["cure"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BRAMA_BROKER_URL", "amqp://localhost"),
        ("BRAMA_DATABASE_URL", "mysql://x/y"),
        ("BRAMA_MAX_CONTENT", "many"),
        ("BRAMA_LISTEN", "nowhere"),
    ],
)
def test_a_wrong_setting_is_named_by_its_variable(tmp_path: Path, name: str, value: str) -> None:
    status, found = findings(tmp_path, **{name: value})
    assert status == 1
    assert name in str(found["settings"]["detail"])


def test_a_misspelt_variable_is_named(tmp_path: Path) -> None:
    status, found = findings(tmp_path, BRAMA_SYSTEM__NCTS2_URL="http://127.0.0.1:9", BRAMA_MAX_CONTEN="1")
    assert status == 1
    assert "BRAMA_MAX_CONTEN, BRAMA_SYSTEM__NCTS2_URL" in str(found["variables"]["detail"])
