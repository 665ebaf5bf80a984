"""Family X: the signed element moved, copied or shadowed, so that a careless reader sees what nobody signed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from tests.security.documents import (
    C14N10,
    DS,
    ENVELOPE,
    ENVELOPED,
    EXC,
    code,
    inner_signed,
    judge,
    reference,
    root_signed,
    signature,
    signed,
)  # fmt: skip

D = "{urn:test:declaration}"
E = "{urn:test:envelope}"
SIGNATURE = f"{{{DS}}}Signature"
OBJECT = f"{{{DS}}}Object"


class Wrapped:
    """A signed document taken apart: the forged Declaration stands in the Body, the signed one is in hand."""

    def __init__(self, content: bytes) -> None:
        self.root = etree.fromstring(content)
        self.signature = next(self.root.iter(SIGNATURE))
        self.body = self.root.find(f"{E}Body")
        self.header = self.root.find(f"{E}Header")
        self.declaration = self.body.find(f"{D}Declaration")

    def forge(self) -> etree._Element:
        forged = copy.deepcopy(self.declaration)
        forged.find(f"{D}LRN").text = "FORGED"
        return forged

    def swap(self) -> etree._Element:
        """Put the forged one (without Id) in the signed one's place; give the signed one back."""
        forged = self.forge()
        forged.attrib.pop("Id")
        self.body.replace(self.declaration, forged)
        return self.declaration

    def bytes(self) -> bytes:
        return etree.tostring(self.root)


def _xsw1() -> bytes:
    w = Wrapped(root_signed())
    original = etree.fromstring(ENVELOPE.format(inner="", root="").encode())
    w.declaration.find(f"{D}LRN").text = "FORGED"
    etree.SubElement(w.signature, OBJECT).append(original)
    return w.bytes()


def _xsw2() -> bytes:
    w = Wrapped(inner_signed_root_by_id())
    forged = copy.deepcopy(w.root)
    forged.attrib.pop("Id")
    forged.find(f".//{D}LRN").text = "FORGED"
    sig = next(forged.iter(SIGNATURE))
    original = w.root
    original.remove(w.signature)
    sig.addprevious(original)
    return etree.tostring(forged)


def inner_signed_root_by_id() -> bytes:
    return signed(ENVELOPE.format(inner="", root=signature(reference("#e1"))))


def _edited(edit: Callable[[Wrapped], object], content: Callable[[], bytes] = inner_signed) -> Callable[[], bytes]:
    def make() -> bytes:
        w = Wrapped(content())
        edit(w)
        return w.bytes()

    return make


def _xsw4(w: Wrapped) -> None:
    original = w.swap()
    w.body[0].append(original)


def _xsw5(w: Wrapped) -> None:
    original = w.swap()
    w.root.append(original)


def _xsw8(w: Wrapped) -> None:
    original = w.swap()
    w.body[0].append(w.signature)
    etree.SubElement(w.signature, OBJECT).append(original)


