"""Days of Europe/Warsaw and the instants they stand for.

Powers of attorney are written in days; decisions are made in instants. A day begins at its own midnight in Warsaw and
ends, exclusively, at the next one, also when the clocks change (a day of 23 or 25 hours).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


def start_of(day: date) -> datetime:
    """The first instant of `day` in Warsaw, UTC."""
    return datetime.combine(day, time(), WARSAW).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The first instant that is no longer `day` in Warsaw, UTC."""
    return start_of(day + timedelta(days=1))


def read_day(text: str) -> date:
    """The day written `YYYY-MM-DD`. Raises ValueError with what to change."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or not EARLIEST <= day <= LATEST:
        raise ValueError(f"'{text}' is not a day; write YYYY-MM-DD, between {EARLIEST} and {LATEST}")
    return day


def read_moment(text: str) -> datetime:
    """The instant, UTC, of an ISO 8601 date-time or a day (its start); without an offset it is Warsaw time.

    Raises ValueError with what to change.
    """
    if len(text) == 10:
        return start_of(read_day(text))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or not EARLIEST <= at.date() <= LATEST:
        raise ValueError(f"'{text}' is not a time; write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, with an offset or in Warsaw time")
    return (at if at.tzinfo else at.replace(tzinfo=WARSAW)).astimezone(UTC)


def in_warsaw(at: datetime) -> str:
    """`at` as people in Poland read it, to the second, with its offset so that no hour is ambiguous."""
    return at.astimezone(WARSAW).isoformat(" ", "seconds")
