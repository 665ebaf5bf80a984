"""The NCTS2 adapter without a network: requests, proof, answers, correlation, the meaning of HTTP answers."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.ncts.adapter import NctsAdapter
from adapters.ncts.client import judge
from adapters.ncts.codes import FUNCTIONAL_ERRORS
from adapters.ncts.replies import functional_error, xml_error
from adapters.proof import SIGNATURE, TIMESTAMP, Secrets, sign_answer, sign_request
from gateway.channels.correlation import Lookup, lookups
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.http_answer import HttpAnswer
from gateway.message import BusinessKeys
from tests.transit import NAMESPACE, SECRET, SECRETS, SENDER, StrictParser, declaration, job, ncts2

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
RELEASE = (
    f'<n:CC029C xmlns:n="{NAMESPACE}"><messageSender>NTA.PL</messageSender><messageRecipient>{SENDER}</messageRecipient>'
    "<messageIdentification>A1</messageIdentification><correlationIdentifier> M1 </correlationIdentifier>"
    "<TransitOperation><LRN>L1</LRN><MRN>26PL0123456789ABJ5</MRN></TransitOperation></n:CC029C>"
).encode()


@pytest.fixture
def adapter() -> NctsAdapter:
    return NctsAdapter(ncts2(), "http://127.0.0.1:9", SECRETS, StrictParser())


# --- request ------------------------------------------------------------------------------------------------------------


def test_a_request_is_the_stored_bytes_under_our_id_and_holds_no_proof(adapter: NctsAdapter) -> None:
    content = b"\xef\xbb\xbf" + declaration("L1")
    request = adapter.request(job("SR1", content))
    assert request.content is content
    assert request.request_id == "SR1"
    assert request.headers["brama-sys-ref"] == "SR1"
    assert request.headers["content-type"] == "application/xml"
    assert not {TIMESTAMP, SIGNATURE} & set(request.headers)
    assert adapter.request(job("SR1", content)) == request


# --- authenticate -------------------------------------------------------------------------------------------------------


def refused(adapter: NctsAdapter, headers: dict[str, str], body: bytes, at: datetime = NOW) -> bool:
    try:
        adapter.authenticate(headers, body, at)
    except Rejected as error:
        return error.code == "reply.unauthenticated"
    return False


def test_the_authoritys_signature_is_hmac_over_time_and_body(adapter: NctsAdapter) -> None:
    stamp = str(int(NOW.timestamp()))
    signature = hmac.new(SECRET, stamp.encode() + b"." + RELEASE, hashlib.sha256).hexdigest()
    assert not refused(adapter, {TIMESTAMP: stamp, SIGNATURE: signature}, RELEASE)
    assert sign_answer(SECRETS, RELEASE, NOW) == {TIMESTAMP: stamp, SIGNATURE: signature}


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signature_holds_within_the_window(adapter: NctsAdapter, seconds: int) -> None:
    assert not refused(adapter, sign_answer(SECRETS, RELEASE, NOW), RELEASE, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_stale_or_future_signature_is_refused(adapter: NctsAdapter, seconds: int) -> None:
    assert refused(adapter, sign_answer(SECRETS, RELEASE, NOW), RELEASE, NOW + timedelta(seconds=seconds))


def test_a_forged_release_is_refused(adapter: NctsAdapter) -> None:
    good = sign_answer(SECRETS, RELEASE, NOW)
    assert refused(adapter, {}, RELEASE)
    assert refused(adapter, {TIMESTAMP: good[TIMESTAMP]}, RELEASE)
    assert refused(adapter, {SIGNATURE: good[SIGNATURE]}, RELEASE)
    assert refused(adapter, {**good, SIGNATURE: "0" * 64}, RELEASE)
    assert refused(adapter, {**good, SIGNATURE: "\udcff\xe9"}, RELEASE)
    assert refused(adapter, good, RELEASE.replace(b"26PL0123456789ABJ5", b"26PL0123456789ABJ6"))
    assert refused(adapter, sign_answer(Secrets((b"x" * 32,)), RELEASE, NOW), RELEASE)


def test_a_fresh_time_under_an_old_signature_is_refused(adapter: NctsAdapter) -> None:
    old = sign_answer(SECRETS, RELEASE, NOW - timedelta(hours=1))
    assert refused(adapter, {**old, TIMESTAMP: str(int(NOW.timestamp()))}, RELEASE)


@pytest.mark.parametrize("stamp", ["", "now", "1e9", "-1", "١٢٣", "9" * 400, "nan"])
def test_a_time_stamp_that_is_no_number_is_refused(adapter: NctsAdapter, stamp: str) -> None:
    signature = hmac.new(SECRET, stamp.encode() + b"." + RELEASE, hashlib.sha256).hexdigest()
    assert refused(adapter, {TIMESTAMP: stamp, SIGNATURE: signature}, RELEASE)


def test_our_own_request_cannot_come_back_as_an_answer(adapter: NctsAdapter) -> None:
    headers = sign_request(SECRETS, "SR1", RELEASE, NOW)
    assert refused(adapter, headers, RELEASE)
    stamp = headers[TIMESTAMP]
    assert refused(adapter, {**headers, TIMESTAMP: f"request.{stamp}.SR1"}, RELEASE)


def test_a_new_secret_follows_an_old_one_without_interruption() -> None:
    new = b"n" * 32
    both = NctsAdapter(ncts2(), "http://127.0.0.1:9", Secrets((new, SECRET)), StrictParser())
    assert not refused(both, sign_answer(SECRETS, RELEASE, NOW), RELEASE)
    assert not refused(both, sign_answer(Secrets((new,)), RELEASE, NOW), RELEASE)


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"short", b"0123456789abcdef0123456789abcdef\nshort\n"])
def test_a_secret_file_that_protects_nothing_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Failed) as caught:
        Secrets.read(file)
    assert caught.value.code == "adapter.secret"
    assert "short" not in str(caught.value.context["file"])


def test_a_secret_is_not_shown() -> None:
    assert SECRET.decode() not in repr(SECRETS)


# --- answers ------------------------------------------------------------------------------------------------------------


def test_an_answer_is_read_with_its_keys_and_state(adapter: NctsAdapter) -> None:
    answer = adapter.read_answer(RELEASE)
    assert (answer.system, answer.root, answer.state, answer.final) == ("NCTS2", "CC029C", "released", True)
    assert answer.content is RELEASE
    assert answer.keys == BusinessKeys(
        message_id="A1", correlation_id="M1", sender="NTA.PL", recipient=SENDER, lrn="L1", mrn="26PL0123456789ABJ5"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"<CC029C/>",
        declaration("L1"),
        RELEASE[:-3],
        b'<!DOCTYPE a [<!ENTITY e "x">]>' + RELEASE,
        RELEASE.replace(NAMESPACE.encode(), b"http://other"),
        RELEASE.replace(b"<LRN>L1</LRN>", b"<LRN>L1</LRN><LRN>L2</LRN>"),
        RELEASE.replace(b"<LRN>L1</LRN>", b"<LRN>L1<b/>2</LRN>"),
        RELEASE.replace(b"> M1 <", b">" + b"M" * 101 + b"<"),
    ],
)
def test_anything_else_is_garbage(adapter: NctsAdapter, content: bytes) -> None:
    with pytest.raises(Failed) as caught:
        adapter.read_answer(content)
    assert caught.value.code == "reply.garbage"


# --- correlation --------------------------------------------------------------------------------------------------------


def test_an_answer_that_names_its_request_is_matched_by_that_name_only() -> None:
    keys = BusinessKeys(correlation_id="M1", recipient=SENDER, lrn="L1", mrn="X")
    assert lookups(keys) == (Lookup("message_id", "M1", SENDER),)


def test_without_a_name_the_lrn_comes_before_the_mrn() -> None:
    assert lookups(BusinessKeys(recipient=SENDER, lrn="L1", mrn="X")) == (Lookup("lrn", "L1", SENDER), Lookup("mrn", "X", SENDER))
    assert lookups(BusinessKeys(recipient=SENDER, mrn="X")) == (Lookup("mrn", "X", SENDER),)


def test_an_answer_addressed_to_nobody_is_matched_to_nobody() -> None:
    assert lookups(BusinessKeys(correlation_id="M1", lrn="L1", mrn="X")) == ()
    assert lookups(BusinessKeys(recipient=SENDER)) == ()


# --- what HTTP answers mean ---------------------------------------------------------------------------------------------

DUPLICATE = functional_error("26", "/messageIdentification", SENDER, None, "A1", NOW)
RULE = functional_error("14", "/TransitOperation/LRN", SENDER, None, "A1", NOW)


def outcome(status: int, body: bytes = b"", headers: dict[str, str] | None = None, whole: bool = True) -> tuple[type | bool, str]:
    try:
        taken = judge(ncts2(), StrictParser(), HttpAnswer(status, headers or {}, body, whole))
    except GatewayError as error:
        return type(error), error.code
    return taken.duplicate, "taken"


@pytest.mark.parametrize(
    ("status", "body", "headers", "whole", "expected"),
    [
        (200, b"", {}, True, (False, "taken")),
        (202, b"half", {}, False, (False, "taken")),
        (409, DUPLICATE, {}, True, (True, "taken")),
        (400, DUPLICATE, {}, True, (Rejected, "deliver.refused")),
        (409, RULE, {}, True, (Rejected, "deliver.refused")),
        (409, DUPLICATE.replace(b"ncts.dgtaxud", b"other"), {}, True, (Rejected, "deliver.refused")),
        (409, b"conflict", {}, True, (Rejected, "deliver.refused")),
        (409, DUPLICATE[:40], {}, False, (Deferred, "deliver.in_doubt")),
        (400, RULE, {}, True, (Rejected, "deliver.refused")),
        (422, b"", {}, True, (Rejected, "deliver.refused")),
        (503, b"", {"retry-after": "5"}, True, (Deferred, "deliver.unavailable")),
        (429, b"", {}, True, (Deferred, "deliver.unavailable")),
        (503, b"", {}, True, (Deferred, "deliver.in_doubt")),
        (500, b"", {}, True, (Deferred, "deliver.in_doubt")),
        (504, b"", {}, True, (Deferred, "deliver.in_doubt")),
        (302, b"", {"location": "http://elsewhere"}, True, (Failed, "deliver.misconfigured")),
        (401, b"", {}, True, (Failed, "deliver.misconfigured")),
        (404, b"", {}, True, (Failed, "deliver.misconfigured")),
    ],
)
def test_what_an_http_answer_means(status: int, body: bytes, headers: dict[str, str], whole: bool, expected: tuple[object, str]) -> None:
    assert outcome(status, body, headers, whole) == expected


def test_a_refusal_is_told_in_the_targets_words() -> None:
    with pytest.raises(Rejected, match="14 rule violated, N/A, at /TransitOperation/LRN"):
        judge(ncts2(), StrictParser(), HttpAnswer(400, {}, RULE, True))
    with pytest.raises(Rejected, match="50, not readable"):
        judge(ncts2(), StrictParser(), HttpAnswer(400, {}, xml_error("not readable", SENDER, "A1", NOW), True))


def test_every_functional_error_has_both_languages() -> None:
    assert set(FUNCTIONAL_ERRORS) == {"12", "13", "14", "15", "26", "50", "51", "52", "90", "92", "93"}
    assert all(error.pl and error.en and error.pl != error.en for error in FUNCTIONAL_ERRORS.values())


def test_an_address_that_is_none_is_refused_at_once() -> None:
    for url in ("", "ftp://host/x", "127.0.0.1:80", "http://", "http://[::1"):
        with pytest.raises(Failed, match="ncts2_url"):
            NctsAdapter(ncts2(), url, SECRETS, StrictParser())
