"""Our phase 5 schema files by themselves: they load in both engines, take our samples and refuse what breaks one rule at a time."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from adapters.ncts import samples

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "ncts" / "p5"
FILES = sorted(FOLDER.glob("*.xsd"))
XS = "{http://www.w3.org/2001/XMLSchema}"


def driver() -> str:
    includes = "".join(f'<xs:include schemaLocation="{path.as_uri()}"/>' for path in FILES)
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{samples.NAMESPACE}">{includes}</xs:schema>'


@functools.cache
def grammar() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(driver()))


@functools.cache
def second_engine() -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(driver())


def violations(content: bytes) -> list[tuple[int, str]]:
    """Line and facet or rule of each violation; both engines must agree that there are some."""
    root = etree.fromstring(content)
    valid = grammar().validate(root)
    assert second_engine().is_valid(root) == valid
    return [(entry.line, entry.type_name.removeprefix("SCHEMAV_").removeprefix("CVC_")) for entry in grammar().error_log]


DECLARATION = samples.cc015c("26PLTEST0001", "M-1")


def line_of(text: str) -> int:
    lines = [number for number, line in enumerate(DECLARATION.decode().splitlines(), 1) if text in line]
    return lines[0]


@pytest.mark.parametrize(
    ("old", "new", "line", "rule"),
    [
        ("<LRN>26PLTEST0001</LRN>", "<LRN>26PLTEST0001</LRN><MRN>1</MRN>", "<LRN>", "ELEMENT_CONTENT"),
        ("    <LRN>26PLTEST0001</LRN>\n", "", "<LRN>", "ELEMENT_CONTENT"),
        ("26PLTEST0001<", "26PLTEST00010000000000X<", "<LRN>", "MAXLENGTH_VALID"),
        ("26PLTEST0001<", " 26PLTEST0001<", "<LRN>", "PATTERN_VALID"),
        ("26PLTEST0001<", "\u00a026PLTEST0001<", "<LRN>", "PATTERN_VALID"),
        ("26PLTEST0001<", "<", "<LRN>", "PATTERN_VALID"),
        ("26PLTEST0001<", "<b/><", "<LRN>", "TYPE_3_1_2"),
        ("<grossMass>120.000<", "<grossMass>0120.000<", "<grossMass>", "PATTERN_VALID"),
        ("<grossMass>120.000<", "<grossMass>0.0<", "<grossMass>", "PATTERN_VALID"),
        ("<grossMass>120.000<", "<grossMass>1.0000001<", "<grossMass>", "FRACTIONDIGITS_VALID"),
        ("<grossMass>120.000<", "<grossMass>12345678901.123456<", "<grossMass>", "TOTALDIGITS_VALID"),
        ("<netMass>112.500<", "<netMass>-1<", "<netMass>", "PATTERN_VALID"),
        ("<declarationGoodsItemNumber>1<", "<declarationGoodsItemNumber>2000<", "<declarationGoodsItemNumber>", "MAXINCLUSIVE_VALID"),
        (">CC015C<", ">CC999C<", "<messageType>", "ENUMERATION_VALID"),
        ("<bindingItinerary>0<", "<bindingItinerary>2<", "<bindingItinerary>", "ENUMERATION_VALID"),
        ("2026-01-15T09:30:00", "2026-01-15T09:30:00Z", "<preparationDateAndTime>", "PATTERN_VALID"),
        ("2026-01-15T09:30:00", "2026-02-29T09:30:00", "<preparationDateAndTime>", "DATATYPE_VALID_1_2_1"),
        ('PhaseID="NCTS5.1"', 'PhaseID="NCTS6"', "PhaseID", "ENUMERATION_VALID"),
        ('PhaseID="NCTS5.1"', 'phase="NCTS5.1"', "PhaseID", "COMPLEX_TYPE_3_2_1"),
        ("ncts:CC015C", "ncts:CC515C", "PhaseID", "ELT_1"),
        ("http://ncts.dgtaxud.ec", "http://ncts.dgtaxud.ec/", "PhaseID", "ELT_1"),
    ],
)
def test_one_broken_rule_is_found_in_its_line(old: str, new: str, line: str, rule: str) -> None:
    assert violations(DECLARATION) == []
    text = DECLARATION.decode()
    assert old in text
    found = violations(text.replace(old, new).encode())
    assert found
    assert found[0][0] == line_of(line)
    assert rule in found[0][1], found


def test_an_item_more_than_a_house_consignment_takes_is_refused() -> None:
    full = samples.cc015c("26PLTEST0001", "M-1", items=999).decode()
    start, end = full.index("      <ConsignmentItem>"), full.index("</ConsignmentItem>\n") + len("</ConsignmentItem>\n")
    assert violations(full.encode()) == []
    assert [rule for _, rule in violations((full[:end] + full[start:end] + full[end:]).encode())] == ["ELEMENT_CONTENT"]


@pytest.mark.parametrize("value", ["NCTS5.0", "NCTS5.1", " NCTS5.1"])
def test_phases_of_the_fifth_phase_are_taken(value: str) -> None:
    assert violations(DECLARATION.replace(b"NCTS5.1", value.encode())) == []


def test_a_message_needs_no_phase_and_any_prefix_will_do() -> None:
    assert (
        violations(DECLARATION.replace(b' PhaseID="NCTS5.1"', b"").replace(b"ncts:CC015C", b"x:CC015C").replace(b"xmlns:ncts", b"xmlns:x"))
        == []
    )


def test_the_edition_names_every_root_and_who_may_send_it() -> None:
    edition = tomllib.loads((FOLDER / "edition.toml").read_text(encoding="utf-8"))
    documents = edition["documents"]
    assert (edition["system"], edition["edition"]) == ("NCTS2", "P5")
    assert sorted(documents) == sorted(name for name in second_engine().elements)
    from_traders = {name for name, document in documents.items() if document["direction"] == "in"}
    assert from_traders == {"CC007C", "CC013C", "CC014C", "CC015C", "CC044C", "CC170C"}
    assert {document["direction"] for document in documents.values()} == {"in", "out"}
    roles = [document["role"] for document in documents.values()]
    assert len(set(roles)) == len(roles)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_loads_alone(path: Path) -> None:
    etree.XMLSchema(etree.parse(path))


def test_no_type_is_left_unused() -> None:
    declared, used = set(), set()
    for path in FILES:
        for node in etree.parse(path).iter(XS + "*"):
            if node.tag in (XS + "complexType", XS + "simpleType", XS + "group") and node.get("name"):
                declared.add(node.get("name"))
            used.update(node.get(key) for key in ("type", "base", "ref") if node.get(key))
    assert declared <= used, declared - used
