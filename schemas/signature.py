"""Whether a schema has a place of its own for an enveloped signature."""

from __future__ import annotations

from collections.abc import Mapping

from lxml.etree import _Element

from schemas.package import Package
from schemas.xsd import XS, SchemaFile

DS = "http://www.w3.org/2000/09/xmldsig#"
Key = tuple[str, str, str]  # kind, namespace, name
Place = tuple[_Element, SchemaFile, str]  # a declaration, its file and the namespace the file is read under


def foresees_signature(package: Package, root: str) -> bool:
    """Whether ds:Signature may be a child of the element `root` (Clark notation): by reference, or by a wildcard."""
    namespace, _, name = root[1:].rpartition("}") if root.startswith("{") else ("", "", root)
    members = package.grammars[package.roots[root].grammar]
    index: dict[Key, Place] = {}
    for space, path in members:
        file = package.files[path]
        for child in file.root:
            if child.get("name"):
                kind = str(child.tag).removeprefix(XS)
                index[("type" if kind.endswith("Type") else kind, space, child.get("name") or "")] = (child, file, space)
    imports_ds = any(reference.namespace == DS for _, path in members for reference in package.files[path].references)
    place = index[("element", namespace, name)]
    return _Walk(index, imports_ds).allows(place, set())


class _Walk:
    """Goes through a content model, following types, groups and extensions, each once."""

    def __init__(self, index: Mapping[Key, Place], imports_ds: bool) -> None:
        self.index = index
        self.imports_ds = imports_ds

    def allows(self, place: Place, seen: set[int]) -> bool:
        element, file, space = place
        if id(element) in seen:
            return False
        seen.add(id(element))
        follow = {"element": "type", "extension": "base"}.get(str(element.tag).removeprefix(XS))
        if follow and element.get(follow) and self._follow("type", element.get(follow) or "", place, seen):
            return True
        return any(self._particle((child, file, space), seen) for child in element)

    def _particle(self, place: Place, seen: set[int]) -> bool:
        element, _, space = place
        if element.get("maxOccurs") == "0":
            return False
        tag = str(element.tag).removeprefix(XS)
        if tag == "element":
            return self._name(element.get("ref") or "", place) == (DS, "Signature")
        if tag == "any":
            return self._any(element, space)
        if tag == "group":
            return self._follow("group", element.get("ref") or "", place, seen)
        if tag in {"complexType", "complexContent", "extension", "restriction", "sequence", "choice", "all"}:
            return self.allows(place, seen)
        return False

    def _any(self, element: _Element, space: str) -> bool:
        names = (element.get("namespace") or "##any").split()
        if element.get("processContents", "strict") == "strict" and not self.imports_ds:
            return False
        return "##any" in names or DS in names or ("##other" in names and space != DS)

    def _follow(self, kind: str, name: str, place: Place, seen: set[int]) -> bool:
        found = self.index.get((kind, *self._name(name, place)))
        return found is not None and self.allows(found, seen)

    def _name(self, name: str, place: Place) -> tuple[str, str]:
        element, file, space = place
        prefix, _, local = name.rpartition(":")
        namespace = element.nsmap.get(prefix or None) or ""
        if not namespace and not file.namespace:
            namespace = space  # a file without a namespace takes on its includer's
        return namespace, local
