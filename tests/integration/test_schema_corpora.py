"""Every official package is taken in by the command, and the samples get the verdicts two independent engines gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.schemas import schemas
from tests.corpora import CORPORA

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"the corpora are not at {CORPORA}; set BRAMA_CORPORA")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAMA_HOME", str(tmp_path / "new" / "home"))
    return tmp_path / "new" / "home"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(schemas, [str(argument) for argument in arguments], catch_exceptions=False)


def take_in(folder: str, system: str, edition: str, *more: str) -> dict[str, Any]:
    result = run("import", CORPORA / folder, "--system", system, "--edition", edition, "--json", *more)
    assert result.exit_code == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def verdicts(folder: str, system: str, *more: str) -> tuple[int, dict[str, bool | None]]:
    """Exit code, and the verdict by file name."""
    result = run("validate", CORPORA / folder, "--system", system, "--json", *more)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    for line in lines:
        assert set(line) == {"file", "root", "edition", "valid", "errors"}
        assert bool(line["errors"]) is not bool(line["valid"])
    return result.exit_code, {Path(line["file"]).stem: line["valid"] for line in lines}


def test_phase_4() -> None:
    assert take_in("ncts-p4/from-trader", "NCTS", "P4")["documents"] == 4
    assert take_in("ncts-p4/to-trader-departure", "NCTS", "P4-departure", "--direction", "out")["documents"] == 10
    assert take_in("ncts-p4/to-trader-destination", "NCTS", "P4-destination", "--direction", "out", "--default")["documents"] == 5
    code, found = verdicts("ncts-p4/samples", "NCTS")
    assert code == 1
    assert {name for name, valid in found.items() if valid} == {
        "CC007A",
        "CC014A",
        "CC015B",
        "CC015BRequiringDefaultGuarantee",
        "CC015BWithMultipleGoodsItems",
        "CC044A",
        "CC044AWithMultipleGoodsItems",
    }
    assert None not in found.values()


@pytest.mark.parametrize(("version", "valid"), [("51.8.2", 19), ("51.8.6", 18)])
def test_phase_5(version: str, valid: int) -> None:
    report = take_in(f"ncts-p5-{version}/xsd", "TRANSIT", version)
    assert (report["documents"], report["grammars"]) == (33, 1)
    code, found = verdicts(f"ncts-p5-{version}/samples", "TRANSIT")
    assert code == 1
    assert len(found) == 32
    assert sum(verdict is True for verdict in found.values()) == valid
    assert None not in found.values()


def test_two_phase_5_editions_by_date_and_by_name() -> None:
    take_in("ncts-p5-51.8.2/xsd", "TRANSIT", "51.8.2")
    refused = run("import", CORPORA / "ncts-p5-51.8.6/xsd", "--system", "TRANSIT", "--edition", "51.8.6")
    assert refused.exit_code == 2
    assert "51.8.6 and 51.8.2 of TRANSIT are both in force" in refused.stderr
    take_in("ncts-p5-51.8.2/xsd", "TRANSIT", "51.8.2", "--to", "2026-06-01")  # the same files with new dates
    take_in("ncts-p5-51.8.6/xsd", "TRANSIT", "51.8.6", "--from", "2026-06-01")
    for when, valid in (("2026-05-31", 19), ("2026-06-01", 18), ("2026-05-31T21:59:59Z", 19), ("2026-05-31T22:00:00Z", 18)):
        assert sum(v is True for v in verdicts("ncts-p5-51.8.2/samples", "TRANSIT", "--at", when)[1].values()) == valid, when
    assert sum(v is True for v in verdicts("ncts-p5-51.8.2/samples", "TRANSIT", "--edition", "51.8.2")[1].values()) == 19


def test_emcs() -> None:
    assert take_in("emcs-v3.13/xsd", "EMCSPL2", "V3.13")["grammars"] == 1
    take_in("emcs-v3.23/xsd", "EMCSPL2", "V3.23", "--default")
    code, found = verdicts("emcs-v3.13/samples", "EMCSPL2", "--edition", "V3.13")
    assert (code, len(found), set(found.values())) == (0, 19, {True})


def test_ics_two_editions_in_one_folder() -> None:
    refused = run("import", CORPORA / "ics/xsd-from-trader", "--system", "ICS", "--edition", "both")
    assert refused.exit_code == 2
    assert "CC313A-v11-2.xsd, line 8" in refused.stderr
    assert "CC313A-v11-2-New.xsd, line 8" in refused.stderr
    take_in("ics/xsd-from-trader", "ICS", "old", "--select", "!*-New.xsd", "--to", "2022-01-01")
    take_in("ics/xsd-from-trader", "ICS", "new", "--select", "*-New.xsd", "--from", "2022-01-01")
    take_in("ics/xsd-to-trader", "ICS", "to-trader", "--direction", "out")
    code, found = verdicts("ics/samples-from-trader", "ICS", "--at", "2021-12-31")
    assert code == 2  # two files are no message of this system
    assert {name for name, valid in found.items() if valid is None} == {"errorResponse", "validResponse"}
    assert (found["CC315A_reduced"], found["validSubmission"]) == (False, True)
    assert verdicts("ics/samples-from-trader", "ICS", "--at", "2022-01-01")[1]["CC315A_reduced"] is True
    code, found = verdicts("ics/samples-to-trader", "ICS")
    assert code == 1
    assert {name for name, valid in found.items() if valid} == {
        "AmendmentAcceptanceAllOptionalXML",
        "AmendmentAcceptanceXML",
        "DeclarationAcceptanceAllOptionalXML",
        "DeclarationAcceptanceXML",
    }


def test_the_list_shows_editions_and_their_memory() -> None:
    take_in("emcs-v3.13/xsd", "EMCSPL2", "V3.13", "--from", "2024-02-01", "--to", "2025-02-13")
    lines = [json.loads(line) for line in run("list", "--system", "EMCSPL2", "--json").stdout.splitlines()]
    assert [(line["edition"], line["from"], line["to"], line["in_force"]) for line in lines] == [
        ("V3.13", "2024-02-01T00:00:00+01:00", "2025-02-13T00:00:00+01:00", False)
    ]
    assert 1_000_000 < lines[0]["memory"] < 20_000_000
    table = run("list").stdout
    assert "V3.13" in table
    assert "2024-02-01 - 2025-02-13" in table
    assert "not in force" in table
