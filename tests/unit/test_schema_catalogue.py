"""Which edition counts: dates to the second at midnight in Poland, defaults, overlaps, several systems."""

from __future__ import annotations

import timeit
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import Failed, Rejected
from schemas.catalogue import ALWAYS, Catalogue, Edition, check_overlap, midnight
from schemas.package import analyse
from schemas.shipped import documents, read_manifest, shipped_editions
from tests.schema_packages import NOON, edition, ping, xsd

OLD, NEW = ping(), ping("xs:int")
SECOND = timedelta(seconds=1)


def code_of(catalogue: Catalogue, root: str = "Ping", at: datetime = NOON) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        catalogue.identify(root, at)
    return caught.value.code, caught.value.text("en")


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        (date(2026, 1, 1), datetime(2025, 12, 31, 23, tzinfo=UTC)),  # winter: UTC+1
        (date(2026, 7, 1), datetime(2026, 6, 30, 22, tzinfo=UTC)),  # summer: UTC+2
        (date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),  # the day summer time begins is still winter at midnight
        (date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (date(2026, 10, 25), datetime(2026, 10, 24, 22, tzinfo=UTC)),  # the day it ends is still summer at midnight
        (date(2026, 10, 26), datetime(2026, 10, 25, 23, tzinfo=UTC)),
    ],
)
def test_editions_change_at_midnight_in_poland(day: date, instant: datetime) -> None:
    change = midnight(day)
    assert change == instant
    catalogue = Catalogue([edition("old", OLD, ends_at=change), edition("new", NEW, starts_at=change)])
    assert catalogue.identify("Ping", change - SECOND).edition == "old"
    assert catalogue.identify("Ping", change - timedelta(microseconds=1)).edition == "old"
    assert catalogue.identify("Ping", change).edition == "new"


def test_unknown_retired_and_administration_only() -> None:
    ended = edition("1", OLD, ends_at=midnight(date(2026, 1, 1)))
    other = edition("2", analyse({"o.xsd": xsd('<xs:element name="Other"/>')}), direction="out")
    catalogue = Catalogue([ended, other])
    assert code_of(catalogue, "{urn:x}Ping")[0] == "identify.unknown"
    assert "'urn:x'" in code_of(catalogue, "{urn:x}Ping")[1]
    code, text = code_of(catalogue)
    assert code == "identify.edition_retired"
    assert "Edition 1 of document Ping" in text
    assert "2026-11-20" in text
    assert text.endswith("in force: 2.")
    assert code_of(catalogue, "Other")[0] == "identify.administration_only"
    assert catalogue.find("Other", NOON).direction == "out"


def test_an_edition_that_has_not_begun_is_not_in_force() -> None:
    assert code_of(Catalogue([edition("1", OLD, starts_at=NOON + SECOND)]))[0] == "identify.edition_retired"


def test_the_default_counts_where_editions_overlap() -> None:
    switch = midnight(date(2026, 6, 1))
    plain, default = edition("plain", OLD), edition("default", NEW, starts_at=switch, default=True)
    check_overlap(plain, [])
    check_overlap(default, [])
    catalogue = Catalogue([plain, default])
    assert catalogue.identify("Ping", switch).edition == "default"
    assert catalogue.identify("Ping", switch - SECOND).edition == "plain"


def test_an_imported_default_outranks_a_shipped_one() -> None:
    shipped, imported = edition("s", OLD, default=True, shipped=True), edition("i", NEW, default=True)
    check_overlap(imported, [shipped])
    assert Catalogue([shipped, imported]).identify("Ping", NOON).edition == "i"


def overlap(new: Edition, *others: Edition) -> str:
    with pytest.raises(Failed) as caught:
        check_overlap(new, others)
    assert caught.value.code == "schemas.overlap"
    return caught.value.text("en")


def test_overlaps_without_a_default_are_refused_with_the_first_day() -> None:
    one = edition("1", OLD, ends_at=midnight(date(2026, 7, 1)))
    text = overlap(edition("2", NEW, starts_at=midnight(date(2026, 6, 1))), one)
    assert "from 2026-06-01 for Ping" in text
    assert "--default" in text
    assert "always" in overlap(edition("2", NEW), one)
    assert overlap(edition("2", NEW, default=True), edition("1", OLD, default=True))  # two defaults decide nothing
    assert overlap(edition("2", OLD), edition("1", OLD))  # the same files are two editions all the same
    check_overlap(edition("2", NEW, starts_at=midnight(date(2026, 7, 1))), [one])
    check_overlap(edition("2", NEW, system="OTHER"), [one])
    check_overlap(edition("1", NEW), [one])  # it takes the place of the one of its name
    check_overlap(edition("2", analyse({"o.xsd": xsd('<xs:element name="Other"/>')})), [one])


