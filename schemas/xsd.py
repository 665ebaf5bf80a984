"""One schema file: read it safely, find what it declares and refers to, and make the text that the engine compiles."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit

from lxml import etree
from lxml.etree import _Element

from schemas import wellknown
from schemas.archive import refused
from schemas.patterns import PatternError

XS = "{http://www.w3.org/2001/XMLSchema}"
VC = "{http://www.w3.org/2007/XMLSchema-versioning}"
COMPONENTS = {XS + name for name in ("element", "attribute", "complexType", "simpleType", "group", "attributeGroup", "notation")}
INCLUDES = {XS + "include", XS + "redefine", XS + "override"}
MAX_DEPTH = 200

Kind = Literal["include", "import"]


def line_of(element: _Element) -> int:
    """The line of an element's start tag, 0 if it was not parsed from a text."""
    line: int | None = cast(Any, element).sourceline  # the type stubs give it no type
    return line or 0


@dataclass(frozen=True, slots=True)
class Reference:
    """An include or import: of which namespace, which file of the package (None: a well-known namespace, or none given)."""

    kind: Kind
    namespace: str
    target: str | None
    line: int


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A parsed schema file. `namespace` is its targetNamespace, empty without one."""

    path: str
    root: _Element
    namespace: str
    references: tuple[Reference, ...]
    components: tuple[tuple[str, str, int], ...]  # kind, name and line of every top-level declaration


def is_well_known(content: bytes) -> bool:
    """Whether a file that we will not parse (it has a DOCTYPE) declares a namespace whose schema we ship."""
    return any(b"targetNamespace=" + quote + name.encode() + quote in content for name in wellknown.FILES for quote in (b'"', b"'"))


def read(path: str, content: bytes) -> SchemaFile:
    """Parse one file. Raises Failed(schemas.package) naming the file and the line."""
    root = _parse(path, content)
    if root.tag != XS + "schema":
        raise refused(path, f"the root is {etree.QName(root).localname}, not a schema of {XS[1:-1]}", line_of(root))
    _keep_version(root)
    _without_itself(path, root)
    namespace = root.get("targetNamespace") or ""
    return SchemaFile(path, root, namespace, tuple(_references(path, root, namespace)), tuple(_components(root)))


def _components(root: _Element) -> Iterator[tuple[str, str, int]]:
    for child in root:
        name = child.get("name")
        if child.tag in COMPONENTS and name:
            kind = str(child.tag).removeprefix(XS)
            # simple and complex types share one space of names (XSD part 1, 2.2.1)
            yield ("type" if kind.endswith("Type") else kind), name, line_of(child)


def _parse(path: str, content: bytes) -> _Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise refused(path, f"not well-formed XML: {error.msg}", error.lineno or 0) from error
    except ValueError as error:  # an encoding that the library does not know
        raise refused(path, f"not readable: {error}") from error
    if cast(Any, root.getroottree().docinfo).doctype:
        raise refused(path, "it has a DOCTYPE, which is not allowed; remove it", 1)
    return root


def _keep_version(root: _Element) -> None:
    """Conditional inclusion as an XSD 1.1 processor does it (part 1, 4.2.2); libxml2 itself ignores vc: attributes.

    On the root it is not applied: the EU's phase 5 files say minVersion 1.1 there and mean to be kept.
    """
    for element in list(root.iter(etree.Element)):
        low, high = element.get(VC + "minVersion"), element.get(VC + "maxVersion")
        parent = element.getparent()
        if parent is not None and ((low and _number(low) > 1.1) or (high and _number(high) <= 1.1)):
            parent.remove(element)


def _without_itself(path: str, root: _Element) -> None:
    """Take out includes of the file itself: they add nothing, and libxml2 refuses them though a ring of two is well."""
    for child in root.findall(XS + "include"):
        location = (child.get("schemaLocation") or "").strip()
        if location and resolve(path, location, line_of(child)) == path:
            root.remove(child)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.1


def _references(path: str, root: _Element, namespace: str) -> Iterator[Reference]:
    for child in root:
        line = line_of(child)
        location = (child.get("schemaLocation") or "").strip()
        if child.tag in INCLUDES:
            if not location:
                raise refused(path, "include without a schemaLocation", line)
            yield Reference("include", namespace, resolve(path, location, line), line)
        elif child.tag == XS + "import":
            wanted = child.get("namespace") or ""
            if wanted in wellknown.FILES or not location:
                yield Reference("import", wanted, None, line)
            else:
                yield Reference("import", wanted, resolve(path, location, line), line)


def resolve(path: str, location: str, line: int) -> str:
    """The path inside the package that `location`, written in the file `path`, means. Raises Failed(schemas.package)."""
    parts = urlsplit(location)
    if parts.scheme or parts.netloc:
        raise refused(
            path,
            f"'{location}' lies outside the package, nothing is fetched, and Brama ships no schema of that namespace; add the file",
            line,
        )
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
    if parts.path.startswith("/") or "\\" in parts.path or "\0" in target or target == ".." or target.startswith(("../", "/")):
        raise refused(path, f"'{location}' leads out of the package", line)
    return target


def text_for_engine(
    file: SchemaFile, included: Callable[[str], str], imported: Callable[[str], str], rewrite: Callable[[str], str]
) -> bytes:
    """The file as the engine gets it: addresses are ours, patterns are rewritten, annotations (half of the memory) are gone.

    `included(path)` and `imported(namespace)` give our addresses; an empty one means that there is nothing to load.
    """
    root = _copy(file.root)
    for published, element in zip(file.root.iter(XS + "pattern"), root.iter(XS + "pattern"), strict=True):
        try:
            element.set("value", rewrite(element.get("value") or ""))
        except PatternError as error:
            raise refused(file.path, str(error), line_of(published)) from error
    for element in list(root.iter(XS + "annotation")):
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    for element in root:
        if element.tag in INCLUDES:
            location = (element.get("schemaLocation") or "").strip()
            element.set("schemaLocation", included(resolve(file.path, location, 0)))
        elif element.tag == XS + "import":
            ours = imported(element.get("namespace") or "")
            if ours:
                element.set("schemaLocation", ours)
            elif "schemaLocation" in element.attrib:
                del element.attrib["schemaLocation"]
    return etree.tostring(root, encoding="UTF-8")


def _copy(root: _Element) -> _Element:
    copied: _Element = etree.fromstring(etree.tostring(root))
    return copied


def original_line(file: SchemaFile, sent: bytes, line: int) -> int:
    """The line of the published file for a line of the text that the engine got (annotations and line breaks moved)."""
    theirs = etree.fromstring(sent).iter(etree.Element)
    ours = (element for element in file.root.iter(etree.Element) if not _annotated(element))
    for mine, their in zip(ours, theirs, strict=False):
        if line_of(their) >= line:
            return line_of(mine)
    return 0


def _annotated(element: _Element) -> bool:
    return element.tag == XS + "annotation" or any(True for _ in element.iterancestors(XS + "annotation"))
