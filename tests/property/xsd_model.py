"""Reads the content model out of a folder of XSD files: enough of it to make instances (sequences, choices, groups, named types).

Anything else a schema could hold (extensions, wildcards, substitution) raises `NotImplementedError`: a generator that skipped it
silently would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
Facet = tuple[str, str]


@dataclass(frozen=True)
class SimpleType:
    """Built-in base and the facets of each restriction step, outermost last. Patterns within one step are alternatives."""

    base: str
    steps: tuple[tuple[Facet, ...], ...]

    def values(self, facet: str) -> list[str]:
        return [value for step in self.steps for name, value in step if name == facet]


@dataclass(frozen=True)
class Particle:
    """One child: `name` with its own content, or (name None) a choice of particles."""

    name: str | None
    low: int
    high: int
    content: object  # SimpleType | ComplexType | tuple[Particle, ...]


@dataclass(eq=False)
class ComplexType:
    """Children in order and attributes. Compared by identity: one object a type of the schema."""

    particles: list[Particle]
    attributes: dict[str, SimpleType]


def elements(root: ComplexType) -> Iterator[tuple[ComplexType, Particle]]:
    """Every (type, child particle) reachable from `root`, each type once."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for particle in current.particles:
            yield current, particle
            if isinstance(particle.content, ComplexType):
                todo.append(particle.content)


def paths(root: ComplexType, _above: tuple[Particle, ...] = ()) -> Iterator[tuple[Particle, ...]]:
    """The way to every particle below `root`, as the particles from the root's child down to it. The model must not recur."""
    for particle in root.particles:
        yield (*_above, particle)
        if isinstance(particle.content, ComplexType):
            yield from paths(particle.content, (*_above, particle))


def _no_annotation(node: etree._Element) -> list[etree._Element]:
    return [child for child in node if isinstance(child.tag, str) and child.tag != XS + "annotation"]


class Model:
    """The model of all files below `folder`: `roots` maps a root's local name to its type."""

    def __init__(self, folder: Path, skip: tuple[str, ...] = ()) -> None:
        self._named: dict[tuple[str, str], etree._Element] = {}
        self._complex: dict[etree._Element, ComplexType] = {}
        for path in sorted(folder.rglob("*.xsd")):
            if path.name in skip:
                continue
            for node in _no_annotation(etree.parse(path).getroot()):
                if node.tag != XS + "include":
                    self._named[node.tag, node.get("name", "")] = node
        self.roots: dict[str, ComplexType] = {}
        for (tag, name), node in list(self._named.items()):
            if tag == XS + "element":
                content = self._content(node)
                if not isinstance(content, ComplexType):
                    raise NotImplementedError(f"root {name} is not of a complex type")
                self.roots[name] = content

    def _content(self, element: etree._Element) -> SimpleType | ComplexType:
        name = element.get("type")
        if name is None:
            (inline,) = _no_annotation(element)
            return self._complex_type(inline)
        return self._type(name)

    def _type(self, name: str) -> SimpleType | ComplexType:
        if (XS + "complexType", name) in self._named:
            return self._complex_type(self._named[XS + "complexType", name])
        return self.simple_type(name)

    def simple_type(self, name: str) -> SimpleType:
        if name.startswith("xs:"):
            return SimpleType(name, ())
        (restriction,) = _no_annotation(self._named[XS + "simpleType", name])
        base = self.simple_type(restriction.get("base", ""))
        step = tuple((etree.QName(facet).localname, facet.get("value", "")) for facet in _no_annotation(restriction))
        return SimpleType(base.base, (*base.steps, step) if step else base.steps)

    def _complex_type(self, node: etree._Element) -> ComplexType:
        known = self._complex.get(node)
        if known is not None:
            return known
        made = self._complex[node] = ComplexType([], {})
        for child in _no_annotation(node):
            if child.tag == XS + "attribute":
                made.attributes[child.get("name", "")] = self.simple_type(child.get("type", ""))
            else:
                made.particles.extend(self._particles(child))
        return made

    def _particles(self, node: etree._Element) -> list[Particle]:
        if node.tag == XS + "group":
            (inner,) = _no_annotation(self._named[XS + "group", node.get("ref", "")])
            return self._particles(inner)
        low, high = int(node.get("minOccurs", "1")), int(node.get("maxOccurs", "1").replace("unbounded", "1000000"))
        if node.tag == XS + "sequence" and (low, high) == (1, 1):
            return [particle for child in _no_annotation(node) for particle in self._particles(child)]
        if node.tag == XS + "choice":
            return [Particle(None, low, high, tuple(particle for child in _no_annotation(node) for particle in self._particles(child)))]
        if node.tag == XS + "element":
            return [Particle(node.get("name", ""), low, high, self._content(node))]
        raise NotImplementedError(f"line {node.sourceline}: {node.tag} in a content model")