def test_a_default_that_covers_only_a_part_leaves_the_rest_undecided() -> None:
    default = edition("d", OLD, starts_at=midnight(date(2026, 3, 1)), ends_at=midnight(date(2026, 5, 1)), default=True)
    others = [edition("1", OLD, starts_at=midnight(date(2026, 3, 1))), default]
    assert "from 2026-05-01" in overlap(edition("2", NEW, starts_at=midnight(date(2026, 4, 1))), *others)
    check_overlap(edition("2", NEW, starts_at=midnight(date(2026, 4, 1)), ends_at=midnight(date(2026, 5, 1))), others)


def test_an_edition_must_end_after_it_begins() -> None:
    with pytest.raises(Failed, match=r"schemas\.dates"):
        check_overlap(edition("1", OLD, starts_at=NOON, ends_at=NOON), [])


def test_of_several_systems_the_one_with_a_default_counts_and_else_none() -> None:
    plain, other = edition("1", OLD, system="A"), edition("1", NEW, system="B")
    assert code_of(Catalogue([plain, other])) == (
        "identify.ambiguous",
        "Document Ping belongs to several systems (B, A) and none is the default. Contact the customs office.",
    )
    assert Catalogue([plain, other]).find("Ping", NOON, "A").system == "A"
    default = edition("2", NEW, system="B", default=True)
    assert Catalogue([plain, default]).identify("Ping", NOON).system == "B"
    shipped = edition("1", OLD, system="A", default=True, shipped=True)
    assert Catalogue([shipped, default]).identify("Ping", NOON).system == "A"
    ended = edition("1", OLD, system="A", ends_at=NOON)
    assert Catalogue([ended, other]).identify("Ping", NOON).system == "B"
    assert code_of(Catalogue([ended, edition("1", NEW, system="B", ends_at=NOON)]))[0] == "identify.edition_retired"


def test_identifying_takes_microseconds() -> None:
    catalogue = Catalogue(
        [edition(str(n), OLD, starts_at=midnight(date(2000 + n, 1, 1)), ends_at=midnight(date(2001 + n, 1, 1))) for n in range(30)]
    )
    best = min(timeit.repeat(lambda: catalogue.identify("Ping", NOON), number=2000, repeat=7)) / 2000
    assert catalogue.identify("Ping", NOON).edition == "26"
    assert best < 5e-6


MANIFEST = """
system = "TEST"
edition = "E1"
from = 2026-01-01
to = 2027-01-01
default = true
[documents]
Ping = { direction = "in", role = "declaration" }
"""


def test_a_shipped_edition_is_read_from_its_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "test" / "e1"
    folder.mkdir(parents=True)
    (folder / "edition.toml").write_text(MANIFEST)
    (folder / "a.xsd").write_bytes(xsd('<xs:element name="Ping"/><xs:element name="Pong"/>'))
    (found,) = shipped_editions(tmp_path)
    assert (found.system, found.name, found.default, found.shipped) == ("TEST", "E1", True, True)
    assert (found.starts_at, found.ends_at) == (midnight(date(2026, 1, 1)), midnight(date(2027, 1, 1)))
    assert found.documents["Ping"].role == "declaration"
    assert found.documents["Ping"].direction == "in"
    assert found.documents["Pong"].direction == "out"  # not named in the manifest: closed
    (folder / "edition.toml").write_text(MANIFEST + 'Pang = { direction = "in" }\n')
    with pytest.raises(Failed, match="no schema file declares Pang"):
        shipped_editions(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('system = "TEST"', ""),
        ("from = 2026-01-01", 'from = "2026-01-01"'),
        ("from = 2026-01-01", "from = 2026-01-01T10:00:00Z"),
        ("default = true", "default = 1"),
        ('"in"', '"inn"'),
        ("default", "defualt"),
        ('"E1"', '"E1'),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "edition.toml"
    path.write_text(MANIFEST.replace(old, new))
    with pytest.raises(Failed) as caught:
        read_manifest(path)
    assert caught.value.code == "schemas.manifest"


def test_what_brama_ships_loads_and_overlaps_nowhere() -> None:
    editions = shipped_editions()
    for found in editions:
        check_overlap(found, [other for other in editions if other is not found])


def test_directions_of_an_import() -> None:
    found = documents(OLD, lambda name: ("out", name.lower()))
    assert (found["Ping"].direction, found["Ping"].role) == ("out", "ping")
    assert edition("1", OLD).starts_at == ALWAYS
