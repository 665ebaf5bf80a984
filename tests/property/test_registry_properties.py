"""What must hold for all registries: more rights never take away, less never gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.message import Granted
from registry.dates import WARSAW, end_of, start_of
from registry.decide import decide, edges
from registry.facts import Account, Certificate, Entity, Facts, Link, Person
from registry.permissions import covers

START = datetime(2026, 1, 1, tzinfo=UTC)
RIGHTS = ["*", "NCTS2/*", "NCTS2/CC015C", "NCTS2/CC014C", "AES/*", "AES/CC515C"]
NEEDED = ["NCTS2/CC015C", "NCTS2/CC014C", "AES/CC515C", "ICS/IE315", "", "*"]

instants = st.integers(0, 20).map(lambda step: START + timedelta(hours=step))
needed = st.sampled_from(NEEDED)
rights = st.frozensets(st.sampled_from(RIGHTS), max_size=3)
links = st.builds(
    Link,
    st.integers(1, 50),
    st.just("representation"),
    instants,
    st.none() | instants,
    st.none() | instants,
    rights,
)
certificates = st.builds(Certificate, st.integers(1, 2), st.just("CN=A"), st.just(START), instants, st.none() | instants)
facts = st.builds(
    Facts,
    st.just(1),
    st.none() | st.builds(Account, st.booleans(), st.just(1)),
    st.none() | st.just(Person(1, "80010112340000000", "A B")),
    st.none() | certificates,
    st.none() | st.just(Entity(1, "PL852963741300000", "E")),
    st.lists(links, max_size=3).map(tuple),
    st.lists(st.tuples(links, links), max_size=3).map(tuple),
)
able = st.builds(  # facts with nothing wrong but, perhaps, the ways
    lambda some, end: replace(
        some,
        account=Account(True, 1),
        person=Person(1, "80010112340000000", "A B"),
        certificate=Certificate(1, "CN=A", START, START + timedelta(days=9), end),
        party=Entity(1, "PL852963741300000", "E"),
    ),
    facts,
    st.none() | instants,
)


def granted(given_facts: Facts, permission: str, at: datetime) -> bool:
    return isinstance(decide(given_facts, permission, "P", at), Granted)


@settings(max_examples=300, deadline=None)
@given(able, needed, instants, links, links, rights)
def test_adding_a_link_or_right_never_takes_away(
    some: Facts, permission: str, at: datetime, one: Link, two: Link, more: frozenset[str]
) -> None:
    if not granted(some, permission, at):
        return
    assert granted(replace(some, direct=(one, *some.direct)), permission, at)
    assert granted(replace(some, chains=((one, two), *some.chains)), permission, at)
    wider = tuple(replace(each, rights=each.rights | more) for each in some.direct)
    chains = tuple((replace(a, rights=a.rights | more), b) for a, b in some.chains)
    assert granted(replace(some, direct=wider, chains=chains), permission, at)


@settings(max_examples=300, deadline=None)
@given(able, needed, instants, instants)
def test_ending_revoking_suspending_never_grants(some: Facts, permission: str, at: datetime, end: datetime) -> None:
    if granted(some, permission, at):
        return

    def ended(each: Link) -> Link:
        return replace(each, ended_at=min(end, each.ended_at or end))

    assert not granted(replace(some, direct=tuple(map(ended, some.direct))), permission, at)
    assert not granted(replace(some, chains=tuple((ended(a), b) for a, b in some.chains)), permission, at)
    assert some.certificate is not None
    revoked = replace(some.certificate, revoked_at=min(end, some.certificate.revoked_at or end))
    assert not granted(replace(some, certificate=revoked), permission, at)
    assert not granted(replace(some, account=Account(False, 1)), permission, at)


@settings(max_examples=300, deadline=None)
@given(facts, needed, instants)
def test_an_ended_way_or_revoked_certificate_does_not_grant(some: Facts, permission: str, at: datetime) -> None:
    """The reverse of every grant: whatever grants, ending all its links or revoking the certificate by then denies."""
    direct = tuple(replace(each, ended_at=at) for each in some.direct)
    chains = tuple((a, replace(b, ended_at=at)) for a, b in some.chains)
    assert not granted(replace(some, direct=direct, chains=chains), permission, at)
    if some.certificate is not None:
        assert not granted(replace(some, certificate=replace(some.certificate, revoked_at=at)), permission, at)


@settings(max_examples=300, deadline=None)
@given(rights, rights, needed)
def test_two_links_give_only_what_both_have(first: frozenset[str], second: frozenset[str], permission: str) -> None:
    one, two = Link(1, "", START, None, None, first), Link(2, "", START, None, None, second)
    whole = Facts(
        1,
        Account(True, 1),
        Person(1, "80010112340000000", "A B"),
        Certificate(1, "CN=A", START, START + timedelta(days=1), None),
        Entity(1, "PL852963741300000", "E"),
    )
    chain = granted(replace(whole, chains=((one, two),)), permission, START)
    assert chain == (
        granted(replace(whole, direct=(one,)), permission, START) and granted(replace(whole, direct=(two,)), permission, START)
    )
    assert chain == (covers(first, permission) and covers(second, permission))


@settings(max_examples=200, deadline=None)
@given(able, st.dates(date(2000, 1, 1), date(2099, 12, 30)), st.integers(0, 400))
def test_expiry_is_exact_to_the_second_in_warsaw(some: Facts, first: date, days: int) -> None:
    last = min(first + timedelta(days=days), date(2099, 12, 31))
    only = Link(1, "", start_of(first), end_of(last), None, frozenset({"*"}))
    wide = Certificate(1, "CN=A", datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC), None)
    whole = replace(some, certificate=wide, direct=(only,), chains=())
    second = timedelta(seconds=1)
    assert not granted(whole, "A/B", only.valid_from - second)
    assert granted(whole, "A/B", only.valid_from)
    assert only.valid_from.astimezone(WARSAW).isoformat()[:19] == f"{first}T00:00:00"
    assert only.valid_to is not None
    assert granted(whole, "A/B", only.valid_to - second)
    assert not granted(whole, "A/B", only.valid_to)
    assert (only.valid_to - second).astimezone(WARSAW).isoformat()[:19] == f"{last}T23:59:59"


@settings(max_examples=300, deadline=None)
@given(facts, needed, instants, instants)
def test_between_two_edges_nothing_changes(some: Facts, permission: str, at: datetime, later: datetime) -> None:
    """What the cache relies on."""
    low, high = min(at, later), max(at, later)
    if not any(low < edge <= high for edge in edges(some)):
        first, second = decide(some, permission, "P", low), decide(some, permission, "P", high)
        assert type(first) is type(second)
        if isinstance(first, Granted):
            assert first == second
