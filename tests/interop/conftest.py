"""One running set-up for all stacks; each test gets a trader, and so a mailbox, of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.caller import Caller, spares
from tests.acceptance.estate import Estate
from tests.interop.toolchains import generated

TRADERS = 99  # of two figures: the idSISC of a hundredth would be that of the tenth


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    estate = Estate(tmp_path_factory.mktemp("interop") / "house", persons=TRADERS)
    try:
        yield estate.start(speed=20)
    finally:
        estate.stop()


@pytest.fixture(scope="session")
def spare(house: Estate) -> Callable[[], Caller]:
    return spares(house, TRADERS)


@pytest.fixture
def trader(spare: Callable[[], Caller]) -> Caller:
    return spare()


@pytest.fixture(scope="session")
def cxf(house: Estate) -> Path:
    """What CXF's wsdl2java made of the served WSDL."""
    return generated(house, "cxf")
