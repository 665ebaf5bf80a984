"""What an element may contain, by its schema: whether a signature has a place in it, whether it has children at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lxml.etree import _Element

from schemas.xsd import XS, SchemaFile

DS = "http://www.w3.org/2000/09/xmldsig#"
BUILDERS = {"complexType", "complexContent", "extension", "restriction", "sequence", "choice", "all"}
Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True)
class Place:
    """A declaration, its file, and the namespace that the file is read under."""

    element: _Element
    file: SchemaFile
    namespace: str

    @property
    def tag(self) -> str:
        return str(self.element.tag).removeprefix(XS)

    def name(self, attribute: str) -> tuple[str, str]:
        """Namespace and local name that a QName attribute means here."""
        prefix, _, local = (self.element.get(attribute) or "").rpartition(":")
        namespace = self.element.nsmap.get(prefix or None) or ""
        if not namespace and not self.file.namespace:
            namespace = self.namespace  # a file without a namespace takes on its includer's
        return namespace, local


class Content:
    """The content models of the files of one grammar."""

    def __init__(self, files: Mapping[str, SchemaFile], members: Iterable[tuple[str, str]]) -> None:
        self._index: dict[Key, Place] = {}
        self._imports_ds = False
        for namespace, path in members:
            file = files[path]
            self._imports_ds |= any(reference.namespace == DS for reference in file.references)
            for child in file.root:
                if name := child.get("name"):
                    kind = str(child.tag).removeprefix(XS)
                    self._index["type" if kind.endswith("Type") else kind, namespace, name] = Place(child, file, namespace)

    def foresees_signature(self, namespace: str, name: str) -> bool:
        """Whether ds:Signature may be a child of this top-level element: by reference, or by a wildcard."""
        return self._has(self._index["element", namespace, name], self._takes_signature, set())

    def has_children(self, namespace: str, name: str) -> bool:
        """Whether this top-level element may have child elements at all."""
        return self._has(self._index["element", namespace, name], lambda _: True, set())

    def _takes_signature(self, place: Place) -> bool:
        if place.tag == "element":
            return place.name("ref") == (DS, "Signature")
        names = (place.element.get("namespace") or "##any").split()
        if place.element.get("processContents", "strict") == "strict" and not self._imports_ds:
            return False
        return "##any" in names or DS in names or ("##other" in names and place.namespace != DS)

    def _has(self, place: Place, wanted: Callable[[Place], bool], seen: set[int]) -> bool:
        """Goes through a content model, following types, groups and extensions, each once."""
        if id(place.element) in seen:
            return False
        seen.add(id(place.element))
        attribute = {"element": "type", "extension": "base"}.get(place.tag)
        if attribute and place.element.get(attribute) and self._follow("type", attribute, place, wanted, seen):
            return True
        return any(self._particle(Place(child, place.file, place.namespace), wanted, seen) for child in place.element)

    def _particle(self, place: Place, wanted: Callable[[Place], bool], seen: set[int]) -> bool:
        if place.element.get("maxOccurs") == "0":
            return False
        if place.tag in {"element", "any"}:
            return wanted(place)
        if place.tag == "group":
            return self._follow("group", "ref", place, wanted, seen)
        return place.tag in BUILDERS and self._has(place, wanted, seen)

    def _follow(self, kind: str, attribute: str, place: Place, wanted: Callable[[Place], bool], seen: set[int]) -> bool:
        found = self._index.get((kind, *place.name(attribute)))
        return found is not None and self._has(found, wanted, seen)
