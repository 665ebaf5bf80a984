"""`brama worker`: delivers what was accepted."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.trouble import plainly
from gateway.observability import logs
from gateway.settings import Settings


@click.command()
@click.option("--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"]))
@plainly
def worker(log_level: str) -> None:
    """Deliver accepted messages to the customs systems until SIGTERM."""
    logs.configure(log_level)
    settings = Settings()
    from gateway.database import open_engine
    from gateway.migrations import upgrade
    from gateway.worker import work

    upgrade(open_engine(settings.database))
    asyncio.run(work(settings))
