"""One running set-up for most tests; each test gets a trader, and so a mailbox, of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.caller import Caller, spares
from tests.acceptance.estate import Estate

TRADERS = 60


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    estate = Estate(tmp_path_factory.mktemp("acceptance") / "house", persons=TRADERS)
    try:
        yield estate.start()
    finally:
        estate.stop()


@pytest.fixture(scope="session")
def spare(house: Estate) -> Callable[[], Caller]:
    return spares(house, TRADERS - 2)  # the last two are those of test_reading.py


@pytest.fixture
def another(spare: Callable[[], Caller]) -> Callable[[], Caller]:
    return spare


@pytest.fixture
def trader(spare: Callable[[], Caller]) -> Caller:
    return spare()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and a filled registry, made once."""
    estate = Estate(tmp_path_factory.mktemp("template") / "house")
    estate.fill()
    return estate.home


@pytest.fixture
def own(tmp_path: Path, template: Path) -> Iterator[Callable[..., Estate]]:
    """Makes a set-up for this test alone, whose processes it may kill; not started yet."""
    made: list[Estate] = []

    def make(**settings: object) -> Estate:
        made.append(Estate(tmp_path / f"house{len(made)}", template=template, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for estate in made:
        estate.stop()
