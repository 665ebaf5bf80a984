"""The one hardened XML parser: nothing is expanded, fetched or guessed, and every cost has a limit.

Order matters: encoding, then DOCTYPE, then size are judged on the bytes, before libxml2 sees the document; what needs
a tree (depth, attributes, instructions, XInclude) is judged on the tree. Processing instructions outside the root are
ignored. Comments are dropped, because text readers stop at them while digests leave them out.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lxml import etree
from lxml.etree import _Element

from gateway.errors import Rejected
from gateway.security.syntax import in_polish

#: declared name (lower case) -> Python codec; UTF-16 needs a byte order mark and is handled apart
CODECS = {
    **dict.fromkeys(("utf-8", "utf8"), "utf-8"),
    **dict.fromkeys(("us-ascii", "ascii"), "ascii"),
    "iso-8859-2": "iso8859-2",
    **dict.fromkeys(("windows-1250", "cp1250"), "cp1250"),
}
XINCLUDE = "{http://www.w3.org/2001/XInclude}*"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"

_DECLARATION = re.compile(rb"<\?xml\s+version\s*=\s*[\"']([^\"'<]*)[\"'](?:\s+encoding\s*=\s*[\"']([^\"'<]*)[\"'])?")
_MISC = re.compile(rb"(?:[ \t\r\n]++|<\?(?>.*?\?>)|<!--(?>.*?-->))*+", re.DOTALL)  # possessive: no memory for going back
_NOT_ELEMENTS = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>|</", re.DOTALL)
_VERSION, _VERSION_PL = "only XML version 1.0 is taken", "przyjmujemy tylko XML w wersji 1.0"
#: libxml2 error numbers (xmlerror.h) that mean a built-in limit or the encoding, not the sender's syntax
_LIMIT_ERRORS = {110, 114, 116}
_ENCODING_ERRORS = {31, 32, 81}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost. Text and attribute values are counted in characters."""

    depth: int = 64
    elements: int = 500_000
    attributes: int = 64
    declarations: int = 32
    declarations_in_scope: int = 128
    text: int = 5 * 1024 * 1024


class HardenedParser:
    """Keeper of the `Parser` port. One libxml2 parser per thread; safe to share."""

    def __init__(self, limits: Limits | None = None, longer_texts: Mapping[str, int] = MappingProxyType({})) -> None:
        """`longer_texts`: root (Clark notation) -> the limit of one text, for documents whose profile allows more."""
        self._limits = limits or Limits()
        self._longer_texts = longer_texts
        self._local = threading.local()
        # Depth is needed for every document and costs a tenth of the parse; the others only run on suspicion.
        self._too_deep = etree.XPath("/*" * (self._limits.depth + 1))
        self._too_many_attributes = etree.XPath(f"boolean(/descendant::*/@*[{self._limits.attributes + 1}])")
        self._too_much_text = etree.XPath("boolean(//text()[string-length() > $limit] | //@*[string-length() > $limit])")

    def parse(self, content: bytes) -> _Element:
        """The root of the tree without comments. Raises Rejected(parse.*)."""
        encoding, scan = _decode(content)
        if scan.startswith(b"<!", _MISC.match(scan).end()):  # type: ignore[union-attr]  # matches empty, never None
            raise Rejected("parse.doctype")
        self._check_bytes(scan)
        root = self._build(content)
        _check_docinfo(root, encoding)
        self._check_tree(root, content, scan)
        if b"!" in scan and b"<!--" in scan:  # one letter is found much faster, and most documents have none
            _mark_comments_in_signatures(root, content)
        return root

    def _build(self, content: bytes) -> _Element:
        parser = getattr(self._local, "parser", None)
        if parser is None:
            parser = self._local.parser = _libxml2_parser(remove_comments=True)
        try:
            return etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            raise _rejection(error, self._limits) from None

    def _check_bytes(self, scan: bytes) -> None:
        """Elements are counted before the tree is built: five million empty ones would take 700 MB."""
        limit = self._limits.elements
        if len(scan) >= 4 * limit and scan.count(b"<") > limit:
            count = _NOT_ELEMENTS.sub(b"", scan).count(b"<")
            if count > limit:
                raise Rejected("parse.limit", what="elements", value=count, limit=limit)

    def _check_tree(self, root: _Element, content: bytes, scan: bytes) -> None:
        for node in root.iter(etree.PI, etree.Entity, XINCLUDE):
            if isinstance(node, etree._ProcessingInstruction):
                raise Rejected("parse.instruction", line=node.sourceline)
            raise Rejected("parse.doctype" if isinstance(node, etree._Entity) else "parse.inclusion", line=node.sourceline)
        limits = self._limits
        if self._too_deep(root):
            raise Rejected("parse.limit", what="depth of elements", value=f"> {limits.depth}", limit=limits.depth)
        # An attribute or a declaration needs an equals sign: most documents have too few to look further.
        if scan.count(b"=") > min(limits.attributes, limits.declarations):
            self._check_attributes(root, content, scan)
        if len(scan) > limits.text:
            limit = self._longer_texts.get(root.tag, limits.text)
            if self._too_much_text(root, limit=limit):
                raise Rejected("parse.limit", what="characters of one text", value=f"> {limit}", limit=limit)

    def _check_attributes(self, root: _Element, content: bytes, scan: bytes) -> None:
        limits = self._limits
        if self._too_many_attributes(root):
            raise Rejected("parse.limit", what="attributes of one element", value=f"> {limits.attributes}", limit=limits.attributes)
        if scan.count(b"xmlns") > min(limits.declarations, limits.declarations_in_scope):
            counter = _DeclarationCounter(limits)
            parser = _libxml2_parser(remove_comments=True, target=counter)
            etree.fromstring(content, parser)
            counter.judge()


