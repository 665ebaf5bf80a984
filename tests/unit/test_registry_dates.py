"""Warsaw days as instants, across both changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from registry.dates import end_of, in_warsaw, read_day, read_moment, start_of


def test_day_boundaries_in_winter_and_summer() -> None:
    assert start_of(date(2026, 1, 1)) == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert end_of(date(2026, 7, 1)) == datetime(2026, 7, 1, 22, tzinfo=UTC)


def test_days_of_23_and_25_hours() -> None:
    assert (end_of(date(2026, 3, 29)) - start_of(date(2026, 3, 29))).total_seconds() == 23 * 3600
    assert (end_of(date(2026, 10, 25)) - start_of(date(2026, 10, 25))).total_seconds() == 25 * 3600


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "20260101", "2026-1-1", "", "yesterday", "1812-01-01", "9999-12-31"])
def test_impossible_days_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        read_day(text)


def test_moments() -> None:
    assert read_moment("2026-07-01") == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert read_moment("2026-07-01T12:00:00") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert read_moment("2026-07-01T12:00:00Z") == datetime(2026, 7, 1, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="not a time"):
        read_moment("2026-07-01T25:00:00")


def test_the_repeated_hour_is_told_apart() -> None:
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert in_warsaw(first) == "2026-10-25 02:30:00+02:00"
    assert in_warsaw(second) == "2026-10-25 02:30:00+01:00"
