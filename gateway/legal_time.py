"""Legal time: days as they count in Europe/Warsaw; instants are kept in UTC.

A period in days begins on the day after the event and ends with its last day (Ordynacja podatkowa, art. 12 par. 1), so
it is counted on the calendar: a period over a change of the clocks has an hour more or less, and ends at midnight all
the same.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")


def local(at: datetime) -> str:
    """Legal time: Europe/Warsaw with its offset, as xs:dateTime."""
    return at.astimezone(WARSAW).isoformat(timespec="milliseconds")


def end_of_period(event: datetime, days: int) -> datetime:
    """The first instant, UTC, after the last of `days` days that follow the day of `event` in Poland. Raises ValueError for a
    naive instant."""
    if event.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    first_after = event.astimezone(WARSAW).date() + timedelta(days=days + 1)
    return datetime.combine(first_after, time(), WARSAW).astimezone(UTC)
