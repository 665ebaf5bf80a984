"""Reading the envelope: Base64 in pieces, encodings, limits."""

from __future__ import annotations

import itertools
import os
import tracemalloc
from base64 import encodebytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.endpoints.soap import envelope as reader
from gateway.endpoints.soap.document import read_document
from gateway.endpoints.soap.envelope import Content, read_envelope
from gateway.errors import Rejected
from tests.soap_requests import DOCUMENT, Gate, Token, accept_body, addressing, b64, content, envelope, reason, security, told

MEGABYTE = 1024 * 1024


def decode(*pieces: str, limit: int = MEGABYTE) -> bytes:
    element = Content("content", {}, limit=limit)
    for piece in pieces:
        element.feed(piece)
    return element.decoded()


@given(st.binary(min_size=1, max_size=400), st.lists(st.integers(0, 600), max_size=6), st.integers(0, 600))
@settings(max_examples=200, deadline=None)
def test_base64_decodes_wherever_it_is_cut(data: bytes, cuts: list[int], white: int) -> None:
    text = b64(data)
    text = text[:white] + "\r\n\t " + text[white:]
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    assert decode(*(text[a:b] for a, b in itertools.pairwise(edges))) == data


@pytest.mark.parametrize(
    "pieces",
    [
        ("QUJ",),
        ("QUJDR",),
        ("QUJD%A==",),
        ("QQ==QUJD",),
        ("QQ==", "QUJD"),
        ("QQ==", "\n", "QUJD"),
        ("QQ=", "=QUJD"),
        ("QQ==", "QQ=="),
        ("=QUJ",),
        ("Q=Q=",),
        ("QUJD====",),
        ("QUJD", "===="),
        ("QU-_",),
        ("ąQUJD",),
        ("QUJD\xa0",),
        ("QUJD\x0b",),
    ],
)
def test_bad_base64_is_refused_however_it_is_cut(pieces: tuple[str, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        decode(*pieces)
    assert caught.value.code == "receive.base64"


@pytest.mark.parametrize("pieces", [(), ("",), (" \r\n",)])
def test_no_content(pieces: tuple[str, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        decode(*pieces)
    assert caught.value.code == "receive.no_content"


@pytest.mark.parametrize("cut", [4, 40, 400])
def test_content_limit_is_exact(cut: int) -> None:
    fits, over = b64(b"x" * 300), b64(b"x" * 301)
    assert decode(*(fits[i : i + cut] for i in range(0, 400, cut)), limit=300) == b"x" * 300
    with pytest.raises(Rejected) as caught:
        decode(*(over[i : i + cut] for i in range(0, 404, cut)), limit=300)
    assert caught.value.code == "receive.too_large"
    assert caught.value.context == {"size": 301, "limit": 300}


def test_over_the_limit_bad_padding_is_still_seen() -> None:
    with pytest.raises(Rejected) as caught:
        decode(b64(b"x" * 301), "QUJD", limit=300)
    assert caught.value.code == "receive.base64"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "iso-8859-2", "windows-1250", "us-ascii"])
@pytest.mark.parametrize("in_header", [True, False])
def test_encodings(encoding: str, in_header: bool) -> None:
    name = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{name}"?>' + envelope(accept_body(content(attributes='filename="ó.xml"'))).decode()
    body = text.encode(encoding, "xmlcharrefreplace")
    found = read_envelope(body, name if in_header else None, MEGABYTE)
    document = found.body[0].children[0].children[0]
    assert document.attributes["filename"] == "ó.xml"
    assert isinstance(document, Content)
    assert document.decoded() == DOCUMENT


@pytest.mark.parametrize(
    ("declared", "charset", "encode"),
    [
        ("utf-7", None, "utf-8"),
        ("cp037", None, "utf-8"),
        ("utf-32", None, "utf-32"),
        ("utf-8", None, "utf-32"),
        ("utf-8", None, "cp037"),
        ("shift_jis", None, "utf-8"),
        ("no-such-encoding", None, "utf-8"),
        ("utf-8", "utf-7", "utf-8"),
        ("utf-8", "base64", "utf-8"),
        ("utf-8", "us-ascii", "utf-8"),
        ("utf-8", "utf-8", "iso-8859-2"),
        ("utf-16", None, "utf-8"),
    ],
)
def test_encodings_that_lie_or_are_not_known(declared: str, charset: str | None, encode: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>' + envelope(accept_body(content(attributes='filename="ó.xml"'))).decode()
    with pytest.raises(Rejected) as caught:
        read_envelope(text.encode(encode), charset, MEGABYTE)
    assert caught.value.code == "receive.request"


def test_fifteen_megabytes_with_and_without_line_ends() -> None:
    data = os.urandom(15 * MEGABYTE)
    for text in (b64(data), encodebytes(data).decode(), encodebytes(data).decode().replace("\n", "&#13;\n")):
        gate = Gate()
        body = envelope(accept_body(content(text)))
        assert gate.post(body).status == 200
        assert gate.received[0].content == data
        del body


def test_one_byte_over_fifteen_megabytes() -> None:
    gate = Gate()
    reply = gate.post(envelope(accept_body(content(b"<" * (15 * MEGABYTE + 1)))))
    assert told(reply)[3] == "E003"
    assert "15728641" in reason(reply)[2]
    assert gate.untouched()


def huge(kind: str, size: int) -> bytes:
    inner = {
        "one text": "<x>" + "a" * size + "</x>",
        "attributes": "<x " + " ".join(f'a{i}="&gt;"' for i in range(size // 12)) + "/>",
        "one attribute": '<x a="' + "a" * size + '"/>',
        "namespaces": "<x " + " ".join(f'xmlns:a{i}="u:{i}"' for i in range(size // 20)) + "/>",
        "comment": "<!--" + "a" * size + "-->",
        "name": "<" + "a" * size + "/>",
        "elements": "<x/>" * (size // 4),
        "deep": "<x>" * (size // 3),
        "white space in Base64": content(" " * size),
        "Base64 over the limit": content("QUJD" * (size // 4)),
        "cut off content": '<content mime="other">' + "QUJD" * (size // 4),
    }[kind]
    return envelope(accept_body("BOMB")).replace(b"BOMB", inner.encode(), 1)


HUGE = {
    "one text": "receive.request",
    "attributes": "receive.request",
    "one attribute": "receive.request",
    "namespaces": "receive.request",
    "comment": "receive.request",
    "name": "receive.request",
    "elements": "receive.request",
    "deep": "receive.request",
    "cut off content": "receive.request",
    "white space in Base64": "receive.no_content",
    "Base64 over the limit": "receive.too_large",
}


@pytest.mark.parametrize("kind", HUGE)
def test_bombs_cost_bounded_memory(kind: str) -> None:
    body = huge(kind, 20 * MEGABYTE)
    limit = 2 * MEGABYTE
    tracemalloc.start()
    try:
        with pytest.raises(Rejected) as caught:
            read_document(read_envelope(body, None, limit).body[0], 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == HUGE[kind]
    assert peak < limit + 4 * MEGABYTE


def test_ten_thousand_headers() -> None:
    gate = Gate()
    many = "".join(f'<h:h{i} xmlns:h="urn:h"/>' for i in range(10_000))
    reply = gate.post(envelope(headers=many + addressing() + security(Token().xml())))
    assert told(reply)[0].endswith("Client")
    reply = gate.post(envelope(headers="<h/>" * (reader.MAX_HEADERS + 1) + addressing() + security(Token().xml())))
    assert "headers" in told(reply)[1]
    assert gate.untouched()
    spare = reader.MAX_HEADERS - 4
    assert gate.post(envelope(headers="<h/>" * spare + addressing() + security(Token().xml()))).status == 200
