"""Exclusive canonicalisation with `#default` in its PrefixList, element by element.

lxml hands libxml2 only prefixes that some document used as a name, and `#default` never is: the default namespace would be
treated exclusively and valid signatures refused. Few signers write it, so this slow way (a microsecond a node) will do.
Source: Exclusive XML Canonicalization 1.0, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected

_XML = "http://www.w3.org/XML/1998/namespace"
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_VALUE = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"})


def canonical_with_default(root: _Element, prefixes: tuple[str, ...]) -> bytes:
    """The octets of a document without comments and instructions. Raises Rejected(signature.structure) for relative
    namespace URIs, which have no canonical form."""
    out: list[str] = []
    _write(root, {}, frozenset("" if prefix == "#default" else prefix for prefix in prefixes), out)
    return "".join(out).encode()


def _write(element: _Element, rendered: Mapping[str, str], inclusive: frozenset[str], out: list[str]) -> None:
    """Recursion is as deep as the document, which the parser limits."""
    scope = {prefix or "": uri or "" for prefix, uri in element.nsmap.items()}
    attributes = _attributes(element)
    used = {element.prefix or "", *(name.partition(":")[0] for _, _, name, _ in attributes if ":" in name)} - {"xml"}
    wanted = used | {prefix for prefix in inclusive if prefix in scope}
    new = {prefix: scope.get(prefix, "") for prefix in wanted if rendered.get(prefix, "") != scope.get(prefix, "")}
    if any(uri and ":" not in uri for uri in new.values()):
        raise Rejected("signature.structure", detail="no canonical form exists (is a namespace URI relative?)")
    local = etree.QName(element).localname
    name = f"{element.prefix}:{local}" if element.prefix else local
    out.append(f"<{name}")
    out.extend(f' xmlns{":" if prefix else ""}{prefix}="{uri.translate(_VALUE)}"' for prefix, uri in sorted(new.items()))
    out.extend(f' {qualified}="{value.translate(_VALUE)}"' for _, _, qualified, value in attributes)
    out.append(">" + (element.text or "").translate(_TEXT))
    for child in element:
        _write(child, {**rendered, **new}, inclusive, out)
        out.append((child.tail or "").translate(_TEXT))
    out.append(f"</{name}>")


def _attributes(element: _Element) -> list[tuple[str, str, str, str]]:
    """Namespace URI, local name, name as written, value; in canonical order."""
    found = []
    for place, (clark, value) in enumerate(element.attrib.items(), 1):
        name = etree.QName(clark)
        written = name.localname
        if name.namespace:
            written = f"xml:{written}" if name.namespace == _XML else str(element.xpath(f"name(@*[{place}])"))
        found.append((name.namespace or "", name.localname, written, str(value)))
    return sorted(found)
