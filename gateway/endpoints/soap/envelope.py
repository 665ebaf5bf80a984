"""Reading a SOAP 1.1 envelope of any size allowed, in one pass and bounded memory.

The reader is expat and not lxml because a document of 15 MB stands in one text node, which libxml2 refuses beyond
10 MB unless all its limits are lifted. expat hands the text over in pieces, and `Content` decodes them as they come.
A DOCTYPE, a processing instruction (SOAP 1.1, section 3) and anything over the limits below are refused.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from xml.parsers import expat

from gateway.endpoints.soap.contract import CHANNEL
from gateway.errors import Rejected

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
ADDRESSING_2005 = "http://www.w3.org/2005/08/addressing"
ADDRESSING_2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"

MAX_ELEMENTS = 2_000
MAX_DEPTH = 32
MAX_HEADERS = 64
MAX_ATTRIBUTES = 64
MAX_TEXT = 64 * 1024  # characters of any element but a document's content
PIECE = 64 * 1024  # bytes given to expat at a time
MAX_TOKEN = 4 * PIECE  # bytes expat may hold back waiting for the end of one tag or comment

ENCODINGS = frozenset({"utf-8", "utf8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "iso-8859-2", "windows-1250"})
_WHITE = b" \t\r\n"
_NOT_BASE64 = ("it has characters outside the alphabet, or padding inside", "są w niej znaki spoza alfabetu albo znak = w środku")
_AFTER_PADDING = ("there is something after its end", "coś następuje po jej końcu")


def qualified(namespace: str, name: str) -> str:
    """The way expat writes a name in a namespace."""
    return f"{namespace} {name}"


CONTENT = qualified(CHANNEL, "content")


class Element:
    """An element as read. `name` and the attributes' names are `namespace local`, or `local` alone."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self.attributes, self.text = name, attributes, ""
        self.children: list[Element] = []

    def feed(self, text: str) -> None:
        """More character data. Raises Rejected(receive.request) beyond MAX_TEXT."""
        self.text += text
        if len(self.text) > MAX_TEXT:
            raise unreadable(
                f"the text of element {self.local} is over {MAX_TEXT} characters", f"tekst elementu {self.local} ma ponad {MAX_TEXT} znaków"
            )

    @property
    def local(self) -> str:
        return self.name.rpartition(" ")[2]

    def all(self, name: str) -> list[Element]:
        """The children called `name`."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Element | None:
        for child in self.children:
            if child.name == name:
                return child
        return None


class Content(Element):
    """A document's content: Base64 decoded while it is read, never more than `limit` bytes of it kept.

    What is wrong with it is kept in `defect` (English, Polish) and told by `decoded` only, after the sender has been proven.
    """

    __slots__ = ("_pieces", "_rest", "defect", "limit", "size")

    def __init__(self, name: str, attributes: dict[str, str], limit: int) -> None:
        super().__init__(name, attributes)
        self.limit, self.size = limit, 0
        self.defect: tuple[str, str] | None = None
        self._pieces: list[bytes] = []
        self._rest = b""

    def feed(self, text: str) -> None:
        if self.defect:
            return
        if not text.isascii():
            self.defect = _NOT_BASE64
            return
        raw = text.encode("ascii").replace(b"\n", b"")
        if b" " in raw or b"\t" in raw or b"\r" in raw:
            raw = raw.translate(None, _WHITE)
        if not raw:
            return
        if self._rest:
            raw = self._rest + raw
        whole = len(raw) & ~3
        if whole != len(raw):
            self._rest = raw[whole:]
            raw = raw[:whole]
        else:
            self._rest = b""
        self._decode(raw)

    def _decode(self, raw: bytes) -> None:
        if not raw:
            return
        if self._pieces and len(self._pieces[-1]) % 3:  # only padding gives a piece that is no multiple of three
            self.defect = _AFTER_PADDING
            return
        try:
            piece = binascii.a2b_base64(raw, strict_mode=True)
        except binascii.Error:
            self.defect = _NOT_BASE64
            return
        padding = 2 if raw.endswith(b"==") else int(raw.endswith(b"="))
        if len(piece) != len(raw) // 4 * 3 - padding:  # strict_mode lets whole groups of padding through
            self.defect = _AFTER_PADDING
            return
        self.size += len(piece)
        if self.size <= self.limit:
            self._pieces.append(piece)
        else:
            self._pieces = [piece[: len(piece) % 3]]  # counted on, no longer kept

    def decoded(self) -> bytes:
        """The bytes. Raises Rejected(receive.base64 | receive.too_large | receive.no_content)."""
        if self.children:
            self.defect = (f"it has an element {self.children[0].local} inside", f"jest w niej element {self.children[0].local}")
        elif not self.defect and self._rest:
            self.defect = ("it is cut off", "jest ucięta")
        if self.defect:
            raise Rejected("receive.base64", detail=self.defect[0], detail_pl=self.defect[1])
        if self.size > self.limit:
            raise Rejected("receive.too_large", size=self.size, limit=self.limit)
        if not self.size:
            raise Rejected("receive.no_content")
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The headers meant for us, and what stands in the body."""

    headers: tuple[Element, ...]
    body: tuple[Element, ...]


