"""The digest UsernameToken: which forms pass, which do not, and that nobody can tell why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.endpoints.soap import token as token_module
from gateway.endpoints.soap.token import hashed_password, instant
from gateway.faults import POLICY, SECURITY
from tests.soap_requests import (
    LOGIN,
    NOW,
    PASSWORD,
    Gate,
    KnownAccount,
    Token,
    addressing,
    ago,
    b64,
    digest_a,
    digest_b,
    digest_c,
    envelope,
    security,
    told,
)

WINDOW = timedelta(seconds=300)
REFUSED = ("{http://ws.apache.org/wss4j}SecurityError", SECURITY, None, None, None)
NO_POLICY = ("{http://schemas.xmlsoap.org/soap/envelope/}Server", POLICY, None, None, None)


def plain_nonce_digest(nonce: bytes, created: str, password: str) -> str:
    """The nonce's Base64 text instead of its bytes."""
    return digest_b(b64(nonce).encode(), created, password)


def post(token_xml: str, gate: Gate | None = None) -> tuple[Gate, object]:
    gate = gate or Gate()
    reply = gate.post(envelope(headers=addressing() + security(token_xml)))
    return gate, reply


ACCEPTED = {
    "form b, as trader software sends it": Token(),
    "form a, the plain profile": Token(digest=digest_a),
    "+00:00": Token(created="2026-03-01T12:00:00+00:00"),
    "another zone, same instant": Token(created="2026-03-01T13:00:00+01:00"),
    "milliseconds": Token(created="2026-03-01T12:00:00.123Z"),
    "nine digits": Token(created="2026-03-01T12:00:00.123456789Z"),
    "no EncodingType": Token(encoding=None),
    "oldest allowed": Token(created=ago(seconds=300)),
    "clock ahead, within the window": Token(created=ago(seconds=-300)),
    "shortest nonce": Token(nonce=b"12345678"),
    "longest nonce": Token(nonce=b"n" * 64),
}

