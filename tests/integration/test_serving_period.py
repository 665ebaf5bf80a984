"""An official document that waits for its UPD: reminders, the end of the period, with a clock of the test's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.channels.lapses import GRACE
from gateway.channels.tables import serving_papers, servings
from gateway.database import Database
from gateway.legal_time import end_of_period
from gateway.settings import Settings
from tests.serving import House, held, informations, refused, serving


@pytest.fixture
def house(tmp_path: Path, database: Database) -> House:
    return House(tmp_path / "house", database, "CC060C")


def test_reminders_then_the_pnd_with_the_document(house: House) -> None:
    decision = held(house)
    issued, scheduler = house.clock.at, house.scheduler()
    assert scheduler.run(house.clock.at) == 0
    house.clock.at = end_of_period(issued, 7)
    assert [scheduler.run(house.clock.at), scheduler.run(house.clock.at)] == [1, 0]
    house.clock.at = end_of_period(issued, 12)
    assert [scheduler.run(house.clock.at), scheduler.run(house.clock.at)] == [1, 0]
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie", "Zawiadomienie"]
    assert informations(house.last("Zawiadomienie"), "NumerZawiadomienia") == ["2"]
    house.clock.at = end_of_period(issued, 14)
    assert scheduler.run(house.clock.at) == 0, "what was received at the last moment may still be on its way into the store"
    house.clock.at += GRACE
    assert [scheduler.run(house.clock.at), scheduler.run(house.clock.at)] == [1, 0]
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie", "Zawiadomienie", "PND", "CC060C"]
    assert house.last("CC060C") == decision
    row = serving(house)
    assert (row.state, row.notices, row.next_at) == ("lapsed", 2, None)
    with house.database.reading() as connection:
        kept = connection.execute(select(serving_papers.c.paper).order_by(serving_papers.c.paper)).scalars().all()
    assert kept == ["PND", "UPD", "document", "notice 1", "notice 2"]
    assert informations(house.last("PND"), "IdentyfikatorUPD") == [row.certificate_id]


def test_after_a_standstill_one_reminder_and_not_two(house: House) -> None:
    held(house)
    at = house.clock.pass_(days=13)
    assert [house.scheduler().run(at), house.scheduler().run(at)] == [1, 0]
    assert informations(house.last("Zawiadomienie"), "NumerZawiadomienia") == ["2"]


def test_without_notices_the_period_ends_all_the_same(house: House) -> None:
    house.settings = house.settings.model_copy(update={"serving_notices": ()})
    house.reprofile("CC060C")
    held(house)
    due = end_of_period(house.clock.at, 14)
    house.scheduler().run(due)
    assert house.kinds() == ["UPP", "UPD"]
    assert house.scheduler().run(due + GRACE) == 1
    assert house.kinds() == ["UPP", "UPD", "PND", "CC060C"]


def test_after_a_long_standstill_no_reminder_but_the_pnd(house: House) -> None:
    held(house)
    at = house.clock.pass_(days=40)
    assert [house.scheduler().run(at), house.scheduler().run(at)] == [1, 0]
    assert house.kinds() == ["UPP", "UPD", "PND", "CC060C"]


def test_signed_at_the_last_moment_and_too_late_a_moment_later(house: House) -> None:
    held(house, "L1")
    first = house.last("UPD")
    held(house, "L2")
    second = house.last("UPD")
    due = end_of_period(house.clock.at, 14)
    house.clock.at = due
    refused(house, house.sign(second), "confirm.too_late")  # also before the scheduler comes round
    house.clock.pass_(microseconds=-1)
    house.send(house.sign(first))
    house.clock.at = due + GRACE
    assert house.scheduler().run(house.clock.at) == 1
    refused(house, house.sign(second), "confirm.too_late")
    with house.database.reading() as connection:
        assert connection.execute(select(servings.c.state).order_by(servings.c.id)).scalars().all() == ["signed", "lapsed"]
    assert house.kinds().count("CC060C") == 2
    assert house.kinds().count("PND") == 1


def test_once_signed_nobody_is_reminded(house: House) -> None:
    held(house)
    house.send(house.sign(house.last("UPD")))
    assert house.scheduler().run(house.clock.pass_(days=40)) == 0
    assert house.kinds() == ["UPP", "UPD", "UPP", "CC060C"]


def test_other_days_in_the_settings_move_the_next_look_and_not_the_period(house: House) -> None:
    """A serving keeps the end it was issued with; reminders follow the settings of the day."""
    held(house)
    issued = house.clock.at
    house.settings = house.settings.model_copy(update={"serving_notices": (10,)})
    house.scheduler().run(end_of_period(issued, 7))
    assert house.kinds() == ["UPP", "UPD"]
    assert house.scheduler().run(end_of_period(issued, 10) - timedelta(seconds=1)) == 0
    assert house.scheduler().run(end_of_period(issued, 10)) == 1
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie"]
    assert serving(house).due_at == end_of_period(issued, 14)


def test_no_operation_may_outlast_the_grace_for_what_came_at_the_last_moment(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="operation_seconds"):
        Settings(home=tmp_path, operation_seconds=GRACE.total_seconds())
