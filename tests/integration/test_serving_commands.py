"""What an operator sees and does of documents that are held for their addressees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from gateway.cli import main
from gateway.cli.output import WARSAW
from gateway.database import Database
from gateway.errors import Failed
from gateway.settings import Settings
from tests.serving import House, held, serving


@pytest.fixture
def house(tmp_path: Path, database: Database) -> House:
    return House(tmp_path / "house", database, "CC060C")


def brama(house: House, *arguments: str) -> Result:
    environment = {
        "BRAMA_HOME": str(house.home),
        "BRAMA_DATABASE_URL": str(house.database.engine.url),
        "BRAMA_PROFILES": str(house.home / "profiles"),
    }
    return CliRunner().invoke(main, arguments, env=environment)


def test_what_is_held_is_listed_and_its_papers_are_shown(house: House) -> None:
    sys_ref = house.declare("L1")
    house.answer(house.decision("L1"))
    certificate = serving(house).certificate_id
    listed = brama(house, "messages", "held")
    assert (listed.exit_code, certificate in listed.output, "PL852963741300000" in listed.output) == (0, True, True)
    shown = brama(house, "messages", "show", sys_ref)
    assert f"held      CC060C_D-1.xml for PL852963741300000 until {serving(house).due_at.astimezone(WARSAW):%Y-%m-%d} 00:00" in shown.output
    assert brama(house, "messages", "papers", certificate, "UPD").stdout_bytes == house.last("UPD")
    house.send(house.sign(house.last("UPD")))
    assert certificate not in brama(house, "messages", "held").output
    (row,) = json.loads(brama(house, "messages", "held", "--all", "--json").stdout)
    assert (row["certificate"], row["state"]) == (certificate, "signed")


def test_a_dead_answer_that_must_be_served_is_held_when_it_is_matched_again(house: House) -> None:
    house.desk.keep("NCTS2", house.decision("L1"), Failed("reply.unknown_correlation", system="NCTS2"), house.clock.at)
    house.declare("L1")
    done = brama(house, "dead-letters", "retry", "1", "--json")
    assert json.loads(done.stdout) == {"retried": [1], "left": []}
    assert house.kinds() == ["UPP", "UPD"]


def test_without_the_seal_a_dead_answer_that_must_be_served_is_left_alone(house: House) -> None:
    house.declare("L1")
    house.desk.keep("NCTS2", house.decision("L1"), Failed("reply.unknown_correlation", system="NCTS2"), house.clock.at)
    (house.home / "keys" / "seal.key").unlink()
    done = brama(house, "dead-letters", "retry", "1", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"retried": [], "left": [1]})
    assert house.kinds() == ["UPP"]


def test_both_signatures_of_the_proof_are_judged_by_the_command(house: House) -> None:
    held(house)
    signed = house.sign(house.last("UPD"))
    root = etree.fromstring(signed)
    root[0][-1].text = "2020-01-01T00:00:00.000Z"  # in the UPD: neither signature holds any more
    root[1][1].text = root[2][1].text  # type: ignore[index]
    stripped = etree.fromstring(signed)
    stripped[1].find("{*}SignatureValue").text = "AAAA"  # type: ignore[union-attr]  # only the office's value is wrong, the trader signs again
    stripped.remove(stripped[2])
    files = {"good": signed, "altered": etree.tostring(root), "wrong seal": house.sign(etree.tostring(stripped))}
    for name, content in files.items():
        (house.home / f"{name}.xml").write_bytes(content)
    arguments = [
        "signatures",
        "verify",
        *(str(house.home / f"{name}.xml") for name in files),
        "--trust",
        str(house.home / "keys" / "trust"),
    ]
    lines = [json.loads(line) for line in brama(house, *arguments, "--countersigned", "--json").stdout.splitlines()]
    assert [line["valid"] for line in lines] == [True, False, False]
    assert (lines[0]["signer"], lines[0]["signed_before_by"]) == ("CN=Anna Przykładowa,C=PL", "CN=Brama seal,O=Brama,C=PL")
    plain = [json.loads(line) for line in brama(house, *arguments, "--json").stdout.splitlines()]
    assert {line["code"] for line in plain} == {"signature.multiple"}


@pytest.mark.parametrize("notices", [(7, 7), (12, 7), (0,), (14,)])
def test_notices_must_lie_in_the_period(tmp_path: Path, notices: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="serving_notices"):
        Settings(home=tmp_path, serving_notices=notices)