def parse(content: bytes) -> _Element:
    """Parse one document with a parser of its own. Raises Rejected(parse.*). Doors keep a `HardenedParser` instead."""
    return HardenedParser().parse(content)


class _DeclarationCounter:
    """A parser target that counts namespace declarations per element and in scope, without building a tree."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pending = self._in_scope = self.most = self.most_in_scope = 0

    def start_ns(self, prefix: str, uri: str) -> None:
        self._pending += 1
        self._in_scope += 1
        self.most = max(self.most, self._pending)
        self.most_in_scope = max(self.most_in_scope, self._in_scope)

    def start(self, tag: str, attributes: object) -> None:
        self._pending = 0

    def end(self, tag: str) -> None:
        return

    def end_ns(self, prefix: str) -> None:
        self._in_scope -= 1

    def close(self) -> None:
        return

    def judge(self) -> None:
        for what, value, limit in (
            ("namespace declarations of one element", self.most, self._limits.declarations),
            ("namespace declarations in scope", self.most_in_scope, self._limits.declarations_in_scope),
        ):
            if value > limit:
                raise Rejected("parse.limit", what=what, value=value, limit=limit)


def _libxml2_parser(remove_comments: bool, target: object = None) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        strip_cdata=True,
        collect_ids=False,
        remove_comments=remove_comments,
        remove_pis=False,
        target=target,  # type: ignore[arg-type]
    )


def _decode(content: bytes) -> tuple[str | None, bytes]:
    """The declared encoding (lower case, None when nothing is declared) and the document in an ASCII-compatible form.

    Raises Rejected(parse.encoding) for what is not on the list, lies about itself, or has bytes that are not of it.
    """
    if content.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        raise Rejected("parse.encoding", encoding="UTF-32")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        scan = _strict(content, "utf-16", "UTF-16").encode()
        return _declared(scan, {"utf-16": "utf-16"}, "utf-16"), scan
    if b"\x00" in content[:2]:
        raise Rejected("parse.encoding", encoding="UTF-16/UTF-32 without byte order mark")
    if content.startswith(b"\x4c\x6f\xa7\x94"):
        raise Rejected("parse.encoding", encoding="EBCDIC")
    if content.startswith(b"\xef\xbb\xbf"):
        _strict(content, "utf-8", "UTF-8")
        return _declared(content[3:], {"utf-8": "utf-8"}, "utf-8"), content[3:]
    declared = _declared(content, CODECS, "utf-8")
    if not content.isascii() and declared != "iso-8859-2":
        _strict(content, CODECS[declared or "utf-8"], declared or "UTF-8")
    return declared, content


def _declared(scan: bytes, allowed: dict[str, str], default: str) -> str | None:
    match = _DECLARATION.match(scan)
    if match is None:
        return None
    if match[1] != b"1.0":
        raise Rejected("parse.malformed", line=1, column=match.start(1) + 1, detail=_VERSION, detail_pl=_VERSION_PL)
    if match[2] is None:
        return None
    name = match[2].decode("ascii", "replace")
    if name.lower() not in allowed:
        raise Rejected("parse.encoding", encoding=name)
    return name.lower()


def _strict(content: bytes, codec: str, name: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise Rejected("parse.encoding", encoding=f"{name} (byte {error.start + 1})") from None


def _check_docinfo(root: _Element, encoding: str | None) -> None:
    """What libxml2 understood must be what was judged on the bytes."""
    info = root.getroottree().docinfo
    if info.doctype:  # type: ignore[attr-defined]  # missing in the stubs
        raise Rejected("parse.doctype")
    if info.xml_version != "1.0":
        raise Rejected("parse.malformed", line=1, column=1, detail=_VERSION, detail_pl=_VERSION_PL)
    understood = str(info.encoding or "utf-8").lower()
    if understood != (encoding or understood) or (encoding is None and understood not in ("utf-8", "utf-16", "utf-16le", "utf-16be")):
        raise Rejected("parse.encoding", encoding=understood)


def _mark_comments_in_signatures(root: _Element, content: bytes) -> None:
    """Leave one comment in every SignedInfo or SignatureValue that had any: `signatures` refuses such a signature.

    Digests leave comments out, so a comment there changes nothing but hides how other software reads the value.
    """
    find: Callable[..., list[_Element]] = etree.XPath(  # type: ignore[assignment]
        "//ds:Signature//*[self::ds:SignedInfo or self::ds:SignatureValue]", namespaces={"ds": SIGNATURE[1:].partition("}")[0]}
    )
    parts = find(root)
    if parts:
        commented = etree.fromstring(content, _libxml2_parser(remove_comments=False))
        for part, original in zip(parts, find(commented), strict=True):
            if next(original.iter(etree.Comment), None) is not None:
                part.append(etree.Comment("removed"))


def _rejection(error: etree.XMLSyntaxError, limits: Limits) -> Rejected:
    line, column = error.position
    number: int = getattr(error, "code", 0)
    if number in _LIMIT_ERRORS:
        depth = "depth" in (error.msg or "")
        what, limit = ("depth of elements", limits.depth) if depth else ("length of a name, text or attribute", limits.text)
        return Rejected("parse.limit", what=what, value=f"line {line}, column {column}", limit=limit)
    if number in _ENCODING_ERRORS:
        return Rejected("parse.encoding", encoding=f"line {line}, column {column}")
    detail = re.sub(r", line \d+, column \d+$", "", (error.msg or "syntax error").replace("\n", " ").strip())
    return Rejected("parse.malformed", line=line, column=column, detail=detail, detail_pl=in_polish(number, detail))
