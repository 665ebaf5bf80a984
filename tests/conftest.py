"""What every test may use: a fresh database file, and the rule that nothing may be skipped where everything is demanded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.database import Database, metadata
from gateway.migrations import tables

assert tables  # all rooms' tables are known to the metadata


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'brama.db'}")
    metadata.create_all(database.engine)
    yield database
    database.engine.dispose()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """With BRAMA_TEST_REQUIRE=all only tests that need Maven or the published corpora may skip; any other skip fails."""
    report = yield
    if report.skipped and os.environ.get("BRAMA_TEST_REQUIRE") == "all" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason.lower() for allowed in ("maven", "corpora", "published")):
            report.outcome = "failed"
            report.longrepr = f"skipped although everything is required: {reason}"
    return report
