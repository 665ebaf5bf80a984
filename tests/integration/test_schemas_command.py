"""`brama schemas`: exit codes, JSON, refusals, and what reaches the database."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.schemas import schemas
from gateway.database import generation, open_engine
from gateway.errors import Rejected
from gateway.migrations import upgrade
from gateway.settings import Settings
from schemas.reader import LiveSchemas, SchemaReader
from tests.schema_packages import NOON, xsd

DS = "http://www.w3.org/2000/09/xmldsig#"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAMA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "one", '<xs:element name="Ping" type="xs:int"/>')
    write(tmp_path / "two", '<xs:element name="Ping" type="xs:date"/>')
    (tmp_path / "number.xml").write_text("<Ping>1</Ping>")
    (tmp_path / "date.xml").write_text("<Ping>2026-01-01</Ping>")
    return tmp_path


def write(folder: Path, body: str) -> None:
    folder.mkdir()
    (folder / "ping.xsd").write_bytes(xsd(body))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(schemas, list(arguments), catch_exceptions=False)


def take_in(source: str, edition: str, *more: str) -> Result:
    return run("import", source, "--system", "TEST", "--edition", edition, *more)


def judged(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    result = run("validate", *arguments, "--system", "TEST", "--json")
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_exit_codes() -> None:
    assert take_in("one", "1").exit_code == 0
    assert judged("number.xml")[0] == 0
    assert judged("number.xml", "date.xml")[0] == 1
    assert judged("number.xml", "date.xml", "nowhere.xml")[0] == 2


def test_what_cannot_be_judged_says_why(place: Path) -> None:
    take_in("one", "1")
    (place / "broken.xml").write_text("<Ping>\n<")
    (place / "other.xml").write_text("<Pong/>")
    (place / "bomb.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><Ping>&b;</Ping>')
    code, lines = judged("broken.xml", "other.xml", "bomb.xml", "nowhere.xml")
    assert code == 2
    assert [line["valid"] for line in lines] == [False, None, False, None], "what is no XML is judged: it is not valid"
    assert [line["errors"][0]["code"] for line in lines] == ["parse.malformed", "identify.unknown", "parse.doctype", "receive.unreadable"]
    assert lines[0]["errors"][0]["line"] == 2
    assert lines[1]["root"] == "Pong"


def test_one_object_a_line_with_position_and_words_in_both_languages() -> None:
    take_in("one", "1")
    (line,) = judged("date.xml")[1]
    assert (line["file"], line["root"], line["edition"], line["valid"]) == ("date.xml", "Ping", "1", False)
    (error,) = line["errors"]
    assert (error["line"], error["column"], error["path"], error["code"]) == (1, 1, "/Ping", "schema.type")
    assert "2026-01-01" in error["pl"]
    assert "2026-01-01" in error["en"]


def test_unknown_systems_and_editions_are_usage_errors() -> None:
    take_in("one", "1")
    other = run("validate", "number.xml", "--system", "OTHER")
    assert (other.exit_code, "TEST" in other.stderr) == (2, True)
    edition = run("validate", "number.xml", "--system", "TEST", "--edition", "9")
    assert (edition.exit_code, "has no edition 9. Use one of: 1." in edition.stderr) == (2, True)
    assert run("validate", "number.xml", "--system", "TEST", "--at", "yesterday").exit_code == 2


@pytest.mark.parametrize("name", ["", " ", " X", "X\n", "X\x1b[2J", "X" * 41])
def test_a_system_is_named_visibly(name: str) -> None:
    refused = run("import", "one", "--system", name, "--edition", "1")
    assert (refused.exit_code, "visible characters" in refused.stderr) == (2, True)


def test_overlap_and_default(place: Path) -> None:
    take_in("one", "1")
    refused = take_in("two", "2")
    assert refused.exit_code == 2
    assert "Editions 2 and 1 of TEST are both in force" in refused.stderr
    assert judged("number.xml")[1][0]["edition"] == "1"
    assert take_in("two", "2", "--default").exit_code == 0
    assert judged("date.xml")[1][0]["edition"] == "2"
    assert judged("number.xml", "--edition", "1")[0] == 0


def test_the_same_name_with_other_files_needs_replace() -> None:
    take_in("one", "1")
    refused = take_in("two", "1")
    assert (refused.exit_code, "--replace" in refused.stderr) == (2, True)
    assert judged("number.xml")[0] == 0
    assert take_in("two", "1", "--replace").exit_code == 0
    assert judged("date.xml")[0] == 0


def test_a_refused_package_leaves_nothing_behind(place: Path) -> None:
    (place / "one" / "z.xsd").write_bytes(xsd('<xs:element name="Z" type="Nowhere"/>'))
    refused = take_in("one", "1")
    assert refused.exit_code == 2
    assert "z.xsd, line 2" in refused.stderr
    assert "known" in run("validate", "number.xml", "--system", "TEST").stderr


def test_a_zip_as_published(place: Path) -> None:
    with zipfile.ZipFile(place / "package.zip", "w") as archive:
        archive.writestr("v1/read me.txt", "text")
        archive.write(place / "one" / "ping.xsd", "v1/ping.xsd")
    assert take_in("package.zip", "1").exit_code == 0
    assert judged("number.xml")[0] == 0


def test_other_nodes_see_an_import() -> None:
    take_in("one", "1", "--out", "Pi*")
    reader = SchemaReader([])
    with open_engine(Settings().database).connect() as connection:
        assert generation(connection, "schemas") == 1
        assert reader.refresh(connection) is True
        assert reader.refresh(connection) is False
        before = reader.catalogue
    assert before.find("Ping", NOON).direction == "out"
    take_in("one", "1", "--in", "Pi*", "--to", "2027-01-01")
    with open_engine(Settings().database).connect() as connection:
        assert reader.refresh(connection) is True
    assert reader.identify("Ping", NOON).direction == "in"
    assert before.find("Ping", NOON).direction == "out"  # a snapshot stays what it was


def test_a_new_edition_keeps_the_directions_of_the_others_unless_told() -> None:
    take_in("one", "1", "--out", "Pi*", "--to", "2027-01-01")
    take_in("two", "2", "--from", "2027-01-01")
    take_in("two", "3", "--from", "2028-01-01", "--default", "--direction", "in")
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    directions = {e["edition"]: e["documents"][0]["direction"] for e in listed if e["system"] == "TEST"}
    assert directions == {"1": "out", "2": "out", "3": "in"}


def test_a_document_that_two_packages_repeat_word_for_word_is_no_overlap(place: Path) -> None:
    (place / "two" / "pong.xsd").write_bytes(xsd('<xs:element name="Pong" type="xs:int"/>'))
    (place / "two" / "ping.xsd").write_bytes((place / "one" / "ping.xsd").read_bytes())
    assert take_in("one", "departure").exit_code == 0
    assert take_in("two", "destination").exit_code == 0
    (place / "two" / "pong.xsd").write_bytes(xsd('<xs:element name="Pong" type="xs:date"/>'))
    refused = take_in("two", "third")
    assert refused.exit_code == 2
    assert "Pong" in refused.output
    assert "Ping" not in refused.output


def test_a_running_server_sees_an_import_soon() -> None:
    upgrade(open_engine(Settings().database))
    live = LiveSchemas([], open_engine(Settings().database), max_age=0.05)
    with pytest.raises(Rejected):
        live.identify("Ping", NOON)
    take_in("one", "1")
    time.sleep(0.06)
    assert live.identify("Ping", NOON).edition == "1"


def test_an_enveloped_signature_is_set_aside_unless_foreseen(place: Path) -> None:
    body = '<xs:element name="Ping"><xs:complexType><xs:sequence><xs:element name="A"/></xs:sequence></xs:complexType></xs:element>'
    (place / "one" / "ping.xsd").write_bytes(xsd(body))
    take_in("one", "1")
    for number, text in enumerate(
        [
            f'<Ping><A/><Signature xmlns="{DS}"/></Ping>',
            f'<Ping><Signature xmlns="{DS}"/><A/></Ping>',
            f'<Ping><A/><Signature xmlns="{DS}"/>tail</Ping>',
            f'<Ping><A/><B/><Signature xmlns="{DS}"/></Ping>',
        ]
    ):
        (place / f"signed{number}.xml").write_text(text)
    assert [line["valid"] for line in judged("signed0.xml", "signed1.xml", "signed2.xml", "signed3.xml")[1]] == [True, True, False, False]


def test_nothing_is_fetched_or_followed(place: Path) -> None:
    (place / "evil.xsd").write_bytes(xsd('<xs:element name="Ping" type="xs:string"/><xs:element name="Evil"/>'))
    hint = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{place / "evil.xsd"}"'
    (place / "hint.xml").write_text(f"<Ping {hint}>words</Ping>")
    (place / "evil.xml").write_text(f"<Evil {hint}/>")
    take_in("one", "1")
    code, lines = judged("hint.xml", "evil.xml")
    assert [line["valid"] for line in lines] == [False, None]
    assert lines[1]["errors"][0]["code"] == "identify.unknown"
    assert code == 2


def test_text_for_people() -> None:
    take_in("one", "1")
    result = run("validate", "number.xml", "date.xml", "--system", "TEST")
    assert result.stdout.splitlines()[0] == "number.xml: valid (1)"
    assert "date.xml: not valid (1)" in result.stdout
    assert "1:1 /Ping schema.type" in result.stdout
    assert "\x1b" not in result.stdout
