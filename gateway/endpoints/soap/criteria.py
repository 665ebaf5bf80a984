"""The criteria of the reading operations, as either edition of the contract writes them.

Read as leniently as the rest of the outer request: unknown elements are passed over, an empty one counts as absent. What is
there must mean something: a filter that was silently dropped would hand out too much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.collection import Search, Wanted
from gateway.endpoints.soap.contract import PULL, SYSTEMS, TRADER
from gateway.endpoints.soap.envelope import Element, qualified, unreadable
from gateway.errors import Rejected

WARSAW = ZoneInfo("Europe/Warsaw")
LONGEST_PERIOD = timedelta(days=10)
_LONGEST_VALUE = 255
_MICROSECOND = timedelta(microseconds=1)

_ZONE = r"(?P<zone>Z|[+-](?:0\d|1[0-4]):[0-5]\d)?"
_DATE = re.compile(rf"(?P<day>\d{{4}}-\d\d-\d\d){_ZONE}", re.ASCII)
_DATE_TIME = re.compile(rf"(?P<day>\d{{4}}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d(?:\.\d{{1,9}})?){_ZONE}", re.ASCII)
_MIDNIGHT = re.compile(r"24:00:00(\.0+)?")  # XML Schema's other name for the next day's beginning
EARLIEST, LATEST = 1900, 2999  # years
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def read_wanted(request: Element) -> Wanted:
    """The filters of GetNextDocumentRequest, GetNextDocumentSiscRequest or GetDocumentsRequest.

    Raises Rejected(receive.request | read.criterion | read.unknown_system).
    """
    return Wanted(
        system=_system(_value(request, "targetSystem")),
        person=_value(request, "idSiscROF"),
        agency=_value(request, "idSiscROP"),
        party=_value(request, "idSiscP"),
        all_employees=_boolean(request, "allEmployees"),
    )


def read_search(request: Element) -> Search:
    """All criteria of GetDocumentsRequest. Raises Rejected(receive.request | read.criterion | read.unknown_system | read.period)."""
    since, until = _period(_value(request, "dataOd"), _value(request, "dataDo"))
    return Search(
        wanted=read_wanted(request),
        sys_ref=_value(request, "sysRef"),
        dispatch_id=_value(request, "idWysylki"),
        own_id=_value(request, "idDocSysZew"),
        case_id=_value(request, "idSprawy"),
        correlation=_value(request, "korelacjaSysref"),
        collected=_collected(_value(request, "pobrany")),
        since=since,
        until=until,
    )


def _value(request: Element, name: str) -> str | None:
    found = request.all(qualified(PULL, name))
    if len(found) > 1:
        raise unreadable(f"element {name} stands {len(found)} times", f"element {name} występuje {len(found)} razy")
    text = found[0].text.strip() if found else ""
    if len(text) > _LONGEST_VALUE:
        raise _wrong(name, text, f"at most {_LONGEST_VALUE} characters", f"najwyżej {_LONGEST_VALUE} znaków")
    return text or None


def _system(name: str | None) -> str | None:
    """The catalogue's code. Everything on its way to a trader is addressed to PODMIOT, so that asks for nothing in particular."""
    if name is None or name == TRADER:
        return None
    if name not in SYSTEMS:
        raise Rejected("read.unknown_system", system=name[:40], known=", ".join(sorted(SYSTEMS)))
    return SYSTEMS[name]


def _boolean(request: Element, name: str) -> bool:
    text = _value(request, name)
    if text is None:
        return False
    if text not in _BOOLEANS:
        raise _wrong(name, text, "true or false", "true albo false")
    return _BOOLEANS[text]


def _collected(text: str | None) -> bool | None:
    if text not in (None, "0", "1"):
        raise _wrong("pobrany", text or "", "0 (not collected yet), 1 (collected) or nothing", "0 (niepobrane), 1 (pobrane) albo nic")
    return None if text is None else text == "1"


def _period(first: str | None, last: str | None) -> tuple[datetime | None, datetime | None]:
    """[since, until) in UTC; None where nothing is given. Raises Rejected(read.criterion | read.period).

    The ten days are counted on the clock, and a day as its beginning: from the 1st to the 11th is ten days, and the 11th is
    still searched whole.
    """
    since, until = _moment("dataOd", first), _moment("dataDo", last)
    begin = None if since is None else since.begin
    end = None if until is None else until.end
    if since is not None and until is not None and begin is not None and end is not None:
        length = until.clock - since.clock  # of the same zone: by the clock, also when it was set forward or back in between
        if length > LONGEST_PERIOD or end <= begin:
            raise Rejected("read.period")
    return begin, end


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time on the clock of its zone, or the beginning of a whole day there."""

    clock: datetime
    whole_day: bool

    @property
    def begin(self) -> datetime:
        """UTC. Of an hour that comes twice in autumn the first is meant; one that spring skips counts by either clock, so that
        software which subtracts from its local time finds what came before the skip."""
        return min(self._instants())

    @property
    def end(self) -> datetime:
        """The first instant after it, UTC; of an hour that comes twice, or never, by the later clock."""
        if self.whole_day:
            return (self.clock + timedelta(days=1)).astimezone(UTC)
        return max(self._instants()) + _MICROSECOND

    def _instants(self) -> tuple[datetime, datetime]:
        return self.clock.replace(fold=0).astimezone(UTC), self.clock.replace(fold=1).astimezone(UTC)


def _moment(name: str, text: str | None) -> _Moment | None:
    """Where no zone is written it is legal time, Europe/Warsaw. Raises Rejected(read.criterion)."""
    if text is None:
        return None
    match = _DATE.fullmatch(text) or _DATE_TIME.fullmatch(text)
    try:
        if match is not None and EARLIEST <= (day := date.fromisoformat(match["day"])).year <= LATEST:
            return _read_moment(day, match.groupdict().get("time"), match["zone"])
    except ValueError:
        pass  # told below
    raise _wrong(name, text, "a day (2026-03-01) or a time (2026-03-01T12:00:00)", "dzień (2026-03-01) albo czas (2026-03-01T12:00:00)")


def _read_moment(day: date, clock: str | None, zone: str | None) -> _Moment:
    where = WARSAW if zone is None else datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo
    if clock is None:
        return _Moment(datetime.combine(day, time(), where), whole_day=True)
    if _MIDNIGHT.fullmatch(clock):
        return _Moment(datetime.combine(day + timedelta(days=1), time(), where), whole_day=False)
    return _Moment(datetime.combine(day, time.fromisoformat(clock), where), whole_day=False)


def _wrong(name: str, text: str, wants: str, wants_pl: str) -> Rejected:
    return Rejected("read.criterion", name=name, value=text[:40], detail=wants, detail_pl=wants_pl)
