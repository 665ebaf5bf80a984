"""Our invented transit messages: valid under our schema files and the published ones, and saying what they were asked to say."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from lxml import etree

from adapters.ncts import samples
from tests.corpora import CORPORA

OURS = Path(__file__).resolve().parents[2] / "schemas" / "ncts" / "p5"
PUBLISHED = CORPORA / "ncts-p5-51.8.6" / "xsd"
MRN = samples.mrn("PL", 42, 2026)
AT = datetime(2026, 3, 4, 0, 30, 15, 999999, tzinfo=timezone(timedelta(hours=1)))
ERRORS: tuple[samples.Error, ...] = ({"pointer": "/CC015C/TransitOperation[1]/LRN[1]", "code": "26", "reason": "R0008"},)
HEADER: samples.Header = {"message_id": "A-1", "correlation_id": "M-1", "sender": "NTA.PL", "recipient": "PL00000000000002", "at": AT}
ANSWERS = {
    "CC928C": samples.cc928c(lrn="L-1", holder="PL00000000000003", **HEADER),
    "CC028C": samples.cc028c(lrn="L-1", mrn=MRN, holder="PL00000000000003", **HEADER),
    "CC029C": samples.cc029c(lrn="L-1", mrn=MRN, holder="PL00000000000003", **HEADER),
    "CC056C": samples.cc056c(reason="Zły numer <LRN> & reszta", lrn="L-1", errors=ERRORS, holder="PL00000000000003", **HEADER),
    "CC060C": samples.cc060c(mrn=MRN, lrn="L-1", holder="PL00000000000003", **HEADER),
    "CC906C": samples.cc906c(errors=ERRORS, lrn="L-1", **HEADER),
    "CC917C": samples.cc917c(text="Brak elementu <LRN>", line=7, column=3, lrn="L-1", **HEADER),
}
SHORT = {
    "CC056C": samples.cc056c(reason="Nie", mrn=MRN, message_id="A-1"),
    "CC917C": samples.cc917c(text="Nie XML", message_id="A-1"),
    "CC060C": samples.cc060c(mrn=MRN, message_id="A-1"),
    "CC015C": samples.cc015c("L-1", "M-1", "PL00000000000004", "PL00000000000005", items=3, at=AT),
}


def assert_valid(folder: Path, root: str, content: bytes) -> None:
    etree.XMLSchema(etree.parse(folder / f"{root.lower()}.xsd")).assertValid(etree.fromstring(content))


@pytest.mark.parametrize(("root", "content"), [*ANSWERS.items(), *SHORT.items()])
def test_samples_are_valid_under_our_schema(root: str, content: bytes) -> None:
    assert_valid(OURS, root, content)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"the published schemas are not at {PUBLISHED}; set BRAMA_CORPORA")
@pytest.mark.parametrize(("root", "content"), [*ANSWERS.items(), *SHORT.items()])
def test_samples_are_valid_under_the_published_schema(root: str, content: bytes) -> None:
    assert_valid(PUBLISHED, root, content)


@pytest.mark.parametrize(("root", "content"), ANSWERS.items())
def test_answers_carry_what_they_were_given(root: str, content: bytes) -> None:
    tree = etree.fromstring(content)
    assert etree.QName(tree) == etree.QName(samples.NAMESPACE, root)
    header = {child.tag: child.text for child in tree if not len(child)}
    assert header == {
        "messageSender": "NTA.PL",
        "messageRecipient": "PL00000000000002",
        "preparationDateAndTime": "2026-03-03T23:30:15",
        "messageIdentification": "A-1",
        "messageType": root,
        "correlationIdentifier": "M-1",
    }
    assert tree.findtext(".//LRN") == "L-1"
    assert tree.findtext(".//MRN") == (MRN if root in ("CC028C", "CC029C", "CC060C") else None)
    if root not in ("CC906C", "CC917C"):
        assert tree.findtext("HolderOfTheTransitProcedure/identificationNumber") == "PL00000000000003"


def test_texts_are_escaped() -> None:
    assert etree.fromstring(ANSWERS["CC056C"]).findtext("TransitOperation/rejectionReason") == "Zły numer <LRN> & reszta"
    assert etree.fromstring(ANSWERS["CC917C"]).findtext("XMLError/errorText") == "Brak elementu <LRN>"
    assert etree.fromstring(samples.cc015c("<&>", "M-1")).findtext("TransitOperation/LRN") == "<&>"


def test_days_are_those_of_utc() -> None:
    assert etree.fromstring(ANSWERS["CC028C"]).findtext("TransitOperation/declarationAcceptanceDate") == "2026-03-03"


def test_a_declaration_names_its_sender_and_holder() -> None:
    tree = etree.fromstring(SHORT["CC015C"])
    assert tree.findtext("messageSender") == "PL00000000000004"
    assert tree.findtext("messageRecipient") == "NTA.PL"
    assert tree.findtext("HolderOfTheTransitProcedure/identificationNumber") == "PL00000000000005"
    assert [item.findtext("goodsItemNumber") for item in tree.iter("ConsignmentItem")] == ["1", "2", "3"]
    assert tree.findtext("Consignment/grossMass") == "360.000"


@pytest.mark.parametrize(("items", "low", "high"), [(1, 4_000, 5_000), (11, 16_000, 18_000), (154, 190_000, 210_000)])
def test_declarations_have_the_sizes_of_the_bench(items: int, low: int, high: int) -> None:
    assert low <= len(samples.cc015c("L-1", "M-1", items=items)) <= high


@pytest.mark.parametrize("items", [0, 1000])
def test_a_declaration_cannot_have_more_items_than_the_schema_takes(items: int) -> None:
    with pytest.raises(ValueError, match="1 to 999"):
        samples.cc015c("L-1", "M-1", items=items)


def test_the_check_digit_is_that_of_iso_6346() -> None:
    assert samples.check_digit("CSQU305438") == 3  # a published example
    assert samples.check_digit("MWCU605978") == 4
    # 10 counts as 0; each letter alone is worth its place in the list without multiples of 11, modulo 11
    assert [samples.check_digit(letter) for letter in "ABKLUVZ"] == [0, 1, 0, 1, 0, 1, 5]


def test_mrn_has_the_form_of_its_year_and_differs_by_sequence() -> None:
    assert "26PL000000000042J" + str(samples.check_digit("26PL000000000042J")) == MRN
    made = {samples.mrn("PL", sequence, 2026) for sequence in range(200)}
    assert len(made) == 200
    assert {len(number) for number in made} == {18}
    assert len({number[-1] for number in made}) == 10


@pytest.mark.parametrize(("country", "sequence"), [("pl", 1), ("POL", 1), ("ŁĄ", 1), ("P1", 1), ("PL", -1), ("PL", 10**12)])
def test_mrn_refuses_what_makes_none(country: str, sequence: int) -> None:
    with pytest.raises(ValueError, match="give"):
        samples.mrn(country, sequence, 2026)
