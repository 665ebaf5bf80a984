"""What every test may use: a fresh database file, and the rule that nothing may be skipped where everything is demanded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.database import Database, open_engine
from gateway.migrations import upgrade


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file as the migrations make it, for copying."""
    path = tmp_path_factory.mktemp("migrated") / "brama.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    shutil.copy(migrated, tmp_path / "brama.db")
    database = Database(f"sqlite:///{tmp_path / 'brama.db'}")
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
