"""The decision: who may do what for whom, from facts alone. Pure; no clock, no database.

The rules, in order; the first that fails is the answer (see docs/reference/registry.md for the table):

1. the account exists, is active, and a person is bound to it;
2. the certificate is registered, and it is that of the account's own person;
3. it is not revoked and within its validity;
4. the document names a party, and the party is registered;
5. some way leads from the person to the party at that instant with the permission: a direct representation, or two
   links person -> agency -> party that both have it. Any way that grants wins; if none does, the reason is that of the
   way that came nearest. A person has no way to himself: who trades in his own name is registered as an entity too;
6. the sender that the document names, if it names one, is on that way: the party, the agency or the person. Customs answers
   are given to whom the document names as its sender, so nobody may write another's name there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.message import Decision, Denied, Granted
from registry.dates import in_warsaw
from registry.facts import Facts, Link, Person
from registry.permissions import covers

LONGEST_NAME = 64  # of a party as the document names it: it is the sender's text and goes into receipts


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why one way does not lead there. The greater `nearness`, the nearer it came."""

    nearness: int
    code: str
    context: dict[str, object]


def decide(facts: Facts, permission: str, party: str | None, at: datetime, sender: str | None = None) -> Decision:
    """May the caller of `facts` do `permission` for `party` at the aware instant `at`, signing himself `sender` (None: the
    document names no sender)?"""

    def denied(code: str, **context: object) -> Denied:
        return Denied(code, {**context, "date": in_warsaw(at)}, facts.generation)

    person = _caller(facts, at)
    if isinstance(person, _Obstacle):
        return Denied(person.code, person.context, facts.generation)
    if not party:
        return denied("authorize.no_party")
    named = party[:LONGEST_NAME]
    if facts.party is None:
        return denied("authorize.unknown_party", party=named)
    nearest: _Obstacle | None = None
    for way in _ways(facts):
        obstacle = _obstacle(way, permission, at) or _other_sender(way, person, sender)
        if obstacle is None:
            agency = way[0].principal if len(way) == 2 else None
            return Granted(tuple(link.words for link in way), person.id_sisc, facts.party.id_sisc, facts.generation, agency)
        if nearest is None or obstacle.nearness > nearest.nearness:
            nearest = obstacle
    about = {"person": person.name, "party": named, "permission": permission}
    if nearest is None:
        return denied("authorize.no_representation", **about)
    return denied(nearest.code, **about, **nearest.context)


def edges(facts: Facts) -> list[datetime]:
    """The instants at which the decision from these facts may change."""
    links = [link for way in _ways(facts) for link in way]
    found = [edge for link in links for edge in (link.valid_from, link.valid_to, link.ended_at)]
    if facts.certificate is not None:
        found += [facts.certificate.valid_from, facts.certificate.valid_to, facts.certificate.revoked_at]
    return [edge for edge in found if edge is not None]


def _ways(facts: Facts) -> Iterator[tuple[Link, ...]]:
    """Direct ones first, then by number: the same facts always name the same links."""
    yield from ((link,) for link in sorted(facts.direct, key=lambda link: link.representation_id))
    yield from sorted(facts.chains, key=lambda chain: [link.representation_id for link in chain])


def _caller(facts: Facts, at: datetime) -> Person | _Obstacle:
    """The person who calls and signed, or what is wrong with the account or the certificate, before anyone asks for whom."""
    person, certificate = facts.person, facts.certificate
    if facts.account is None or not facts.account.active:
        return _Obstacle(0, "authorize.account_inactive", {})
    if person is None:
        return _Obstacle(0, "authorize.account_without_person", {})
    if certificate is None:
        return _Obstacle(0, "authorize.certificate_unknown", {})
    if certificate.person_id != person.person_id:
        return _Obstacle(0, "authorize.other_person", {})
    if certificate.revoked_at is not None and certificate.revoked_at <= at:
        return _Obstacle(0, "certificate.revoked", {"subject": certificate.subject, "date": in_warsaw(certificate.revoked_at)})
    if at < certificate.valid_from:
        return _Obstacle(0, "certificate.not_yet_valid", {"subject": certificate.subject, "date": in_warsaw(certificate.valid_from)})
    if certificate.valid_to <= at:
        return _Obstacle(0, "certificate.expired", {"subject": certificate.subject, "date": in_warsaw(certificate.valid_to)})
    return person


def _obstacle(way: tuple[Link, ...], permission: str, at: datetime) -> _Obstacle | None:
    """Why this way does not lead to the party with `permission` at `at`; None if it does."""
    for link in way:
        if link.ended_at is not None and link.ended_at <= at:
            return _Obstacle(2, "authorize.representation_ended", {"link": link.words, "ended": in_warsaw(link.ended_at)})
        if link.valid_to is not None and link.valid_to <= at:
            return _Obstacle(2, "authorize.representation_expired", {"link": link.words, "valid_to": in_warsaw(link.valid_to)})
        if at < link.valid_from:
            return _Obstacle(1, "authorize.representation_not_yet_valid", {"link": link.words, "valid_from": in_warsaw(link.valid_from)})
    lacking = [link for link in way if not covers(link.rights, permission)]
    if not lacking:
        return None
    if len(way) == 1:
        return _Obstacle(3, "authorize.no_permission", {"link": way[0].words})
    return _Obstacle(4, "authorize.link_lacks_permission", {"link": "; ".join(link.words for link in lacking)})


def _other_sender(way: tuple[Link, ...], person: Person, sender: str | None) -> _Obstacle | None:
    """Why the document may not name this sender; None if it may."""
    if sender is None or sender == person.id_sisc or any(sender in link.names for link in way):
        return None
    return _Obstacle(5, "authorize.other_sender", {"sender": sender[:LONGEST_NAME]})