SPOILT = {
    "form c, raw inner hash": Token(digest=digest_c),
    "nonce not decoded": Token(digest=plain_nonce_digest),
    "wrong password": Token(password="inne hasło"),
    "empty password": Token(password=""),
    "another account's token": Token(login="jan@firma.example"),
    "unknown account": Token(login="nikt@nigdzie.example"),
    "inactive account": Token(login="old@firma.example"),
    "empty login": Token(login=""),
    "endless login": Token(login="a" * 255),
    "stale": Token(created=ago(seconds=301)),
    "a day old": Token(created=ago(days=1)),
    "from the future": Token(created=ago(seconds=-301)),
    "far future": Token(created="9999-12-31T23:59:59Z"),
    "year zero": Token(created="0000-01-01T00:00:00Z"),
    "edge of the calendar": Token(created="0001-01-01T00:00:00+14:00"),
    "no zone": Token(created="2026-03-01T12:00:00"),
    "second 60": Token(created="2026-03-01T11:59:60Z"),
    "a date only": Token(created="2026-03-01"),
    "week calendar": Token(created="2026-W09-7T12:00:00Z"),
    "epoch number": Token(created="1772366400"),
    "arabic digits": Token(created="٢٠٢٦-03-01T12:00:00Z"),
    "empty created": Token(created=""),
    "short nonce": Token(nonce=b"1234567"),
    "empty nonce": Token(nonce=b""),
    "huge nonce": Token(nonce=b"n" * 65),
    "nonce in hexadecimal by its type": Token(encoding="http://docs.oasis-open.org/wss/2004/01/x#HexBinary"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    gate, reply = post(ACCEPTED[name].xml())
    assert reply.status == 200, reply.body  # type: ignore[attr-defined]
    assert [received.caller.account_id for received in gate.received] == [7]
    assert gate.received[0].nonce == b64(ACCEPTED[name].nonce)


@pytest.mark.parametrize("name", SPOILT)
def test_refused_all_in_the_same_words(name: str) -> None:
    gate, reply = post(SPOILT[name].xml())
    assert told(reply) == REFUSED  # type: ignore[arg-type]
    assert reply.status == 500  # type: ignore[attr-defined]
    assert gate.untouched()


PARTS = Token().parts()


@pytest.mark.parametrize("name", ["Username", "Nonce", "Created"])
def test_a_missing_part_is_refused(name: str) -> None:
    gate, reply = post(Token().xml(**{name: ""}))
    assert told(reply) == REFUSED  # type: ignore[arg-type]
    assert gate.untouched()


@pytest.mark.parametrize("name", list(PARTS))
def test_a_doubled_part_is_refused(name: str) -> None:
    gate, reply = post(Token().xml(**{name: PARTS[name] * 2}))
    assert told(reply) == REFUSED  # type: ignore[arg-type]
    assert gate.untouched()


@pytest.mark.parametrize("nonce", ["%%%%", "QUJD", "ążźć", "QUJDREVGR0g", "<b/>QUJDREVGR0hJSktM"])
def test_a_nonce_that_is_no_base64_of_eight_bytes_is_refused(nonce: str) -> None:
    gate, reply = post(Token().xml(Nonce=f"<wsse:Nonce>{nonce}</wsse:Nonce>"))
    assert told(reply) == REFUSED  # type: ignore[arg-type]
    assert gate.untouched()


def test_the_nonce_is_kept_in_one_spelling() -> None:
    """Else the same bytes, spelled with other padding bits, would pass the replay check a second time."""
    token = Token(nonce=b"12345678")  # MTIzNDU2Nzg= ; the last character carries two unused bits
    gate, _ = post(token.xml())
    post(token.xml(Nonce="<wsse:Nonce> MTIzNDU2Nzh= </wsse:Nonce>".replace("zh=", "zg=")), gate)
    post(token.xml(Nonce="<wsse:Nonce>MTIzNDU2Nzj=</wsse:Nonce>".replace("zj=", "zi=")), gate)
    assert {received.nonce for received in gate.received} == {"MTIzNDU2Nzg="}


@pytest.mark.parametrize(
    "xml",
    [
        "",
        Token(type_="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText").xml(),
        Token().xml(Password=f"<wsse:Password>{PASSWORD}</wsse:Password>"),
        Token().xml(Password=""),
    ],
    ids=["empty Security", "PasswordText", "no type", "no password"],
)
def test_without_a_digest_the_policy_speaks(xml: str) -> None:
    gate, reply = post(xml)
    assert told(reply) == NO_POLICY  # type: ignore[arg-type]
    assert gate.untouched()


def test_an_account_without_channel_password_is_like_an_unknown_one() -> None:
    gate = Gate()
    account = gate.accounts[LOGIN]
    gate.accounts[LOGIN] = type(account)(7, True, None)
    _, reply = post(Token(password="").xml(), gate)
    assert told(reply) == REFUSED  # type: ignore[arg-type]


def test_a_replaced_password_counts_until_its_overlap_ends() -> None:
    gate = Gate()
    gate.accounts[LOGIN] = KnownAccount(7, True, "the new one", PASSWORD, NOW + timedelta(seconds=60))
    for form in (digest_a, digest_b):
        assert post(Token(digest=form).xml(), gate)[1].status == 200  # type: ignore[attr-defined]
        assert post(Token(digest=form, password="the new one").xml(), gate)[1].status == 200  # type: ignore[attr-defined]
    assert told(post(Token(password="neither").xml(), gate)[1]) == REFUSED  # type: ignore[arg-type]
    gate.clock.at = NOW + timedelta(seconds=60)
    assert told(post(Token().xml(), gate)[1]) == REFUSED  # type: ignore[arg-type]
    assert post(Token(password="the new one").xml(), gate)[1].status == 200  # type: ignore[attr-defined]


def test_a_former_password_alone_opens_nothing() -> None:
    gate = Gate()
    gate.accounts[LOGIN] = KnownAccount(7, True, None, PASSWORD, NOW + timedelta(days=1))
    assert told(post(Token().xml(), gate)[1]) == REFUSED  # type: ignore[arg-type]


def test_the_stand_in_is_nobodys_password() -> None:
    """Whoever reads our source knows it."""
    stand_in = token_module._NOBODY.decode()
    gate = Gate()
    gate.accounts["nopassword@firma.example"] = KnownAccount(10, True, None)
    for login in (LOGIN, "nikt@nigdzie.example", "old@firma.example", "nopassword@firma.example"):
        for form in (digest_a, digest_b):
            assert told(post(Token(login=login, password=stand_in, digest=form).xml(), gate)[1]) == REFUSED  # type: ignore[arg-type]
    assert gate.untouched()


def test_window_is_a_setting() -> None:
    gate = Gate(token_window=10)
    assert told(post(Token(created=ago(seconds=11)).xml(), gate)[1]) == REFUSED  # type: ignore[arg-type]
    assert post(Token(created=ago(seconds=10)).xml(), gate)[1].status == 200  # type: ignore[attr-defined]


def test_hashed_password_turns_form_a_into_form_b() -> None:
    nonce, created = b"n" * 16, "2026-03-01T12:00:00Z"
    assert digest_a(nonce, created, hashed_password(PASSWORD)) == digest_b(nonce, created, PASSWORD)


def test_instant_reads_to_the_microsecond() -> None:
    assert instant("2026-03-01T13:00:00.5+01:00") == NOW + timedelta(milliseconds=500)
    assert instant("2026-03-01T12:00:00 Z") is None
