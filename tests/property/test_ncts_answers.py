"""Whatever bytes an authority, or somebody who says he is one, sends: a clear answer and never another exception."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ncts.adapter import NctsAdapter
from adapters.ncts.samples import cc029c, mrn
from adapters.proof import SIGNATURE, TIMESTAMP, sign_answer
from gateway.errors import Failed, Rejected
from tests.transit import SECRETS, StrictParser, ncts2

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
ADAPTER = NctsAdapter(ncts2(), "http://127.0.0.1:9", SECRETS, StrictParser())
RELEASE = cc029c(lrn="L1", mrn=mrn("PL", 1, 2026), message_id="A1", correlation_id="M1")
GOOD = sign_answer(SECRETS, RELEASE, NOW)


def passes(headers: dict[str, str], body: bytes, at: datetime = NOW) -> bool:
    try:
        ADAPTER.authenticate(headers, body, at)
    except Rejected as error:
        return error.code != "reply.unauthenticated"
    return True


@given(st.integers(0, len(RELEASE) - 1), st.integers(1, 255))
def test_one_changed_byte_breaks_the_proof(place: int, change: int) -> None:
    body = RELEASE[:place] + bytes([RELEASE[place] ^ change]) + RELEASE[place + 1 :]
    assert not passes(GOOD, body)


@given(st.text(max_size=80), st.text(max_size=80))
def test_invented_headers_prove_nothing(stamp: str, signature: str) -> None:
    assert not passes({TIMESTAMP: stamp, SIGNATURE: signature}, RELEASE)
    assert not passes({**GOOD, SIGNATURE: signature}, RELEASE)
    assert not passes({**GOOD, TIMESTAMP: stamp}, RELEASE)


@given(st.floats(-10_000, 10_000))
def test_the_window_is_300_seconds_both_ways(seconds: float) -> None:
    assert passes(GOOD, RELEASE, NOW + timedelta(seconds=seconds)) == (abs(timedelta(seconds=seconds)) <= timedelta(seconds=300))


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.integers(0, len(RELEASE)).map(lambda cut: RELEASE[:cut] + b">" + RELEASE[cut + 3 :])))
def test_reading_gives_an_answer_or_garbage(content: bytes) -> None:
    try:
        answer = ADAPTER.read_answer(content)
    except Failed as error:
        said = error.code
    else:
        said = answer.root
    assert said in ("reply.garbage", "CC029C")
