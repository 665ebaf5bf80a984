"""From the engine's path of an error to the element, and from the element to a path that people can follow."""

from __future__ import annotations

import re

from lxml.etree import _Element

STEP = re.compile(r"^(?P<name>[^\[\]]+)(?:\[(?P<number>\d+)\])?$")


def name_of(element: _Element) -> str:
    """The element's name as the document writes it, with its prefix."""
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


class Paths:
    """The paths of one tree. Looks at the children of an element once, however many errors they have."""

    def __init__(self, root: _Element) -> None:
        self._root = root
        self._children: dict[_Element, dict[str, list[_Element]]] = {}
        self._numbers: dict[_Element, int] = {}

    def find(self, path: str) -> _Element | None:
        """The element the engine means. Its steps name it as written (`p:Name[2]`), or `*[2]` under a default namespace."""
        steps = path.strip("/").split("/") if path else []
        if not steps:
            return None
        node = self._root
        for step in steps[1:]:
            match = STEP.match(step)
            if match is None:
                return None
            number = int(match["number"] or 1)
            children = node if match["name"] == "*" else self._named(node).get(match["name"], [])
            if number > len(children):
                return None
            node = children[number - 1]
        return node

    def path(self, node: _Element) -> str:
        """Names from the root on, by the document's own prefixes; a number where there are several of a name."""
        steps: list[str] = []
        while node is not self._root:
            parent = node.getparent()
            if parent is None:
                break
            same = self._named(parent)[name_of(node)]
            steps.append(name_of(node) + (f"[{self._numbers[node]}]" if len(same) > 1 else ""))
            node = parent
        return "/" + "/".join([name_of(self._root), *reversed(steps)])

    def _named(self, parent: _Element) -> dict[str, list[_Element]]:
        known = self._children.get(parent)
        if known is None:
            known = self._children[parent] = {}
            for child in parent.iterchildren("*"):
                same = known.setdefault(name_of(child), [])
                same.append(child)
                self._numbers[child] = len(same)
        return known
