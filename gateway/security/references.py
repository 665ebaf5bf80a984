"""What exactly is signed: resolving references inside the document and the rule that one payload must be covered.

The rule: the payload is the root, or an element that is its parent's only child element besides the signature and whose
name occurs nowhere else in the document. In an enveloping signature the signature is the root and the payload the
only element of a signed ds:Object. Everything else is refused: readers of such documents may see what nobody signed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.structure import DS, NAMESPACE, OBJECT, Reference, SignatureParts
from gateway.security.xades import QUALIFYING_PROPERTIES

_WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
MANIFEST = f"{NAMESPACE}Manifest"
_ID_NAMES = frozenset({"Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id", _WSU})
_PLAIN_ID = re.compile(r"[\w.:\-·]+")


@dataclass(frozen=True, slots=True)
class Coverage:
    """The one signed payload and what every reference points at."""

    payload: _Element
    inside: tuple[tuple[Reference, _Element], ...]  # parts of the signature itself
    outside: tuple[tuple[Reference, _Element], ...]  # the payload and elements in it


def resolve(root: _Element, parts: SignatureParts) -> Coverage:
    """Raises Rejected(signature.reference | signature.coverage | signature.structure)."""
    identified = _identified(root) if any(reference.uri for reference in parts.references) else {}
    inside: list[tuple[Reference, _Element]] = []
    outside: list[tuple[Reference, _Element]] = []
    signature = parts.element
    ancestors = [signature, *signature.iterancestors()]
    for reference in parts.references:
        target = _target(root, reference.uri, identified)
        if reference.type == MANIFEST:
            raise _uncovered("manifests are not taken, refer to the document itself")
        if target is signature or (target in ancestors and not reference.enveloped):
            raise _uncovered("a reference covers the signature itself")
        if signature in target.iterancestors() and not _is_enveloped_payload(target, signature, root):
            inside.append((reference, target))
        else:
            outside.append((reference, target))
    payload = _payload([target for _, target in outside])
    _check_place(root, signature, payload)
    return Coverage(payload, tuple(inside), tuple(outside))


def enveloping_payload(target: _Element) -> _Element:
    """The document in a signed ds:Object. Raises Rejected(signature.coverage) unless it is the only thing there."""
    if target.tag != OBJECT:
        return target
    children = list(target)
    if len(children) != 1 or (target.text or "").strip() or (children[0].tail or "").strip():
        raise _uncovered("the signed Object must hold exactly one element")
    return children[0]


def _is_enveloped_payload(target: _Element, signature: _Element, root: _Element) -> bool:
    """Whether a target within the signature is a document that it envelops, and not one of the signature's own parts."""
    if signature is not root:
        return False
    holder = target if target.tag == OBJECT else target.getparent()
    if holder is None or holder.tag != OBJECT or holder.getparent() is not signature:
        return False
    return next(holder.iter(QUALIFYING_PROPERTIES, f"{DS}Manifest", f"{DS}SignatureProperties"), None) is None


def _payload(targets: list[_Element]) -> _Element:
    """The one target that holds all others."""
    if not targets:
        raise _uncovered("no reference points at the document")
    for candidate in targets:
        if all(target is candidate or candidate in target.iterancestors() for target in targets):
            return enveloping_payload(candidate)
    raise _uncovered("the references point at several separate elements")


def _check_place(root: _Element, signature: _Element, payload: _Element) -> None:
    if payload is root:
        return
    parent = payload.getparent()
    if parent is None:
        raise _uncovered("the signed element stands nowhere")
    if any(sibling is not payload and sibling is not signature for sibling in parent):
        raise _uncovered("beside the signed element stand others that are not signed")
    if sum(1 for _ in root.iter(payload.tag)) != 1:
        raise _uncovered("another element has the same name as the signed one")
    if signature is root:
        for other in root.iterchildren(OBJECT):
            if other is not parent and next(other.iter(QUALIFYING_PROPERTIES), None) is None:
                raise _uncovered("the signature has another Object besides the signed one")


def _identified(root: _Element) -> dict[str, list[tuple[_Element, bool]]]:
    """Every value of an attribute that some software takes for an ID -> its elements, and whether we take it, too."""
    found: dict[str, list[tuple[_Element, bool]]] = {}
    for element in cast(list[_Element], _WITH_ID(root)):
        values: dict[str, bool] = {}
        for name, value in element.attrib.items():
            if etree.QName(name).localname.lower() == "id":
                key = " ".join(str(value).split())
                values[key] = values.get(key, False) or (str(name) in _ID_NAMES and key == value)
        for key, ours in values.items():
            found.setdefault(key, []).append((element, ours))
    return found


#: from the few attributes up to their elements: the other way round takes twice as long
_WITH_ID = etree.XPath("descendant-or-self::*/@*[local-name()='Id' or local-name()='ID' or local-name()='id' or local-name()='iD']/..")


def _target(root: _Element, uri: str, identified: dict[str, list[tuple[_Element, bool]]]) -> _Element:
    """The element a reference means: '' the document, '#x' the one element of that id. Nothing is ever fetched."""
    if uri == "":
        return root
    if not uri.startswith("#") or not _PLAIN_ID.fullmatch(uri, 1):
        raise Rejected("signature.reference", uri=uri[:200])
    elements = identified.get(uri[1:], [])
    if len(elements) != 1 or not elements[0][1]:
        raise Rejected("signature.reference", uri=uri[:200])
    return elements[0][0]


def _uncovered(detail: str) -> Rejected:
    return Rejected("signature.coverage", detail=detail)
