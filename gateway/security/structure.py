"""Reading a ds:Signature into values: order of elements, algorithms and caps are judged before any digest is computed.

Source: XML Signature Syntax and Processing 1.1, section 4. Whatever the schema there does not foresee is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.algorithms import DIGESTS, METHODS, decode_base64
from gateway.security.canonical import EXCLUSIVE, Canonicalization
from gateway.security.canonical import METHODS as CANONICALIZATIONS

NAMESPACE = "http://www.w3.org/2000/09/xmldsig#"
DS = f"{{{NAMESPACE}}}"
SIGNATURE = f"{DS}Signature"
OBJECT = f"{DS}Object"
ENVELOPED = f"{NAMESPACE}enveloped-signature"
_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE}}}InclusiveNamespaces"

NCNAME = re.compile(r"[^\W\d][\w.\-·]*")
#: which attributes the schema of XML Signature gives which element
_NONE: frozenset[str] = frozenset()
_ALGORITHM, _ID = frozenset({"Algorithm"}), frozenset({"Id"})
_ATTRIBUTES: dict[object, frozenset[str]] = {
    f"{DS}{name}": allowed
    for allowed, names in {
        _ID: "Signature SignedInfo SignatureValue KeyInfo",
        _ALGORITHM: "CanonicalizationMethod SignatureMethod DigestMethod Transform",
        _NONE: "Transforms DigestValue KeyName KeyValue RSAKeyValue Modulus Exponent X509Data X509Certificate X509IssuerSerial "
        "X509IssuerName X509SerialNumber X509SubjectName X509SKI X509CRL",
        frozenset({"Id", "URI", "Type"}): "Reference",
        frozenset({"Id", "MimeType", "Encoding"}): "Object",
    }.items()
    for name in names.split()
}

MAX_REFERENCES = 5
MAX_TRANSFORMS = 3
MAX_PREFIXES = 32


@dataclass(frozen=True, slots=True)
class Reference:
    """One ds:Reference: where it points, how the octets are made, which digest they must have."""

    uri: str
    type: str
    enveloped: bool
    canonicalizations: tuple[Canonicalization, ...]
    digest_method: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """A signature whose form is in order; nothing is verified yet."""

    element: _Element
    signed_info: _Element
    canonicalization: Canonicalization
    method: str
    value: bytes
    references: tuple[Reference, ...]
    key_info: _Element | None
    objects: tuple[_Element, ...]


def read_signature(signature: _Element) -> SignatureParts:
    """Raises Rejected(signature.structure | .algorithm | .transform | .reference | .limit)."""
    children = list(signature)
    if len(children) < 2 or children[0].tag != f"{DS}SignedInfo" or children[1].tag != f"{DS}SignatureValue":
        raise _wrong("Signature does not start with SignedInfo and SignatureValue")
    info, value, *rest = children
    _check_form(signature)
    if next(info.iter(etree.Comment), None) is not None or len(value):
        raise _wrong("there are comments or elements inside SignedInfo or SignatureValue")
    key_info = rest.pop(0) if rest and rest[0].tag == f"{DS}KeyInfo" else None
    if any(child.tag != OBJECT for child in rest):
        raise _wrong("Signature has an element that does not belong there")
    parts = list(info)
    if len(parts) < 3 or parts[0].tag != f"{DS}CanonicalizationMethod" or parts[1].tag != f"{DS}SignatureMethod":
        raise _wrong("SignedInfo does not consist of CanonicalizationMethod, SignatureMethod and Reference")
    if len(parts) - 2 > MAX_REFERENCES:
        raise Rejected("signature.limit", what="references", value=len(parts) - 2, limit=MAX_REFERENCES)
    return SignatureParts(
        element=signature,
        signed_info=info,
        canonicalization=_canonicalization(parts[0], "signature.algorithm"),
        method=_signature_method(parts[1]),
        value=decode_base64(value.text, "SignatureValue"),
        references=tuple([_reference(part) for part in parts[2:]]),
        key_info=key_info,
        objects=tuple(rest),
    )


def _check_form(signature: _Element) -> None:
    """Attributes and text only where the schema has them; the content of Objects is anybody's."""
    if _has_text(signature.text):
        raise _wrong("there is text between the elements of Signature")
    elements = [signature]
    for child in signature:
        if child.tag == OBJECT:
            elements.append(child)
        else:
            elements.extend(child.iter())
    for element in elements:
        names = element.keys()
        if names:
            allowed = _ATTRIBUTES.get(element.tag)
            if allowed is not None and not allowed.issuperset(names):
                raise _wrong("an element of Signature has an attribute that does not belong there")
            if "Id" in names and not NCNAME.fullmatch(element.get("Id", "")):
                raise _wrong("an Id in Signature is not a name")
        inside = element.text if len(element) and element.tag != OBJECT else None
        tail = element.tail if element is not signature else None
        if not (tail is None and inside is None) and (_has_text(tail) or _has_text(inside)):
            raise _wrong("there is text between the elements of Signature")


