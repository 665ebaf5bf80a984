"""`brama simulate`: a customs system to rehearse against, as a process of its own."""

from __future__ import annotations

import click

from adapters.ncts.simulator import simulator


@click.group()
def simulate() -> None:
    """Simulated customs systems to rehearse against."""


simulate.add_command(simulator, "ncts2")
