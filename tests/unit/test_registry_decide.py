"""The decision table of docs/reference/registry.md, row by row, on facts alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest

from gateway.codes import CODES
from gateway.message import Denied, Granted
from registry.dates import end_of, start_of
from registry.decide import decide, edges
from registry.facts import Account, Certificate, Entity, Facts, Link, Person

AT = datetime(2026, 6, 15, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NEEDED, PARTY = "NCTS2/CC015C", "PL852963741300000"


def link(number: int, *rights: str, start: date = date(2026, 1, 1), end: date | None = None, ended_at: datetime | None = None) -> Link:
    return Link(number, f"representation {number}: X -> Y", start_of(start), end_of(end) if end else None, ended_at, frozenset(rights))


CERTIFICATE = Certificate(1, "CN=Anna", start_of(date(2026, 1, 1)), start_of(date(2028, 1, 1)), None)
FACTS = Facts(
    7,
    Account(True, 1),
    Person(1, "80010112340000000", "Anna Przykładowa"),
    CERTIFICATE,
    Entity(5, "PL852963741300000", "Importer"),
    direct=(link(10, NEEDED),),
)
NO_WAY = replace(FACTS, direct=())


def code(facts: Facts, permission: str = NEEDED, party: str | None = PARTY, at: datetime = AT) -> str:
    decision = decide(facts, permission, party, at)
    assert decision.generation == 7
    if isinstance(decision, Granted):
        return "granted"
    _assert_text_is_complete(decision)
    return decision.code


def _assert_text_is_complete(denied: Denied) -> None:
    for language in ("pl", "en"):
        template = CODES[denied.code].pl if language == "pl" else CODES[denied.code].en
        asked = {name for _, name, _, _ in Formatter().parse(template) if name}
        assert asked <= set(denied.context), f"{denied.code} does not carry {asked - set(denied.context)}"


TABLE: Mapping[str, tuple[Facts, str]] = {
    "direct": (FACTS, "granted"),
    "unknown account": (replace(FACTS, account=None, person=None), "authorize.account_inactive"),
    "suspended account": (replace(FACTS, account=Account(False, 1)), "authorize.account_inactive"),
    "account without person (A3)": (replace(FACTS, account=Account(True, None), person=None), "authorize.account_without_person"),
    "certificate unknown": (replace(FACTS, certificate=None), "authorize.certificate_unknown"),
    "certificate of another (A4)": (replace(FACTS, certificate=replace(CERTIFICATE, person_id=2)), "authorize.other_person"),
    "certificate revoked": (replace(FACTS, certificate=replace(CERTIFICATE, revoked_at=AT)), "certificate.revoked"),
    "certificate revoked later": (replace(FACTS, certificate=replace(CERTIFICATE, revoked_at=AT + SECOND)), "granted"),
    "certificate expired": (replace(FACTS, certificate=replace(CERTIFICATE, valid_to=AT)), "certificate.expired"),
    "certificate too early": (replace(FACTS, certificate=replace(CERTIFICATE, valid_from=AT + SECOND)), "certificate.not_yet_valid"),
    "party unknown": (replace(NO_WAY, party=None), "authorize.unknown_party"),
    "no way (A5)": (NO_WAY, "authorize.no_representation"),
    "ended (A1)": (replace(FACTS, direct=(link(10, "*", ended_at=AT),)), "authorize.representation_ended"),
    "expired (A1)": (replace(FACTS, direct=(link(10, "*", end=date(2026, 6, 14)),)), "authorize.representation_expired"),
    "not yet (A1)": (replace(FACTS, direct=(link(10, "*", start=date(2026, 6, 16)),)), "authorize.representation_not_yet_valid"),
    "last day": (replace(FACTS, direct=(link(10, "*", end=date(2026, 6, 15)),)), "granted"),
    "lacks permission": (replace(FACTS, direct=(link(10, "NCTS2/CC014C", "AES/*"),)), "authorize.no_permission"),
    "no rights at all": (replace(FACTS, direct=(link(10),)), "authorize.no_permission"),
    "chain": (replace(NO_WAY, chains=((link(1, "*"), link(2, NEEDED)),)), "granted"),
    "first link lacks (A2)": (replace(NO_WAY, chains=((link(1, "AES/*"), link(2, "*")),)), "authorize.link_lacks_permission"),
    "second link lacks (A2)": (replace(NO_WAY, chains=((link(1, "*"), link(2, "AES/*")),)), "authorize.link_lacks_permission"),
    "chain's second link ended": (
        replace(NO_WAY, chains=((link(1, "*"), link(2, "*", ended_at=AT - SECOND)),)),
        "authorize.representation_ended",
    ),
    "any way that grants wins": (
        replace(FACTS, direct=(link(3, "AES/*"), link(4, "*", ended_at=AT)), chains=((link(1, "*"), link(2, "NCTS2/*")),)),
        "granted",
    ),
    "nearest: permission before ended": (
        replace(FACTS, direct=(link(3, "*", ended_at=AT), link(4, "AES/*"))),
        "authorize.no_permission",
    ),
    "nearest: link before permission": (
        replace(FACTS, direct=(link(4, "AES/*"),), chains=((link(1, "*"), link(2)),)),
        "authorize.link_lacks_permission",
    ),
    "nearest: ended before not yet": (
        replace(FACTS, direct=(link(3, "*", start=date(2027, 1, 1)), link(4, "*", ended_at=AT))),
        "authorize.representation_ended",
    ),
}


@pytest.mark.parametrize("row", TABLE)
def test_row(row: str) -> None:
    facts, expected = TABLE[row]
    assert code(facts) == expected


def test_every_row_of_the_page_is_tested() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/reference/registry.md").read_text()
    written = set(re.findall(r"`((?:authorize|certificate)\.[a-z_]+)`", page))
    tested = {expected for _, expected in TABLE.values()} | {
        "authorize.no_party",
        "authorize.registry_unavailable",
        "authorize.other_sender",
    }
    assert written | {"granted"} == tested | {"granted"}


@pytest.mark.parametrize("party", [None, ""])
def test_no_party(party: str | None) -> None:
    assert code(FACTS, party=party) == "authorize.no_party"


@pytest.mark.parametrize("permission", ["", "*", "NCTS2/*", "NCTS2", "NCTS2/", "/CC015C", "NCTS2/CC015C/x", "NCTS2/CC015C\n"])
def test_a_request_that_names_no_document_is_granted_by_nothing(permission: str) -> None:
    assert code(replace(FACTS, direct=(link(10, "*", "NCTS2/*"),)), permission=permission) == "authorize.no_permission"


def test_the_reason_names_person_party_permission_link_and_date() -> None:
    denied = decide(replace(NO_WAY, chains=((link(1, "*"), link(2, "AES/*")),)), NEEDED, PARTY, AT)
    assert isinstance(denied, Denied)
    for language in ("pl", "en"):
        text = CODES[denied.code].text(language, denied.context)
        for part in ("Anna Przykładowa", PARTY, NEEDED, "representation 2", "2026-06-15 12:00:00+02:00"):
            assert part in text
        assert "representation 1" not in text


def test_granted_names_links_and_the_three_grades() -> None:
    to_agency = replace(link(1, "*"), principal="PL700000001500000")
    granted = decide(replace(NO_WAY, chains=((to_agency, link(2, "*")),)), NEEDED, PARTY, AT)
    words = ("representation 1: X -> Y", "representation 2: X -> Y")
    assert granted == Granted(words, "80010112340000000", "PL852963741300000", 7, "PL700000001500000")
    direct = decide(FACTS, NEEDED, PARTY, AT)
    assert isinstance(direct, Granted)
    assert direct.agency is None


def test_expiry_to_the_second_in_warsaw() -> None:
    facts = replace(FACTS, direct=(link(10, "*", start=date(2026, 3, 29), end=date(2026, 10, 25)),))
    first, after = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert code(facts, at=first - SECOND) == "authorize.representation_not_yet_valid"
    assert code(facts, at=first) == "granted"
    assert code(facts, at=after - SECOND) == "granted"
    assert code(facts, at=after) == "authorize.representation_expired"
    assert sorted(edges(facts))[1:3] == [first, after]


def test_a_long_party_is_cut_in_the_reason() -> None:
    denied = decide(replace(NO_WAY, party=None), NEEDED, "x" * 10_000, AT)
    assert isinstance(denied, Denied)
    assert len(CODES[denied.code].text("pl", denied.context)) < 300


PARTYS_NAMES, AGENCYS_NAMES = frozenset({PARTY, "8529637413"}), frozenset({"PL700000001500000"})
BOTH_WAYS = replace(
    FACTS,
    direct=(replace(link(10, "NCTS2/CC014C"), names=PARTYS_NAMES),),
    chains=((replace(link(1, "*"), names=AGENCYS_NAMES), replace(link(2, "*"), names=PARTYS_NAMES)),),
)


@pytest.mark.parametrize(
    ("permission", "sender", "expected"),
    [
        (NEEDED, None, "granted"),
        (NEEDED, PARTY, "granted"),
        (NEEDED, "8529637413", "granted"),
        (NEEDED, "PL700000001500000", "granted"),
        (NEEDED, FACTS.person.id_sisc, "granted"),
        (NEEDED, "PL777000111100000", "authorize.other_sender"),
        (NEEDED, "", "authorize.other_sender"),
        ("NCTS2/CC014C", "PL700000001500000", "granted"),  # by the chain; the direct way does not lead over the agency
    ],
)
def test_the_sender_a_document_names_stands_on_the_way(permission: str, sender: str | None, expected: str) -> None:
    decision = decide(BOTH_WAYS, permission, PARTY, AT, sender)
    assert (decision.code if isinstance(decision, Denied) else "granted") == expected


def test_who_acts_for_a_party_alone_does_not_write_his_agency_as_sender() -> None:
    direct_only = replace(BOTH_WAYS, chains=())
    denied = decide(direct_only, "NCTS2/CC014C", PARTY, AT, "PL700000001500000")
    assert isinstance(denied, Denied)
    assert denied.code == "authorize.other_sender"
    _assert_text_is_complete(denied)
