"""confirm: nothing but the UPD that was issued confirms anything. Every single change to it is tried; no signatures here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.message import Serving, Verified
from gateway.security.xml import HardenedParser
from gateway.steps.confirm import confirm
from gateway.technical import CRD, Held, upd
from tests.walk import accepted, received

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HELD = Held("UPD-1", "1", "CC060C_1.xml", "ab" * 32, "NCTS2", "0b5c", "PL1", AT, AT)
SEAL = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="s"><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>'
ISSUED = upd(HELD, "Brama").replace("</upo:Dokument>", f"{SEAL}</upo:Dokument>").encode()
SERVING = Serving(1, "UPD-1", "PL1", "NCTS2/CC060C", ISSUED)


@dataclass(frozen=True)
class One:
    """Knows one serving."""

    def find(self, certificate_id: str) -> Serving | None:
        return SERVING if certificate_id == "UPD-1" else None


def judged(root: _Element) -> Serving | None:
    verified: Verified = replace(accepted(received()).authorized.verified, signed=root)
    return confirm(verified, One(), HardenedParser()).serving


def issued() -> _Element:
    return etree.fromstring(ISSUED)


def test_what_was_issued_is_found_with_and_without_our_seal() -> None:
    assert judged(issued()) is SERVING
    bare = issued()
    bare.remove(bare[1])
    assert judged(bare) is SERVING


def test_white_space_between_the_parts_counts_for_nothing() -> None:
    root = issued()
    root.text = root[0].tail = root[1].tail = "\n  "
    assert judged(root) is SERVING


def changed_text(element: _Element) -> None:
    element.text = (element.text or "") + "x"


def spaced(element: _Element) -> None:
    element.text = (element.text or "") + " "


def added_attribute(element: _Element) -> None:
    element.set("new", "1")


def dropped_attribute(element: _Element) -> None:
    for name in list(element.attrib):
        del element.attrib[name]
    if not element.attrib:
        element.set("x", "")


def added_child(element: _Element) -> None:
    etree.SubElement(element, "new")


def doubled(element: _Element) -> None:
    element.addnext(deepcopy(element))


def dropped(element: _Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def renamed(element: _Element) -> None:
    element.tag = element.tag + "x"


def followed_by_text(element: _Element) -> None:
    element.tail = "x"


CHANGES: list[Callable[[_Element], None]] = [
    *(changed_text, spaced, added_attribute, dropped_attribute, added_child, doubled, dropped, renamed, followed_by_text)
]


def places() -> Iterator[int]:
    """Every element of the document but the root, by its number."""
    yield from range(1, sum(1 for _ in issued().iter()))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_no_change_at_any_place_goes_unseen(change: Callable[[_Element], None]) -> None:
    taken, codes = [], set()
    for place in places():
        root = issued()
        element = list(root.iter())[place]
        change(element)
        try:
            judged(root)
        except Rejected as refusal:
            codes.add(refusal.code)
        else:
            taken.append(f"{change.__name__} at {element.tag}")
    assert codes <= {"confirm.altered", "confirm.unknown"}
    # without our seal the UPD is as good; that is the only thing that may be left out
    assert taken == (["dropped at {http://www.w3.org/2000/09/xmldsig#}Signature"] if change is dropped else [])


def test_nothing_in_another_order() -> None:
    root = issued()
    root.insert(0, root[1])
    with pytest.raises(Rejected):
        judged(root)
    root = issued()
    first = root[0]
    first.insert(0, first[1])
    with pytest.raises(Rejected) as refusal:
        judged(root)
    assert refusal.value.code == "confirm.altered"


@pytest.mark.parametrize("name", ["", "UPD-2", " "])
def test_who_names_none_of_ours_is_told_so(name: str) -> None:
    root = issued()
    root.find(f".//{{{CRD}}}IdentyfikatorPoswiadczenia").text = name  # type: ignore[union-attr]
    with pytest.raises(Rejected) as refusal:
        judged(root)
    assert refusal.value.code == "confirm.unknown"
