"""Canonical XML 1.0, 1.1 and Exclusive 1.0 of an element where it stands, always without comments.

libxml2 as lxml drives it canonicalises a *subtree* wrongly when the default namespace is inherited (false `xmlns=""` on
grandchildren) and never inherits `xml:*` attributes. A subtree is therefore first made a document of its own that
declares every namespace in scope; the `xml:*` attributes are added by the rules of the method.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.exclusive import canonical_with_default

C14N_10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
METHODS = frozenset({C14N_10, C14N_11, EXCLUSIVE})

_URI = re.compile(r"[\w\-.~:/?#\[\]@!$&'()*+,;=%]*", re.ASCII)
_XML = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class Canonicalization:
    """A method and, for the exclusive one, its InclusiveNamespaces PrefixList."""

    method: str = C14N_10
    prefixes: tuple[str, ...] = ()


def canonical(element: _Element, how: Canonicalization) -> bytes:
    """The octets of `element` and everything below it, in the context of its document.

    Raises Rejected(signature.structure) where no canonical form exists (relative namespace URIs).
    """
    if element.getparent() is None or (how.method == EXCLUSIVE and not how.prefixes):
        return octets(element, how)
    copy = standalone(element)
    with_inherited(copy, inherited_attributes(element, how.method))
    return octets(copy, how)


def octets(root: _Element | etree._ElementTree, how: Canonicalization) -> bytes:
    """The octets of a whole document given as a tree, of a root alone, or (exclusive without PrefixList) of any element."""
    if isinstance(root, _Element) and (root.getprevious() is not None or root.getnext() is not None) and root.getparent() is None:
        root = standalone(root)  # lxml would treat a root with instructions beside it as a subtree
    if "#default" in how.prefixes:
        return canonical_with_default(root if isinstance(root, _Element) else root.getroot(), how.prefixes)
    exclusive = how.method == EXCLUSIVE
    try:
        if how.prefixes:
            with suppress(etree.C14NError):  # lxml fails when no document ever used one of the prefixes: they do not matter
                return etree.tostring(
                    root, method="c14n", exclusive=exclusive, with_comments=False, inclusive_ns_prefixes=list(how.prefixes)
                )
        return etree.tostring(root, method="c14n", exclusive=exclusive, with_comments=False)
    except etree.C14NError:
        raise Rejected("signature.structure", detail="no canonical form exists (is a namespace URI relative?)") from None


def again(content: bytes, how: Canonicalization) -> bytes:
    """The canonical form of a canonical form: the second of two chained transforms."""
    return octets(etree.fromstring(content, _parser()), how)


def standalone(element: _Element) -> _Element:
    """A copy of the subtree as a document of its own, declaring every namespace that is in scope."""
    return etree.fromstring(etree.tostring(element, encoding="UTF-8", with_tail=False), _parser())


def with_inherited(root: _Element, attributes: dict[str, str]) -> None:
    """Put the inherited `xml:*` attributes on the root of a standalone copy."""
    for name, value in attributes.items():
        root.set(name, value)


def inherited_attributes(element: _Element, method: str) -> dict[str, str]:
    """The `xml:*` attributes that the apex of a document subset takes over from ancestors outside it.

    C14N 1.0, section 2.4: the nearest of each name. C14N 1.1, section 2.4: xml:lang and xml:space likewise, xml:id never,
    xml:base joined along the way. Exclusive: none. Raises Rejected(signature.structure) for bases that cannot be joined.
    """
    if method == EXCLUSIVE:
        return {}
    found: dict[str, str] = {}
    bases = [element.get(f"{_XML}base")]
    for ancestor in element.iterancestors():
        bases.append(ancestor.get(f"{_XML}base"))
        for name, value in ancestor.attrib.items():
            if str(name).startswith(_XML) and name not in element.attrib:
                found.setdefault(str(name), str(value))
    if method == C14N_11:
        found.pop(f"{_XML}id", None)
        given = [base for base in bases if base is not None]
        if len(given) > 1 and not all(_URI.fullmatch(base) for base in given):
            raise Rejected("signature.structure", detail="an xml:base is not a URI reference and cannot be joined")
        if given:
            joined = ""
            for base in reversed(given):
                joined = urljoin(joined, base) if joined else base
            found[f"{_XML}base"] = joined
    return found


def _parser() -> etree.XMLParser:
    """For text that we serialised ourselves from a tree that the hardened parser made."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, collect_ids=False)
