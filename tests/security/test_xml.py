"""Family D and the attacks X1-X10: what the one parser refuses before anybody looks at a signature."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import Rejected
from gateway.security.xml import HardenedParser, Limits, parse
from tests.security.documents import code, inner_signed, root_signed


def verdict(content: bytes) -> str:
    try:
        parse(content)
    except Rejected as refusal:
        return refusal.code
    return "ok"


def _doctype(subset: str) -> Callable[[], bytes]:
    return lambda: root_signed().replace(b"<e:Envelope", f"<!DOCTYPE Envelope {subset}><e:Envelope".encode(), 1)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
DOCTYPES = {
    "empty": "",
    "internal entity": '[<!ENTITY x "y">]',
    "default Id": '[<!ATTLIST Declaration Id CDATA "d1">]',
    "default attribute": '[<!ATTLIST d:Goods kind CDATA "b">]',
    "default namespace": '[<!ATTLIST Amend xmlns CDATA "urn:x">]',
    "ID type": "[<!ATTLIST d:LRN key ID #IMPLIED>]",
    "external DTD": 'SYSTEM "http://127.0.0.1:9/x.dtd"',
    "public DTD": 'PUBLIC "-//x" "http://127.0.0.1:9/x.dtd"',
    "external entity": '[<!ENTITY x SYSTEM "file:///etc/hostname">]',
    "parameter entity": '[<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]',
    "billion laughs": f"[{LAUGHS}]",
    "quadratic": f'[<!ENTITY a "{"a" * 50_000}">]',
}


@pytest.mark.parametrize("name", DOCTYPES)
def test_any_doctype_is_refused_unread(name: str) -> None:
    assert verdict(_doctype(DOCTYPES[name])()) == "parse.doctype"


def test_a_doctype_hides_nowhere() -> None:
    assert verdict(b"<!-- <a> --><?p <!-- ?>\n<!DOCTYPE a><a/>") == "parse.doctype"
    assert verdict("<!DOCTYPE a><a/>".encode("utf-16")) == "parse.doctype"
    assert verdict(b"\xef\xbb\xbf<!DOCTYPE a><a/>") == "parse.doctype"
    assert verdict(b"<a/><!DOCTYPE a>") == "parse.malformed"
    assert verdict(b"<a><!DOCTYPE a></a>") == "parse.malformed"
    assert verdict(b"<a><![CDATA[<!DOCTYPE a><?p?>]]></a>") == "ok"
    assert verdict(b"<!-- <!DOCTYPE a> --><a/>") == "ok"


def test_bombs_cost_nothing() -> None:
    bomb = f"<!DOCTYPE a [{LAUGHS}]><a>&l11;</a>".encode()
    start = time.process_time()
    for _ in range(100):
        assert verdict(bomb) == "parse.doctype"
    assert time.process_time() - start < 0.5


ENCODINGS: dict[str, tuple[bytes, str]] = {
    "UTF-16 without mark, little": ("<a/>".encode("utf-16-le"), "parse.encoding"),
    "UTF-16 without mark, big": ("<a/>".encode("utf-16-be"), "parse.encoding"),
    "UTF-32": ("<a/>".encode("utf-32"), "parse.encoding"),
    "UTF-32 without mark": ("<a/>".encode("utf-32-be"), "parse.encoding"),
    "EBCDIC": ('<?xml version="1.0"?><a/>'.encode("cp500"), "parse.encoding"),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?><a>+AGE-</a>', "parse.encoding"),
    "Shift_JIS": (b'<?xml version="1.0" encoding="Shift_JIS"?><a/>', "parse.encoding"),
    "says UTF-8, is UTF-16": ('<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"), "parse.encoding"),
    "says UTF-16, is UTF-8": (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "parse.encoding"),
    "mark of UTF-8, says ISO-8859-2": (b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-2"?><a/>', "parse.encoding"),
    "ISO-8859-2 as UTF-8": ("<a>\u017c</a>".encode("iso-8859-2"), "parse.encoding"),
    "letters in US-ASCII": ('<?xml version="1.0" encoding="US-ASCII"?><a>\u017c</a>'.encode(), "parse.encoding"),
    "overlong UTF-8": (b"<a>\xc0\xbc</a>", "parse.encoding"),
    "surrogate in UTF-8": (b"<a>\xed\xa0\x80</a>", "parse.encoding"),
    "lone surrogate in UTF-16": (b"\xff\xfe" + b"<\0a\0>\0" + b"\x00\xd8" + b"<\0/\0a\0>\0", "parse.encoding"),
    "two marks": (b"\xef\xbb\xbf\xef\xbb\xbf<a/>", "parse.malformed"),
    "NUL": (b"<a>\0</a>", "parse.malformed"),
    "control character": (b"<a>\x01</a>", "parse.malformed"),
    "reference to a control character": (b"<a>&#1;</a>", "parse.malformed"),
    "non-character": ("<a>\ufffe</a>".encode(), "parse.malformed"),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', "parse.malformed"),
    "two roots": (b"<a/><b/>", "parse.malformed"),
    "text behind": (b"<a/>text", "parse.malformed"),
    "nothing": (b"", "parse.malformed"),
    "no XML": (b"UNB+UNOC:3+A+B'", "parse.malformed"),
    "JSON": (b'{"a": 1}', "parse.malformed"),
    "two colons": (b"<x::Root/>", "parse.malformed"),
    "colon first": (b'<a :attr="1"/>', "parse.malformed"),
    "unbound prefix": (b"<x:a/>", "parse.malformed"),
    "attribute twice": (b'<a b="1" b="2"/>', "parse.malformed"),
    "attribute twice by namespace": (b'<a xmlns:x="u" xmlns:y="u" x:b="1" y:b="2"/>', "parse.malformed"),
    "undefined entity": (b"<a>&nbsp;</a>", "parse.malformed"),
    "instruction inside": (b"<a><?php x?></a>", "parse.instruction"),
    "XInclude": (b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="file:///etc/hostname"/></a>', "parse.inclusion"),
    "XInclude in disguise": (b'<a xmlns:i="http://www.w3.org/2001/&#88;Include"><i:include href="x"/></a>', "parse.inclusion"),
    "XInclude as root": (b'<include xmlns="http://www.w3.org/2001/XInclude" href="x"/>', "parse.inclusion"),
    "instruction outside": (b"<?xml-stylesheet href='http://127.0.0.1:9/'?><a/><?x?>", "ok"),
    "schemaLocation": (
        b'<a xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:noNamespaceSchemaLocation="http://127.0.0.1:9/"/>',
        "ok",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_taken_and_what_refused(name: str) -> None:
    content, expected = ENCODINGS[name]
    assert verdict(content) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-2", "windows-1250", "us-ascii"])
def test_letters_survive_every_accepted_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a>Zażółć gęślą jaźń</a>'
    assert parse(text.encode(encoding, "xmlcharrefreplace")).text == "Zażółć gęślą jaźń"


def _nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def _attributes(count: int) -> bytes:
    return b"<r><a " + b" ".join(b'b%d="1"' % n for n in range(count)) + b"/></r>"


def _declarations(count: int, element: int = 0) -> bytes:
    return b" ".join(b'xmlns:n%d.%d="urn:%d"' % (element, n, n) for n in range(count))


def _in_scope(*counts: int) -> bytes:
    opening = b"".join(b"<a%d %s>" % (n, _declarations(count, n)) for n, count in enumerate(counts))
    return opening + b"".join(b"</a%d>" % n for n in reversed(range(len(counts))))


LIMITS: dict[str, tuple[bytes, str]] = {
    "depth 64": (_nested(64), "ok"),
    "depth 65": (_nested(65), "parse.limit"),
    "depth 10,000": (_nested(10_000), "parse.limit"),
    "64 attributes": (_attributes(64), "ok"),
    "65 attributes": (_attributes(65), "parse.limit"),
    "100,000 attributes": (_attributes(100_000), "parse.limit"),
    "32 declarations": (_in_scope(32), "ok"),
    "33 declarations": (_in_scope(33), "parse.limit"),
    "128 in scope": (_in_scope(32, 32, 32, 32), "ok"),
    "129 in scope": (_in_scope(32, 32, 32, 32, 1), "parse.limit"),
    "many, never more than one in scope": (b"<r>" + b'<a xmlns:x="u"/>' * 1000 + b"</r>", "ok"),
    "50,000 declarations": (_in_scope(50_000), "parse.limit"),
    "500,000 elements": (b"<a>" + b"<b/>" * 499_999 + b"</a>", "ok"),
    "500,001 elements": (b"<a>" + b"<b/>" * 500_000 + b"</a>", "parse.limit"),
    "angle brackets that are no elements": (b"<a><![CDATA[" + b"<b/>" * 500_001 + b"]]></a>", "ok"),
    "text of 5 MiB": (b"<a>" + b"x" * (5 << 20) + b"</a>", "ok"),
    "text beyond 5 MiB": (b"<a>" + b"x" * ((5 << 20) + 1) + b"</a>", "parse.limit"),
    "attribute beyond 5 MiB": (b"<a b='" + b"x" * ((5 << 20) + 1) + b"'/>", "parse.limit"),
    "text of 30 MB": (b"<a>" + b"x" * 30_000_000 + b"</a>", "parse.limit"),
    "name of 1 MB": (b"<" + b"n" * 1_000_000 + b"/>", "parse.limit"),
    "ordinary letters in names with many declarations": (("<żółć>" + '<a xmlns:x="u"/>' * 40 + "</żółć>").encode(), "ok"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_at_the_edge(name: str) -> None:
    content, expected = LIMITS[name]
    start = time.process_time()
    assert verdict(content) == expected
    assert time.process_time() - start < 5


def test_limits_can_be_set() -> None:
    parser = HardenedParser(Limits(depth=2, text=3))
    assert parser.parse(b"<a><b>xyz</b></a>")[0].text == "xyz"
    for content in (b"<a><b><c/></b></a>", b"<a>wxyz</a>"):
        with pytest.raises(Rejected):
            parser.parse(content)


@pytest.mark.parametrize(
    "content",
    [b"<a>", b"<!DOCTYPE a><a/>", b"<a><?p?></a>", _nested(65), "<a/>".encode("utf-32"), ENCODINGS["XInclude"][0]],
)
def test_refusals_are_whole_sentences_in_both_languages(content: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        parse(content)
    for language in ("pl", "en"):
        assert "?" not in refusal.value.text(language)


def test_refusals_say_where() -> None:
    with pytest.raises(Rejected) as refusal:
        parse(b"<a>\n  <b></c>\n</a>")
    assert refusal.value.context["line"] == 2
    assert "line" not in str(refusal.value.context["detail"]).partition("mismatch")[0]


def test_comments_are_gone_and_values_whole() -> None:
    assert parse(b"<a>use<!-- x -->r1</a>").text == "user1"
    assert not list(parse(b"<!-- a --><a><!-- b --><b/></a>").iter(etree.Comment))


def test_one_parser_serves_many_threads() -> None:
    parser = HardenedParser()
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(200):
            if parser.parse(f"<a><b>{number}-{turn}</b></a>".encode())[0].text != f"{number}-{turn}":
                wrong.append((number, turn))
            try:
                parser.parse(b"<a>" + b"\n" * number + b"</b>")
            except Rejected as refusal:
                if refusal.context["line"] != number + 1:
                    wrong.append(refusal)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet="<>/ab!?-[]&;#x=\"' \n", max_size=60).map(str.encode))
def test_any_bytes_give_a_tree_or_a_refusal(content: bytes) -> None:
    if not verdict(content).startswith("parse."):
        again = etree.tostring(parse(content))
        assert etree.tostring(parse(again)) == again


@pytest.mark.parametrize("name", ["stylesheet", "schema location", "trailing element", "signature of XML 1.1"])
def test_parser_tricks_around_a_good_signature(name: str) -> None:
    content = inner_signed()
    stylesheet = b"<?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?><e:Envelope"
    location = b'<e:Envelope xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:schemaLocation="urn:x http://127.0.0.1:9/"'
    changed = {
        "stylesheet": (content.replace(b"<e:Envelope", stylesheet, 1), "valid"),
        "schema location": (content.replace(b"<e:Envelope", location, 1), "valid"),
        "trailing element": (content + b"<a/>", "parse.malformed"),
        "signature of XML 1.1": (content.replace(b"version='1.0'", b"version='1.1'"), "parse.malformed"),
    }
    document, expected = changed[name]
    assert document != content
    assert code(document) == expected


def test_a_profile_may_allow_one_document_longer_texts() -> None:
    parser = HardenedParser(Limits(text=3), {"{urn:x}Large": 5})
    large = b"<Large xmlns='urn:x'><b>12345</b></Large>"
    assert parser.parse(large)[0].text == "12345"
    for other in (large.replace(b"12345", b"123456"), large.replace(b"urn:x", b"urn:y"), large.replace(b"<b>", b"<b c='123456'>")):
        with pytest.raises(Rejected) as refusal:
            parser.parse(other)
        assert refusal.value.code == "parse.limit"
    assert refusal.value.context["limit"] == 5
