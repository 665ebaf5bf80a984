"""The migrations make exactly the tables of the code, also when several processes start at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from gateway.database import open_engine
from gateway.migrations import current, newest, upgrade
from gateway.migrations.tables import metadata


def _start(url: str) -> None:
    upgrade(open_engine(url))


def test_migrated_database_is_the_one_the_code_expects(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    assert current(engine) is None
    upgrade(engine)
    assert current(engine) == newest()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []


def test_processes_that_start_together_wait_for_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    context = multiprocessing.get_context("spawn")
    starting = [context.Process(target=_start, args=(url,)) for _ in range(4)]
    for process in starting:
        process.start()
    for process in starting:
        process.join(40)
    assert [process.exitcode for process in starting] == [0, 0, 0, 0]
    assert current(open_engine(url)) == newest()
