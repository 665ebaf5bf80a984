"""`brama worker`: delivers what was accepted."""

from __future__ import annotations

import asyncio
import os

import click
import structlog

from gateway.cli.trouble import plainly
from gateway.observability import logs
from gateway.settings import Settings, unknown_variables

log = structlog.get_logger("brama.worker")


@click.command()
@click.option("--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--json", "json_", is_flag=True, help="Log as JSON on a terminal, too.")
@plainly
def worker(log_level: str, json_: bool) -> None:
    """Deliver accepted messages to the customs systems until SIGTERM."""
    logs.configure(log_level, json_)
    settings = Settings()
    for name in unknown_variables(os.environ):
        log.warning("unknown_variable", name=name, cure="correct the name or unset it; it changes nothing as it is")
    from gateway.database import open_engine
    from gateway.migrations import upgrade
    from gateway.worker import work

    upgrade(open_engine(settings.database))
    asyncio.run(work(settings))
