"""Documents that come together are taken through the accept walk step by step together, and none by another's fate."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from lxml import etree

from gateway.errors import Rejected
from gateway.message import Candidate, Judged, Received, Recorded
from gateway.pipeline import ABREAST, Accepting
from tests.walk import PROFILE, TYPE, received


@dataclass
class Keepers:
    """The keepers of the ports up to `verify`, which write down who came by; documents without a signature are refused there."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    recorded: list[Judged] = field(default_factory=list)

    def parse(self, content: bytes) -> etree._Element:
        if content.startswith(b"broken"):
            raise Rejected("parse.malformed", line=1, column=1, detail="broken", detail_pl="zepsuty")
        root = etree.fromstring(content)
        self.seen.append(("parse", str(root.get("n"))))
        return root

    def identify(self, *_ignored: Any) -> Any:
        return TYPE

    def document(self, *_ignored: Any) -> Any:
        return PROFILE

    def foresees_signature(self, *_ignored: Any) -> bool:
        return False

    def set_aside(self, root: etree._Element) -> Candidate:
        return Candidate(root, None)

    def validate(self, _type: Any, root: etree._Element, _content: bytes) -> tuple[()]:
        self.seen.append(("validate", str(root.get("n"))))
        return ()

    def verify(self, candidate: Candidate, _at: Any) -> Any:
        self.seen.append(("verify", str(candidate.payload.get("n"))))
        raise Rejected("signature.missing")

    def seal(self, document: str, _place: str, _at: Any = None) -> bytes:
        return document.encode()

    async def record(self, judged: Judged) -> Recorded:
        self.recorded.append(judged)
        return Recorded(judged.identified.parsed.received.sys_ref)


def walk(keepers: Keepers, *documents: Received) -> list[Recorded | BaseException]:
    any_port = cast(Any, keepers)
    accepting = Accepting(*[any_port] * 8, "Brama")

    async def together() -> list[Recorded | BaseException]:
        return await asyncio.gather(*(accepting.accept(document) for document in documents), return_exceptions=True)

    return asyncio.run(together())


def test_each_step_is_done_for_all_before_the_next() -> None:
    keepers = Keepers()
    walk(keepers, *(received(b'<a n="%d"/>' % number) for number in range(3)))
    assert keepers.seen == [(step, str(number)) for step in ("parse", "validate", "verify") for number in range(3)]


def test_each_gets_his_own_outcome() -> None:
    keepers = Keepers()
    documents = [received(b'<a n="0"/>'), received(b"broken"), received(b'<a n="2"/>')]
    first, broken, last = walk(keepers, *documents)
    assert isinstance(broken, Rejected)
    assert broken.code == "parse.malformed"
    assert [first, last] == [Recorded(documents[0].sys_ref), Recorded(documents[2].sys_ref)]
    assert [judged.identified.parsed.root.get("n") for judged in keepers.recorded] == ["0", "2"]
    assert all(b"signature.missing" in judged.receipt.content for judged in keepers.recorded), "an NPP for each"


@pytest.mark.parametrize("size", [ABREAST, ABREAST + 1])
def test_a_larger_one_is_judged_in_one_go(size: int) -> None:
    """Else the trees of all that wait would be held at once."""
    keepers = Keepers()
    small = b'<a n="small"/>'
    large = b'<a n="large">' + b" " * (size - len(b'<a n="large"></a>')) + b"</a>"
    walk(keepers, replace(received(large), content=large), received(small))
    in_one_go = keepers.seen[:3] == [(step, "large") for step in ("parse", "validate", "verify")]
    assert in_one_go == (size > ABREAST)
