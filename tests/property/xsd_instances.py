"""Random instances of a schema's roots, and instances changed so that they may break it. Seeded: the same seed, the same document."""

from __future__ import annotations

import random
from collections.abc import Callable

from lxml import etree

from tests.property import xsd_values
from tests.property.xsd_model import ComplexType, Model, Particle, SimpleType, elements

MAX_ELEMENTS = 300  # of an instance before a mutation; keeps the median message near 5 KB
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class Instances:
    """Makes instances of the roots of `model` in `namespace` (local elements unqualified)."""

    def __init__(self, model: Model, namespace: str) -> None:
        self._model, self._namespace = model, namespace
        self._kinds = {root: self._kinds_of(kind) for root, kind in model.roots.items()}
        self._names = sorted({name for kinds in self._kinds.values() for name in kinds})

    @staticmethod
    def _kinds_of(root: ComplexType) -> dict[str, list[SimpleType | ComplexType]]:
        kinds: dict[str, list[SimpleType | ComplexType]] = {}
        for _, particle in elements(root):
            if particle.name is not None and isinstance(particle.content, SimpleType | ComplexType):
                kinds.setdefault(particle.name, []).append(particle.content)
        return kinds

    def valid(self, root: str, rng: random.Random) -> etree._Element:
        """An instance of `root`; `generosity`, drawn anew, says how many of the optional parts it has."""
        kind = self._model.roots[root]
        made = etree.Element(etree.QName(self._namespace, root), nsmap={rng.choice(("n", "ncts")): self._namespace})
        self._fill(made, kind, rng, rng.choice((0.0, 0.2, 0.5, 0.8, 1.0)), [MAX_ELEMENTS])
        return made

    def _fill(self, parent: etree._Element, kind: ComplexType, rng: random.Random, generosity: float, budget: list[int]) -> None:
        for name, simple in kind.attributes.items():
            if rng.random() < generosity:
                parent.set(name, xsd_values.valid(simple, rng))
        for particle in kind.particles:
            self._add(parent, particle, rng, generosity, budget)

    def _add(self, parent: etree._Element, particle: Particle, rng: random.Random, generosity: float, budget: list[int]) -> None:
        if isinstance(particle.content, tuple):
            for _ in range(max(particle.low, 1)):
                self._add(parent, rng.choice(particle.content), rng, generosity, budget)
            return
        count = particle.low
        if count < particle.high and budget[0] > 0 and rng.random() < generosity:
            count = rng.choice((count + 1, count + 1, min(particle.high, 3), particle.high if particle.high < 10 else count + 1))
        for _ in range(count):
            child = etree.SubElement(parent, particle.name or "")
            budget[0] -= 1
            self.content(child, particle.content, rng, generosity, budget)

    def content(self, element: etree._Element, kind: object, rng: random.Random, generosity: float, budget: list[int]) -> None:
        if isinstance(kind, SimpleType):
            element.text = xsd_values.valid(kind, rng)
        elif isinstance(kind, ComplexType):
            self._fill(element, kind, rng, generosity, budget)

    def repeated(self, root: str, path: tuple[Particle, ...], count: int, rng: random.Random) -> etree._Element:
        """The smallest instance of `root` that has the element at the end of `path`, there exactly `count` times."""
        made = etree.Element(etree.QName(self._namespace, root), nsmap={"ncts": self._namespace})
        parent, kind = made, self._model.roots[root]
        for step, wanted in enumerate(path):
            times = count if step == len(path) - 1 else 1
            inner: etree._Element | None = None
            for particle in kind.particles:
                if particle is wanted:
                    inner = etree.SubElement(parent, particle.name or "")
                    if step == len(path) - 1:
                        self.content(inner, particle.content, rng, 0.0, [MAX_ELEMENTS])
                    text = etree.tostring(inner, with_tail=False)
                    for _ in range(times - 1):
                        parent.append(etree.fromstring(text))
                else:
                    self._add(parent, particle, rng, 0.0, [MAX_ELEMENTS])
            if step < len(path) - 1 and inner is not None and isinstance(wanted.content, ComplexType):
                parent, kind = inner, wanted.content
        return made

    def one_of_each(self, element: etree._Element, kind: ComplexType, rng: random.Random) -> None:
        """Give `element` each child of its type once, in order, and nothing else."""
        for child in list(element):
            element.remove(child)
        for particle in kind.particles:
            child = etree.SubElement(element, particle.name or "")
            self.content(child, particle.content, rng, 0.0, [MAX_ELEMENTS])

    # ---- changed instances

    def mutated(self, root: str, rng: random.Random) -> tuple[etree._Element, str]:
        """An instance with one to three changes, and their names."""
        made = self.valid(root, rng)
        done: list[str] = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            change = rng.choice(CHANGES)
            change(self, made, root, rng)
            done.append(change.__name__.strip("_"))
        return made, "+".join(done)

    def _below(self, made: etree._Element, rng: random.Random) -> etree._Element:
        return rng.choice(list(made.iterdescendants("*")) or [made])

    def _drop(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = self._below(made, rng)
        parent = victim.getparent()
        if parent is not None:
            parent.remove(victim)

    def _duplicate(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = self._below(made, rng)
        if victim.getparent() is not None:
            for _ in range(rng.choice((1, 1, 8, 9, 10, 98, 99))):
                victim.addnext(etree.fromstring(etree.tostring(victim, with_tail=False)))

    def _swap(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = self._below(made, rng)
        before = victim.getprevious()
        if before is not None:
            victim.addnext(before)

    def _rename(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = self._below(made, rng)
        name = etree.QName(victim).localname
        victim.tag = rng.choice(
            (rng.choice(self._names), name.swapcase(), name + "x", f"{{{self._namespace}}}{name}", f"{{urn:other}}{name}")
        )

    def _insert(self, made: etree._Element, root: str, rng: random.Random) -> None:
        """An element that the message knows, with content right for it, where it need not belong."""
        victim = self._below(made, rng)
        name = rng.choice(sorted(self._kinds[root]))
        new = etree.Element(name)
        self.content(new, rng.choice(self._kinds[root][name]), rng, 0.2, [20])
        if victim.getparent() is not None and rng.random() < 0.7:
            victim.addnext(new)
        else:
            victim.insert(0, new)

    def _replace_content(self, made: etree._Element, root: str, rng: random.Random) -> None:
        """The content another element of this name has elsewhere in the message: tells apart types that look alike."""
        victim = self._below(made, rng)
        kinds = self._kinds[root].get(victim.tag)
        if kinds and victim.getparent() is not None:
            new = etree.Element(victim.tag)
            self.content(new, rng.choice(kinds), rng, rng.choice((0.2, 1.0)), [50])
            victim.getparent().replace(victim, new)

    def _value(self, made: etree._Element, root: str, rng: random.Random) -> None:
        leaves = [leaf for leaf in made.iterdescendants("*") if not len(leaf) and leaf.tag in self._kinds[root]]
        if leaves:
            leaf = rng.choice(leaves)
            kinds = [kind for kind in self._kinds[root][leaf.tag] if isinstance(kind, SimpleType)]
            if kinds:
                text = xsd_values.broken(rng.choice(kinds), leaf.text or "", rng)
                leaf.text = "".join(char for char in text if char >= " " or char in "\t\n\r")

    def _attribute(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = rng.choice((made, self._below(made, rng)))
        name = rng.choice(
            ("PhaseID", "phaseID", "x", "{urn:other}x", "{http://www.w3.org/XML/1998/namespace}lang", XSI + "nil", XSI + "schemaLocation")
        )
        values = (
            ("NCTS5.1", "true", "urn:a b.xsd")
            if name.startswith(XSI)
            else ("NCTS5.0", "NCTS5.1", " NCTS5.1", "NCTS5.1 ", "NCTS6", "", "pl")
        )
        victim.set(name, rng.choice(values))

    def _type(self, made: etree._Element, root: str, rng: random.Random) -> None:
        """xsi:type with a built-in name: the names of a schema's own types are no part of what is compared."""
        self._below(made, rng).set(XSI + "type", rng.choice(("xs:string", "string", "nothing", "")))

    def _mixed(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = rng.choice((made, self._below(made, rng)))
        if len(victim):
            victim[0].tail = rng.choice(("text", " \n ", "\u00a0"))
        else:
            victim.append(rng.choice((etree.Comment("c"), etree.ProcessingInstruction("p", "i"), etree.Element("description"))))

    def _empty(self, made: etree._Element, root: str, rng: random.Random) -> None:
        victim = self._below(made, rng)
        for child in list(victim):
            victim.remove(child)
        victim.text = rng.choice((None, "", " "))

    def _root(self, made: etree._Element, root: str, rng: random.Random) -> None:
        made.tag = rng.choice(
            (root, f"{{urn:other}}{root}", f"{{{self._namespace}}}{rng.choice(sorted(self._model.roots))}", made.tag + "x")
        )


CHANGES: tuple[Callable[[Instances, etree._Element, str, random.Random], None], ...] = (
    *(Instances._drop, Instances._duplicate, Instances._swap, Instances._rename, Instances._insert, Instances._replace_content),
    *(Instances._value, Instances._value, Instances._value, Instances._value, Instances._value),
    *(Instances._attribute, Instances._type, Instances._mixed, Instances._empty, Instances._root),
)
