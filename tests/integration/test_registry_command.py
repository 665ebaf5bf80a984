"""`brama registry ...` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.registry_setting import AGENCY, ANNA, CLIENT, FINGERPRINT, REGISTER


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAMA_HOME", str(tmp_path / "var"))
    (tmp_path / "register.yaml").write_text(REGISTER.replace(", password: tajne-hasło", ""), encoding="utf-8")
    return tmp_path


def brama(*words: str) -> Result:
    return CliRunner().invoke(main, ["registry", *words], catch_exceptions=False)


def check(*words: str, permission: str = "NCTS2/CC015C") -> Result:
    return brama("check", "--login", ANNA, "--fingerprint", FINGERPRINT, "--permission", permission, "--party", CLIENT, *words)


def test_import_check_end_check(home: Path) -> None:
    imported = brama("import", str(home / "register.yaml"), "--json")
    assert imported.exit_code == 0
    assert json.loads(imported.output)["added"]["persons"] == 2
    granted = check("--json", "--at", "2026-06-15")
    assert granted.exit_code == 0
    assert json.loads(granted.output)["via"][1] == "representation 2: Agencja -> Klient"
    ended = brama("end-representation", "2", "--json")
    assert (ended.exit_code, json.loads(ended.output)["ended_now"]) == (0, True)
    assert "already" in brama("end-representation", "2").output
    denied = check("--json", "--at", "2999-01-01")
    assert denied.exit_code == 1
    assert json.loads(denied.output)["code"] == "certificate.expired"
    before = check("--at", "2026-06-15")
    assert (before.exit_code, before.output.startswith("granted")) == (0, True)


def test_show_says_what_holds_at_an_instant(home: Path) -> None:
    brama("import", str(home / "register.yaml"))
    shown = json.loads(brama("show", ANNA, "--json", "--at", "2027-06-01").output)
    assert shown["person"] == "Anna Przykładowa"
    assert [link["in_force"] for link in shown["representations"]] == [True, True]
    assert [(link["in_force"], link["permissions"]) for link in shown["agency_links"]] == [(False, ["NCTS2/CC015C"])]
    assert shown["certificates"][0]["in_force"] is True
    people = brama("show", ANNA).output
    assert FINGERPRINT in people
    assert AGENCY in people


def test_problems_go_to_stderr_with_their_places(home: Path) -> None:
    (home / "register.yaml").write_text("persons: [{idSISC: x}]")
    refused = brama("import", str(home / "register.yaml"))
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "persons[0].idSISC: " in refused.stderr
    assert "Nothing was imported: 3 problem(s)" in refused.stderr
    as_json = json.loads(brama("import", str(home / "register.yaml"), "--json").stdout)
    assert as_json["imported"] is False
    assert as_json["problems"][0]["place"] == "persons[0].idSISC"


def test_dry_run_writes_nothing(home: Path) -> None:
    dry = brama("import", str(home / "register.yaml"), "--dry-run")
    assert (dry.exit_code, "nothing was written" in dry.output) == (0, True)
    assert brama("show", ANNA).exit_code == 2


def test_what_cannot_be_judged_ends_with_2(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = check()
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "check the login" in unknown.stderr
    assert brama("end-representation", "5").exit_code == 2
    assert check("--at", "tomorrow").exit_code == 2
    assert brama("import", str(home / "missing.yaml")).exit_code == 2
    (home / "text.db").write_text("this is not a database, but it is long enough to look at" * 20)
    monkeypatch.setenv("BRAMA_DATABASE_URL", f"sqlite:///{home / 'text.db'}")
    broken = check()
    assert broken.exit_code == 2
    assert "BRAMA_DATABASE_URL" in broken.stderr