def _into(path: str) -> Callable[[Wrapped], None]:
    def edit(w: Wrapped) -> None:
        original = w.swap()
        if path == "header":
            etree.SubElement(w.header, f"{E}Wrapper").append(original)
        elif path == "end":
            w.root.append(original)
        elif path == "object":
            etree.SubElement(w.signature, OBJECT).append(original)
        elif path == "key info":
            w.signature.find(f"{{{DS}}}KeyInfo").append(original)
        elif path == "x509 data":
            w.signature.find(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data").append(original)
        elif path == "deep":
            etree.SubElement(etree.SubElement(w.body[0].find(f"{D}Goods"), f"{E}Far"), f"{E}Away").append(original)
        else:
            w.root.insert(0, original)

    return edit


def _first_with(attribute: str) -> Callable[[Wrapped], None]:
    def edit(w: Wrapped) -> None:
        forged = w.forge()
        value = forged.attrib.pop("Id")
        forged.set(attribute, value)
        w.body.insert(0, forged)

    return edit


def _other_name_with(attribute: str) -> Callable[[Wrapped], None]:
    """The ambiguous Id alone, on an element of another name elsewhere: no other rule would catch it."""
    return lambda w: w.header.set(attribute, "d1")


WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
FOREIGN = "{urn:other}Id"

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "1 forged root, original in the signature": (_xsw1, "signature.digest"),
    "2 original root before the signature": (_xsw2, "signature.coverage"),
    "3 forged before signed": (_edited(lambda w: (w.body.insert(0, w.forge()), w.body[0].attrib.pop("Id"))), "signature.coverage"),
    "4 signed inside forged": (_edited(_xsw4), "signature.coverage"),
    "5 signed copy at the end": (_edited(_xsw5), "signature.coverage"),
    "6 signed copy in the signature": (_edited(_into("object")), "signature.coverage"),
    "7 forged copy in an extension ahead": (
        _edited(lambda w: (etree.SubElement(w.header, f"{E}Extensions").append(w.forge()), w.header[-1][0].attrib.pop("Id"))),
        "signature.coverage",
    ),
    "8 signed in the Object of the forged one's signature": (_edited(_xsw8), "signature.coverage"),
    "9 into a header wrapper": (_edited(_into("header")), "signature.coverage"),
    "10 to the end of the root": (_edited(_into("end")), "signature.coverage"),
    "11 into ds:Object": (_edited(_into("object")), "signature.coverage"),
    "12 into KeyInfo": (_edited(_into("key info")), "signature.structure"),
    "13 into X509Data": (_edited(_into("x509 data")), "signature.structure"),
    "14 deep in the forged one": (_edited(_into("deep")), "signature.coverage"),
    "15 first child of the root": (_edited(_into("first")), "signature.coverage"),
    "16 duplicate Id, forged first": (_edited(lambda w: w.body.insert(0, w.forge())), "signature.reference"),
    "17 duplicate Id, forged last": (_edited(lambda w: w.body.append(w.forge())), "signature.reference"),
    "18 same value as ID": (_edited(_first_with("ID")), "signature.reference"),
    "19 same value as id": (_edited(_first_with("id")), "signature.reference"),
    "20 same value as xml:id": (_edited(_first_with(XML_ID)), "signature.reference"),
    "21 same value as wsu:Id": (_edited(_first_with(WSU)), "signature.reference"),
    "22 same value as foreign Id": (_edited(_first_with(FOREIGN)), "signature.reference"),
    "23 same value by character reference": (
        lambda: _edited(lambda w: w.body.insert(0, w.forge()))().replace(b'Id="d1"', b'Id="&#100;1"', 1),
        "signature.reference",
    ),
    "24 second unsigned declaration": (
        _edited(lambda w: (w.body.append(w.forge()), w.body[1].attrib.pop("Id"))),
        "signature.coverage",
    ),
    "25 unsigned sibling": (_edited(lambda w: etree.SubElement(w.body, f"{D}Amend")), "signature.coverage"),
    "declaration emptied out into the Object": (
        _edited(lambda w: etree.SubElement(w.signature, OBJECT).append(w.declaration)),
        "signature.coverage",
    ),
    "object beside the enveloped one": (
        lambda: signed(
            signature(reference("#o1", (EXC,)), extra='<ds:Object Id="o1"><a/></ds:Object><ds:Object><b/></ds:Object>')
        ),
        "signature.coverage",
    ),
    "two elements in the signed Object": (
        lambda: signed(signature(reference("#o1", (EXC,)), extra='<ds:Object Id="o1"><a/><b/></ds:Object>')),
        "signature.coverage",
    ),
    "text in the signed Object": (
        lambda: signed(signature(reference("#o1", (EXC,)), extra='<ds:Object Id="o1">text<a/></ds:Object>')),
        "signature.coverage",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrapping_is_refused(name: str) -> None:
    make, expected = REFUSED[name]
    assert code(make()) == expected


@pytest.mark.parametrize("attribute", ["Id", "ID", "id", "iD", XML_ID, WSU, FOREIGN])
def test_an_id_that_two_elements_share_by_any_name_is_ambiguous(attribute: str) -> None:
    assert code(_edited(_other_name_with(attribute))()) == "signature.reference"


def test_26_what_is_not_signed_may_change_but_is_not_handed_on() -> None:
    content = inner_signed().replace(b"m-1", b"m-2")
    tree, _ = judge(content)
    assert b"m-2" not in etree.tostring(tree.getroottree())
    assert tree.tag == f"{D}Declaration"


@pytest.mark.parametrize("attribute", ["ID", "id", XML_ID, WSU])
def test_ids_by_their_usual_names_resolve(attribute: str) -> None:
    renamed = etree.fromstring(inner_signed())
    declaration = next(renamed.iter(f"{D}Declaration"))
    declaration.set(attribute, declaration.attrib.pop("Id"))
    assert code(etree.tostring(renamed)) == "signature.digest"  # found, and changed


def test_a_foreign_id_alone_does_not_resolve() -> None:
    renamed = etree.fromstring(inner_signed())
    declaration = next(renamed.iter(f"{D}Declaration"))
    declaration.set(FOREIGN, declaration.attrib.pop("Id"))
    assert code(etree.tostring(renamed)) == "signature.reference"


def test_doors_want_the_whole_document_signed() -> None:
    assert code(inner_signed(), require_root=True) == "signature.coverage"
    assert code(root_signed(), require_root=True) == "valid"
    assert code(signed(ENVELOPE.format(inner=signature(reference("#d1")), root="")), require_root=True) == "signature.coverage"


def test_an_enveloped_root_that_moved_into_another_is_seen_as_what_it_is() -> None:
    inner = etree.fromstring(inner_signed_root_by_id())
    wrapper = etree.Element("Wrapper")
    wrapper.append(inner)
    assert code(etree.tostring(wrapper), require_root=True) == "signature.coverage"
    _, report = judge(etree.tostring(wrapper))
    assert report.signed.startswith("/Wrapper/")


def test_a_whole_document_reference_does_not_survive_a_wrapper() -> None:
    wrapper = etree.Element("Wrapper")
    wrapper.append(etree.fromstring(signed(ENVELOPE.format(inner="", root=signature(reference("", (ENVELOPED, C14N10)))))))
    assert code(etree.tostring(wrapper)) == "signature.digest"
