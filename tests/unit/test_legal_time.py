"""Legal time: periods in days are counted on the Polish calendar, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legal_time import end_of_period, local

WARSAW = ZoneInfo("Europe/Warsaw")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("event", "days", "end"),
    [
        pytest.param("2026-01-10T12:00:00+01:00", 14, "2026-01-24T23:00:00Z", id="winter"),
        pytest.param("2026-07-01T00:00:00+02:00", 14, "2026-07-15T22:00:00Z", id="first instant of a summer day"),
        pytest.param("2026-07-01T23:59:59.999999+02:00", 14, "2026-07-15T22:00:00Z", id="last instant of the same day"),
        pytest.param("2026-03-20T12:00:00+01:00", 14, "2026-04-03T22:00:00Z", id="over the start of summer time: an hour less"),
        pytest.param("2026-10-20T12:00:00+02:00", 14, "2026-11-03T23:00:00Z", id="over its end: an hour more"),
        pytest.param("2026-03-15T12:00:00+01:00", 14, "2026-03-29T22:00:00Z", id="the last day is the one with 23 hours"),
        pytest.param("2026-10-11T12:00:00+02:00", 14, "2026-10-25T23:00:00Z", id="the last day is the one with 25 hours"),
        pytest.param("2026-01-10T23:30:00Z", 14, "2026-01-25T23:00:00Z", id="in Poland it is the next day already"),
        pytest.param("2026-10-25T00:30:00Z", 1, "2026-10-26T23:00:00Z", id="the hour that comes twice, first time"),
        pytest.param("2026-10-25T01:30:00Z", 1, "2026-10-26T23:00:00Z", id="and second time"),
        pytest.param("2024-02-15T10:00:00+01:00", 14, "2024-02-29T23:00:00Z", id="leap day"),
        pytest.param("2026-12-24T10:00:00+01:00", 14, "2027-01-07T23:00:00Z", id="over the year"),
    ],
)
def test_a_period_ends_with_its_last_day_in_poland(event: str, days: int, end: str) -> None:
    found = end_of_period(at(event), days)
    assert found == at(end)
    assert found.tzinfo is UTC


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        end_of_period(datetime(2026, 1, 1), 14)  # noqa: DTZ001


def test_legal_time_is_told_with_its_offset() -> None:
    assert local(at("2026-10-25T00:30:00Z")) == "2026-10-25T02:30:00.000+02:00"
    assert local(at("2026-10-25T01:30:00Z")) == "2026-10-25T02:30:00.000+01:00"


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 366),
)
def test_the_end_is_midnight_in_poland_and_every_day_counts_whole(event: datetime, days: int) -> None:
    end = end_of_period(event, days).astimezone(WARSAW)
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    assert end.date() - event.astimezone(WARSAW).date() == timedelta(days=days + 1)
