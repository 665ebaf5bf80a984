"""Every violation with its position, path, code, and words that say what to change."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.message import DocumentType, Violation
from schemas.package import analyse
from schemas.position import locate
from schemas.reader import SchemaReader
from schemas.violations import MAX_VALUE, MAX_VIOLATIONS
from tests.schema_packages import edition, xsd

BODY = """
<xs:element name="M">
  <xs:complexType>
    <xs:sequence>
      <xs:element name="Op" maxOccurs="unbounded">
        <xs:complexType>
          <xs:sequence>
            <xs:element name="LRN"><xs:simpleType><xs:restriction base="xs:string"><xs:minLength value="2"/><xs:maxLength value="22"/>
              <xs:pattern value="[a-zA-Z0-9 ]*"/></xs:restriction></xs:simpleType></xs:element>
            <xs:element name="Kind" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string">
              <xs:enumeration value="T1"/><xs:enumeration value="T2"/></xs:restriction></xs:simpleType></xs:element>
            <xs:element name="Mass" minOccurs="0"><xs:simpleType><xs:restriction base="xs:decimal">
              <xs:minInclusive value="0"/><xs:maxExclusive value="100"/><xs:fractionDigits value="2"/>
              </xs:restriction></xs:simpleType></xs:element>
            <xs:element name="Day" type="xs:date" minOccurs="0"/>
          </xs:sequence>
          <xs:attribute name="n" type="xs:int" use="required"/>
        </xs:complexType>
      </xs:element>
      <xs:element name="End"/>
    </xs:sequence>
  </xs:complexType>