def _has_text(text: str | None) -> bool:
    return text is not None and not text.isspace() and text != ""


def _signature_method(element: _Element) -> str:
    method = element.get("Algorithm", "")
    if method not in METHODS:
        raise Rejected("signature.algorithm", algorithm=method or "(none)")
    if len(element):
        raise _wrong("SignatureMethod has parameters")
    return method


def _reference(element: _Element) -> Reference:
    if element.tag != f"{DS}Reference":
        raise _wrong("SignedInfo has an element that does not belong there")
    parts = list(element)
    transforms = list(parts.pop(0)) if parts and parts[0].tag == f"{DS}Transforms" else []
    if [part.tag for part in parts] != [f"{DS}DigestMethod", f"{DS}DigestValue"]:
        raise _wrong("Reference does not consist of Transforms, DigestMethod and DigestValue")
    method, value = parts
    digest_method = method.get("Algorithm", "")
    if digest_method not in DIGESTS:
        raise Rejected("signature.algorithm", algorithm=digest_method or "(none)")
    if len(method) or len(value):
        raise _wrong("DigestMethod or DigestValue has content that does not belong there")
    uri = element.get("URI")
    if uri is None:
        raise Rejected("signature.reference", uri="(none)")
    enveloped, canonicalizations = _transforms(transforms)
    return Reference(uri, element.get("Type", ""), enveloped, canonicalizations, digest_method, decode_base64(value.text, "DigestValue"))


def _transforms(elements: list[_Element]) -> tuple[bool, tuple[Canonicalization, ...]]:
    """Enveloped-signature first if at all, then canonicalisations; none means C14N 1.0 (section 4.4.3.2)."""
    if len(elements) > MAX_TRANSFORMS:
        raise Rejected("signature.limit", what="transforms of one reference", value=len(elements), limit=MAX_TRANSFORMS)
    for element in elements:
        if element.tag != f"{DS}Transform":
            raise _wrong("Transforms has an element that does not belong there")
    enveloped = bool(elements) and elements[0].get("Algorithm") == ENVELOPED
    if enveloped and len(elements[0]):
        raise _wrong("the enveloped-signature transform has parameters")
    rest = elements[1:] if enveloped else elements
    return enveloped, tuple([_canonicalization(element, "signature.transform") for element in rest]) or (Canonicalization(),)


def _canonicalization(element: _Element, code: str) -> Canonicalization:
    method = element.get("Algorithm", "")
    if method not in CANONICALIZATIONS:
        raise Rejected(code, algorithm=method or "(none)")
    if not len(element):
        return Canonicalization(method)
    if method != EXCLUSIVE or len(element) != 1 or element[0].tag != _INCLUSIVE_NAMESPACES or len(element[0]):
        raise _wrong("a canonicalisation has parameters that do not belong there")
    prefixes = element[0].get("PrefixList", "").split()
    if len(prefixes) > MAX_PREFIXES:
        raise Rejected("signature.limit", what="prefixes of one PrefixList", value=len(prefixes), limit=MAX_PREFIXES)
    return Canonicalization(method, tuple(prefixes))


def _wrong(detail: str) -> Rejected:
    return Rejected("signature.structure", detail=detail)
