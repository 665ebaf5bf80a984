"""A document with very many errors costs bounded time, and a large good one is still good."""

from __future__ import annotations

import time

import pytest
from lxml import etree

from gateway.message import DocumentType, Violation
from schemas.package import Package, analyse
from schemas.reader import SchemaReader
from tests.schema_packages import edition, record, text_type, xsd

MANY = '<xs:element name="E" type="xs:int" maxOccurs="unbounded"/>'
ROW = analyse({"a.xsd": xsd(record("M", MANY))})
DEEP = analyse({"a.xsd": xsd(record("M", record("G", MANY).replace("<xs:element", '<xs:element maxOccurs="unbounded"', 1)))})


def judge(package: Package, text: str) -> tuple[tuple[Violation, ...], float]:
    reader = SchemaReader([edition("1", package)])
    root = etree.fromstring(text)
    began = time.process_time()
    found = reader.validate(DocumentType("TEST", "1", str(root.tag), "in"), root, text.encode())
    return found, time.process_time() - began


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("<M>" + "<E>x</E>" * 200_000 + "</M>", 1),
        ("<M>" + "<E>1</E>" * 200_000 + "<E>x</E>" * 500 + "</M>", 200_001),
        ("<M>" + "<E>1</E>\n" * 200_000 + "<E>x</E>" * 3 + "</M>", 200_001),
    ],
)
def test_a_row_of_errors(text: str, first: int) -> None:
    found, seconds = judge(ROW, text)
    assert seconds < 10  # without the bound: minutes
    assert found[0].path == f"/M/E[{first}]"
    assert (found[0].line, found[0].column) == (
        text[: text.index("x")].count("\n") + 1,
        len(text[: text.index("<E>x")].rpartition("\n")[2]) + 1,
    )
    assert [v.code for v in found] == ["schema.type"] * min(text.count("x"), 100) + (["schema.more"] if text.count("x") > 100 else [])


def test_a_large_good_document_is_good() -> None:
    assert judge(ROW, "<M>" + "<E>1</E>" * 100_000 + "</M>")[0] == ()


def test_errors_in_many_small_groups() -> None:
    found, seconds = judge(DEEP, "<M>" + "<G><E>x</E><E>1</E></G>" * 50_000 + "</M>")
    assert seconds < 10
    assert len(found) == 101
    assert found[99].path == "/M/G[100]/E[1]"


def test_remarks_of_the_parser_are_no_errors() -> None:
    text = "<M>" + '<E xmlns:a="relative">1</E>' * 20_000 + "</M>"
    assert judge(ROW, text)[0] == ()


def test_a_large_document_with_a_value_that_takes_too_long() -> None:
    slow = '<xs:element name="F">' + text_type('<xs:pattern value="((a|aa)+)+b"/>') + "</xs:element>"
    package = analyse({"a.xsd": xsd(record("M", MANY + slow))})
    found, _ = judge(package, "<M>" + "<E>1</E>" * 6_000 + "<F>" + "a" * 200 + "</F></M>")
    assert [v.code for v in found] == ["schema.too_complex"]


def test_newer_letters_in_a_large_document() -> None:
    body = '<xs:element name="E" maxOccurs="unbounded">' + text_type('<xs:pattern value="\\p{L}+"/>') + "</xs:element>"
    package = analyse({"a.xsd": xsd(record("M", body))})
    assert judge(package, "<M>" + "<E>\u1c90</E>" * 6_000 + "</M>")[0] == ()
    found, _ = judge(package, "<M>" + "<E>\u1c90</E>" * 6_000 + "<E>1</E></M>")
    assert [v.path for v in found] == ["/M/E[6001]"]