</xs:element>
<xs:element name="Other"/>
"""


def check(text: str, namespace: str = "", root: str = "M") -> tuple[Violation, ...]:
    body = xsd(BODY, namespace)
    if namespace:
        body = body.replace(b"<xs:schema", b'<xs:schema elementFormDefault="qualified"')
    reader = SchemaReader([edition("1", analyse({"a.xsd": body}))])
    document_type = DocumentType("TEST", "1", f"{{{namespace}}}{root}" if namespace else root, "in")
    return reader.validate(document_type, etree.fromstring(text.encode()), text.encode())


def one(op: str) -> Violation:
    (violation,) = check(f"<M>\n <Op n='1'><LRN>ab</LRN></Op>\n  {op}\n<End/></M>")
    return violation


@pytest.mark.parametrize(
    ("op", "code", "path", "column", "pl", "en"),
    [
        (
            "<Op n='2'><LRN>" + "x" * 25 + "</LRN></Op>",
            "schema.length",
            "/M/Op[2]/LRN",
            13,
            "Pole Op/LRN: wartość „xxxxxxxxxxxxxxxxxxxxxxxxx” jest za długa (25 znaków, dozwolone 22). Skróć ją.",
            "Field Op/LRN: the value 'xxxxxxxxxxxxxxxxxxxxxxxxx' is too long (25 characters, 22 allowed). Shorten it.",
        ),
        ("<Op n='2'><LRN>x</LRN></Op>", "schema.length", "/M/Op[2]/LRN", 13, "jest za krótka (1 znaków, potrzeba 2)", "too short"),
        ("<Op n='2'><LRN>x-y</LRN></Op>", "schema.pattern", "/M/Op[2]/LRN", 13, "wzorca [a-zA-Z0-9 ]*", "pattern [a-zA-Z0-9 ]*"),
        (
            "<Op n='2'><LRN>ab</LRN><Kind>T9</Kind></Op>",
            "schema.enumeration",
            "/M/Op[2]/Kind",
            26,
            "Użyj jednej z: T1, T2.",
            "one of: T1, T2.",
        ),
        ("<Op n='2'><LRN>ab</LRN><Mass>-1</Mass></Op>", "schema.range", "/M/Op[2]/Mass", 26, "co najmniej 0", "at least 0"),
        ("<Op n='2'><LRN>ab</LRN><Mass>100</Mass></Op>", "schema.range", "/M/Op[2]/Mass", 26, "mniejsza niż 100", "less than 100"),
        (
            "<Op n='2'><LRN>ab</LRN><Mass>1.234</Mass></Op>",
            "schema.digits",
            "/M/Op[2]/Mass",
            26,
            "po przecinku (dozwolone 2)",
            "fraction digits (2",
        ),
        ("<Op n='2'><LRN>ab</LRN><Day>20.11.2026</Day></Op>", "schema.type", "/M/Op[2]/Day", 26, "RRRR-MM-DD", "a date YYYY-MM-DD"),
        ("<Op n='2'/>", "schema.missing", "/M/Op[2]", 3, "W M/Op brakuje elementu. Dodaj: LRN.", "M/Op lacks an element. Add: LRN."),
        ("<Op n='2'><LRN>ab</LRN><X/></Op>", "schema.unexpected", "/M/Op[2]/X", 26, "dozwolone: Kind, Mass, Day", "place: Kind, Mass, Day"),
        ("<Op><LRN>ab</LRN></Op>", "schema.missing", "/M/Op[2]/@n", 3, "Brakuje atrybutu M/Op/@n", "Attribute M/Op/@n is missing"),
        ("<Op n='2' m='1'><LRN>ab</LRN></Op>", "schema.unexpected", "/M/Op[2]/@m", 3, "Atrybut M/Op/@m", "Attribute M/Op/@m is not"),
        ("<Op n='x'><LRN>ab</LRN></Op>", "schema.type", "/M/Op[2]/@n", 3, "wartość „x” ma zły typ", "'x' has the wrong type"),
        ("<Op n='2'>words<LRN>ab</LRN></Op>", "schema.text", "/M/Op[2]", 3, "zawiera tekst", "has text between"),
    ],
)
def test_words(op: str, code: str, path: str, column: int, pl: str, en: str) -> None:
    violation = one(op)
    assert (violation.code, violation.path, violation.line, violation.column) == (code, path, 3, column)
    assert pl in violation.pl
    assert en in violation.en


def test_all_violations_are_found() -> None:
    codes = [v.code for v in check("<M><Op n='1'><LRN>x</LRN><Kind>a</Kind></Op><Op><LRN>-!</LRN><Day>x</Day></Op><End/></M>")]
    assert codes == ["schema.length", "schema.enumeration", "schema.missing", "schema.pattern", "schema.type"]


def test_the_list_is_bounded_and_says_so() -> None:
    found = check("<M>" + "<Op n='1'><LRN>x</LRN></Op>" * 150 + "<End/></M>")
    assert len(found) == MAX_VIOLATIONS + 1
    assert found[-1].code == "schema.more"
    assert "pierwszych 100 błędów" in found[-1].pl
    assert "first 100 errors" in found[-1].en


def test_long_values_are_cut() -> None:
    violation = check("<M><Op n='2'><LRN>" + "-" * 5000 + "</LRN></Op><End/></M>")[0]
    assert "-" * MAX_VALUE + "…" in violation.pl
    assert "-" * (MAX_VALUE + 1) not in violation.pl
    assert "-" * (MAX_VALUE + 1) not in violation.en


@pytest.mark.parametrize(
    ("text", "path", "column"),
    [
        ('<M xmlns="urn:n"><Op n="1"><LRN>ab</LRN></Op><Op n="1"><LRN>x</LRN></Op><End/></M>', "/M/Op[2]/LRN", 56),
        ('<p:M xmlns:p="urn:n"><p:Op n="1"><p:LRN>x</p:LRN></p:Op><p:End/></p:M>', "/p:M/p:Op/p:LRN", 34),
    ],
)
def test_paths_use_the_names_of_the_document(text: str, path: str, column: int) -> None:
    (violation,) = check(text, "urn:n")
    assert (violation.path, violation.column) == (path, column)


def test_another_root_of_the_same_grammar_does_not_pass() -> None:
    (violation,) = check("<Other/>")
    assert violation.code == "schema.root"
    assert "M" in violation.pl


def test_positions_in_other_encodings_and_after_a_signature() -> None:
    text = "<?xml version='1.0' encoding='{}'?>\n<M>ł</M>"
    found = (Violation(9, 0, "/M", "schema.text", "", ""),)
    for encoding in ("windows-1250", "ISO-8859-2", "UTF-8", "UTF-16"):
        (located,) = locate(text.format(encoding).encode(encoding), found)
        assert (located.line, located.column) == (2, 1), encoding
    assert locate(b"not xml", found) == found
    (located,) = locate(b"<M><s:Signature xmlns:s='u'><Op/></s:Signature><Op/>\n <Op/></M>", (Violation(0, 0, "/M/Op[2]", "", "", ""),))
    assert (located.line, located.column) == (2, 2)