def _collect(parser: expat.XMLParserType, max_content: int) -> Element:
    """Let `parser` build a tree of what it reads: the element returned gets the envelope as its child.

    Functions with their state in locals, not methods: they run for every element of every call.
    """
    top = Element("", {})
    opened: list[Element] = [top]
    left = MAX_ELEMENTS

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal left
        if left == MAX_ELEMENTS:
            _check_root(name)
        left -= 1
        if left < 0 or len(opened) > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise unreadable(
                f"over {MAX_ELEMENTS} elements, {MAX_DEPTH} levels or {MAX_ATTRIBUTES} attributes",
                f"ponad {MAX_ELEMENTS} elementów, {MAX_DEPTH} poziomów albo {MAX_ATTRIBUTES} atrybutów",
            )
        element = Content(name, attributes, max_content) if name == CONTENT else Element(name, attributes)
        opened[-1].children.append(element)
        opened.append(element)

    def end(_name: str) -> None:
        opened.pop()

    def text(text: str) -> None:
        opened[-1].feed(text)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    return top


def read_envelope(body: bytes, charset: str | None, max_content: int) -> Envelope:
    """The envelope in `body`. `charset` is the one of the HTTP header and comes before the XML declaration (RFC 7303).

    Raises Rejected(receive.request | receive.soap_version | receive.must_understand).
    """
    if charset is not None and charset.lower() not in ENCODINGS:
        raise unreadable(
            f"charset {charset[:40]} is not supported, use utf-8", f"kodowanie {charset[:40]} nie jest obsługiwane, użyj utf-8"
        )
    parser = expat.ParserCreate(charset, " ")
    parser.buffer_text = True
    parser.buffer_size = PIECE
    top = _collect(parser, max_content)
    parser.XmlDeclHandler = _declaration
    parser.StartDoctypeDeclHandler = _doctype
    parser.ProcessingInstructionHandler = _instruction
    try:
        _feed(parser, body)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code) or "not XML"
        raise unreadable(
            f"line {error.lineno}, column {error.offset + 1}: {reason}", f"wiersz {error.lineno}, kolumna {error.offset + 1}: {reason}"
        ) from None
    except (ValueError, LookupError):  # an encoding that expat cannot map byte by byte
        raise unreadable("its encoding is not supported, use utf-8", "jego kodowanie nie jest obsługiwane, użyj utf-8") from None
    return _envelope(top.children[0])


def _feed(parser: expat.XMLParserType, body: bytes) -> None:
    if len(body) <= PIECE:
        parser.Parse(body, True)
        return
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        parser.Parse(view[start : start + PIECE], False)
        # A tag of 40 MB would become millions of attributes at once: refuse what expat still holds back.
        if start + PIECE - max(parser.CurrentByteIndex, 0) > MAX_TOKEN:
            raise unreadable(f"one tag or comment is over {MAX_TOKEN} bytes", f"jeden znacznik lub komentarz ma ponad {MAX_TOKEN} bajtów")
    parser.Parse(b"", True)


def _envelope(root: Element) -> Envelope:
    header: Element | None = None
    parts = root.children
    if parts and parts[0].name == qualified(SOAP, "Header"):
        header, parts = parts[0], parts[1:]
    if len(parts) != 1 or parts[0].name != qualified(SOAP, "Body"):
        raise unreadable("an envelope has at most one Header and then one Body", "koperta ma najwyżej jeden Header, a po nim jeden Body")
    headers = header.children if header else []
    if len(headers) > MAX_HEADERS:
        raise unreadable(
            f"there are {len(headers)} headers, {MAX_HEADERS} are allowed", f"nagłówków jest {len(headers)}, dozwolone: {MAX_HEADERS}"
        )
    ours = tuple(element for element in headers if _meant_for_us(element))
    for element in ours:
        _check_understood(element)
    return Envelope(ours, tuple(parts[0].children))


_ACTOR = qualified(SOAP, "actor")
_MUST_UNDERSTAND = qualified(SOAP, "mustUnderstand")
_UNDERSTOOD = (ADDRESSING_2005, ADDRESSING_2004)


def _meant_for_us(header: Element) -> bool:
    """SOAP 1.1, section 4.2.2: a header with another actor is none of our business."""
    return header.attributes.get(_ACTOR, "").strip() in ("", "http://schemas.xmlsoap.org/soap/actor/next")


def _check_understood(header: Element) -> None:
    """SOAP 1.1, section 4.2.3."""
    if header.attributes.get(_MUST_UNDERSTAND, "0").strip() in ("0", "false"):
        return
    namespace, _, local = header.name.rpartition(" ")
    if namespace not in _UNDERSTOOD and header.name != qualified(WSSE, "Security"):
        raise Rejected("receive.must_understand", header=local)


def _check_root(name: str) -> None:
    if name == qualified(SOAP, "Envelope"):
        return
    local = name.rpartition(" ")[2]
    if local == "Envelope":
        raise Rejected("receive.soap_version")
    raise unreadable(f"its root is {local[:60]}, not a SOAP envelope", f"jego elementem głównym jest {local[:60]}, a nie koperta SOAP")


def _declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if version != "1.0":
        raise unreadable("it is not XML 1.0", "to nie jest XML 1.0")
    if encoding is not None and encoding.lower() not in ENCODINGS:
        raise unreadable(
            f"encoding {encoding[:40]} is not supported, use utf-8", f"kodowanie {encoding[:40]} nie jest obsługiwane, użyj utf-8"
        )


def _doctype(*_ignored: object) -> None:
    raise unreadable("it has a DOCTYPE, which SOAP does not allow", "ma DOCTYPE, czego SOAP nie dopuszcza")


def _instruction(*_ignored: object) -> None:
    raise unreadable("it has a processing instruction, which SOAP does not allow", "ma instrukcję przetwarzania, czego SOAP nie dopuszcza")


def unreadable(english: str, polish: str) -> Rejected:
    """The request is not what the contract says; the words tell why."""
    return Rejected("receive.request", detail=english, detail_pl=polish)
