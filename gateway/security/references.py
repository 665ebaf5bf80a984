"""What exactly is signed: resolving references inside the document and the rule that one payload must be covered.

The rule: the payload is the root, or an element that is its parent's only child element besides the signature and whose
name occurs nowhere else in the document. In an enveloping signature the signature is the root and the payload the
only element of a signed ds:Object. Everything else is refused: readers of such documents may see what nobody signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import cast

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.structure import DS, NAMESPACE, NCNAME, OBJECT, Reference, SignatureParts
from gateway.security.xades import QUALIFYING_PROPERTIES

_WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
MAX_ELEMENTS = 10_000
MANIFEST = f"{NAMESPACE}Manifest"
_ID_NAMES = frozenset({"Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id", _WSU})


@dataclass(frozen=True, slots=True)
class Coverage:
    """The one signed payload and what every reference points at."""

    payload: _Element
    inside: tuple[tuple[Reference, _Element], ...]  # parts of the signature itself
    outside: tuple[tuple[Reference, _Element], ...]  # the payload and elements in it


def resolve(root: _Element, parts: SignatureParts) -> Coverage:
    """Raises Rejected(signature.reference | signature.coverage | signature.structure)."""
    inside: list[tuple[Reference, _Element]] = []
    outside: list[tuple[Reference, _Element]] = []
    signature = parts.element
    ancestors = [signature, *signature.iterancestors()]
    for reference in parts.references:
        target = _target(root, reference.uri)
        if reference.type == MANIFEST:
            raise _uncovered("manifests are not taken, refer to the document itself")
        if target is signature or (target in ancestors and not reference.enveloped):
            raise _uncovered("a reference covers the signature itself")
        if signature in target.iterancestors() and not _is_enveloped_payload(target, signature, root):
            _check_size(target)
            inside.append((reference, target))
        else:
            outside.append((reference, target))
    payload = _payload([target for _, target in outside])
    _check_place(root, signature, payload)
    return Coverage(payload, tuple(inside), tuple(outside))


def _check_size(part: _Element) -> None:
    """Parts of the signature are digested before anybody knows who made them: they must be small."""
    if next(islice(part.iter(), MAX_ELEMENTS, None), None) is not None:
        raise Rejected("signature.limit", what="elements of a signed part of the signature", value=f"> {MAX_ELEMENTS}", limit=MAX_ELEMENTS)


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
    if any(text and not text.isspace() for text in (parent.text, *(child.tail for child in parent))):
        raise _uncovered("beside the signed element stands text that is not signed")
    if sum(1 for _ in root.iter(payload.tag)) != 1:
        raise _uncovered("another element has the same name as the signed one")
    if signature is root:
        for other in root.iterchildren(OBJECT):
            if other is not parent and next(other.iter(QUALIFYING_PROPERTIES), None) is None:
                raise _uncovered("the signature has another Object besides the signed one")


#: Attributes are filtered by value first: that is done in C, and next to nothing is left.
_WITH_VALUE = etree.XPath("/descendant::*/@*[normalize-space() = $value]")


def _target(root: _Element, uri: str) -> _Element:
    """The element a reference means: '' the document, '#x' the one element of that id. Nothing is ever fetched.

    What any software might take for an ID makes a second element with that value, whatever the attribute's case and namespace.
    """
    if uri == "":
        return root
    wanted = uri[1:]
    if not uri.startswith("#") or not NCNAME.fullmatch(wanted):
        raise Rejected("signature.reference", uri=uri[:200])
    named: list[tuple[_Element, bool]] = []
    for value in cast(list[etree._ElementUnicodeResult], _WITH_VALUE(root, value=wanted)):
        name = str(value.attrname)
        if name.rpartition("}")[2].lower() == "id":
            named.append((cast(_Element, value.getparent()), name in _ID_NAMES and value == wanted))
    if not any(ours for _, ours in named) or any(element is not named[0][0] for element, _ in named):
        raise Rejected("signature.reference", uri=uri[:200])
    return named[0][0]


def _uncovered(detail: str) -> Rejected:
    return Rejected("signature.coverage", detail=detail)
