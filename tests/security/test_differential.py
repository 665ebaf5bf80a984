"""Random changes to signed documents, judged by us, by libxmlsec1 and by signxml.

What we accept, libxmlsec1 accepts; signxml too, but for its known fault with C14N 1.0 under a default namespace.
What is unchanged for all of them, we accept. And whatever we accept reads as it was signed.
"""

from __future__ import annotations

import random
import re
from functools import cache

import pytest
import signxml
from lxml import etree
from signxml.exceptions import SignXMLException

from gateway.errors import Rejected
from gateway.security.certificates import Trust
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Policy, Verifier
from gateway.security.xml import HardenedParser
from tests.security.documents import (
    C14N10,
    C14N11,
    DS,
    ENVELOPE,
    ENVELOPED,
    EXC,
    MORE,
    SHA256,
    reference,
    signature,
    signed,
    xmlsec_accepts,
)
from tests.security.pki import AT, ca, trader_a, trader_ec

PIECES = (
    b'<|>|&amp;|&#13;| |\n|\r\n|<!-- c -->|<a/>|Id="d1"| xmlns=""| xmlns:x="urn:x"|d:|LRN|</d:LRN>|<d:LRN>|=|A|]]>|<![CDATA['
    b'|<?p?>|#e1|#d1| xml:lang="pl"|\xc5\xbc|\x00|ds:'
).split(b"|")


@cache
def documents() -> list[tuple[bytes, object]]:
    """Small ones of each shape, signed with the quick key, and one with RSA."""

    def make(*references: str, inner: bool = False, c14n: str = EXC) -> bytes:
        text = signature(*references, party=trader_ec(), method=f"{MORE}ecdsa-sha256", c14n=c14n)
        return signed(ENVELOPE.format(inner=text if inner else "", root="" if inner else text), trader_ec())

    return [
        (make(reference("")), trader_ec()),
        (make(reference("#d1", (EXC,))), trader_ec()),
        (make(reference("", (ENVELOPED, C14N10)), c14n=C14N10), trader_ec()),
        (make(reference("#d1", (C14N11,)), c14n=C14N11), trader_ec()),
        (make(reference("#d1"), inner=True), trader_ec()),
        (make(reference("#e1"), reference("#d1", (EXC,))), trader_ec()),
        (signed(ENVELOPE.format(inner="", root=signature(reference("")))), trader_a()),
    ]


def mutate(content: bytes, chance: random.Random) -> bytes:
    """One or two changes of bytes, pieces, elements or their order."""
    for _ in range(chance.choice((1, 1, 1, 2))):
        kind = chance.randrange(6)
        at = chance.randrange(len(content))
        if kind == 0:
            content = content[:at] + chance.choice(PIECES) + content[at:]
        elif kind == 1:
            content = content[:at] + content[at + chance.randrange(1, 12) :]
        elif kind == 2:
            content = content[:at] + bytes([content[at] ^ (1 << chance.randrange(7))]) + content[at + 1 :]
        elif kind == 3:
            content = _move(content, chance)
        elif kind == 4:  # between two tags, where white space or elements go
            gaps = [m.end() for m in re.finditer(rb">", content)]
            at = chance.choice(gaps) if gaps else at
            content = content[:at] + chance.choice(PIECES) + content[at:]
        else:  # at the end of a tag, where attributes go
            gaps = [m.start() for m in re.finditer(rb"/?>", content)]
            at = chance.choice(gaps) if gaps else at
            content = content[:at] + chance.choice((b' a="1"', b' Id="d1"', b' xmlns:x="urn:x"', b' xml:id="d1"', b" ")) + content[at:]
    return content


def _move(content: bytes, chance: random.Random) -> bytes:
    """Copy or move an element somewhere else: the wrapping attacks, at random."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError:
        return content
    elements = [e for e in root.iter() if isinstance(e.tag, str)]
    chosen, target = chance.choice(elements), chance.choice(elements)
    if chosen is root or chosen in target.iterancestors() or chosen is target:
        return content
    moved = etree.fromstring(etree.tostring(chosen, with_tail=False)) if chance.random() < 0.5 else chosen
    target.insert(chance.randrange(len(target) + 1), moved)
    return etree.tostring(root)


def signxml_accepts(content: bytes, party: object) -> bool:
    try:
        root = etree.fromstring(content)
        count = len(root.findall(f".//{{{DS}}}Signature/{{{DS}}}SignedInfo/{{{DS}}}Reference"))
        config = signxml.SignatureConfiguration(expect_references=count, location=".//")
        signxml.XMLVerifier().verify(content, x509_cert=party.certificate, expect_config=config)  # type: ignore[attr-defined]
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return False
    return True


@pytest.mark.parametrize("seed", range(8))
def test_we_accept_nothing_that_the_oracles_refuse(seed: int) -> None:
    chance = random.Random(seed)
    parser, verifier = HardenedParser(), Verifier(Trust([ca().certificate]), NoRevocation(), Policy(require_root=False))
    accepted = refused_by_all = 0
    for _ in range(600):
        original, party = chance.choice(documents())
        content = mutate(original, chance)
        try:
            tree, _ = verifier.verify(verifier.set_aside(parser.parse(content)), AT)
        except Rejected:
            refused_by_all += 1
            continue
        accepted += 1
        assert tree.xpath("string(.//*[local-name()='LRN'])") == "LRN-1", content
        root = etree.fromstring(content)
        if root.getprevious() is not None or root.getnext() is not None:
            continue  # what stands beside the root is ignored here and digested by libxmlsec1
        assert xmlsec_accepts(content, party), content  # type: ignore[arg-type]
        (payload,) = root.iter(tree.tag)
        if not payload.tail:  # signxml takes text behind the signed element along and fails
            assert signxml_accepts(content, party), content
    assert accepted >= 20, "the changes must leave some documents valid, or nothing is compared"
    assert refused_by_all >= 200


@pytest.mark.parametrize("number", range(7))
def test_what_all_engines_accept_we_accept(number: int) -> None:
    content, party = documents()[number]
    parser, verifier = HardenedParser(), Verifier(Trust([ca().certificate]), NoRevocation(), Policy(require_root=False))
    for change in (
        lambda c: c.replace(b"><", b" ><", 3) if b"C14N" in c else c,
        lambda c: c.replace(b'Id="e1"', b"Id='e1'"),
        lambda c: c.replace(b"LRN-1", b"LRN&#45;1"),
        lambda c: c.replace(b"LRN-1", b"<![CDATA[LRN-1]]>"),
        lambda c: c + b"\n\n",
    ):
        changed = change(content)
        assert xmlsec_accepts(changed, party)  # type: ignore[arg-type]
        assert verifier.verify(verifier.set_aside(parser.parse(changed)), AT)[1].digest_algorithm == "SHA-256"
    assert SHA256.encode() in content
