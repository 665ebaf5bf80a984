"""`brama init`: a development set of keys and an up-to-date database in the data folder."""

from __future__ import annotations

import sys

import click

from gateway.cli.output import as_json
from gateway.cli.trouble import plainly
from gateway.database import open_engine
from gateway.migrations import newest, upgrade
from gateway.security.keys import initialise
from gateway.settings import Settings


@click.command()
@click.option("--key", "kind", default="P-256", show_default=True, type=click.Choice(["P-256", "RSA-2048"]), help="The seal's kind of key.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def init(kind: str, json_: bool) -> None:
    """Make development keys (never over existing ones) and bring the database up to date."""
    settings = Settings()
    upgrade(open_engine(settings.database))
    try:
        initialise(settings.keys, kind)
        made = True
    except FileExistsError:
        made = False
    if json_:
        as_json({"home": str(settings.home.absolute()), "keys_made": made, "revision": newest()})
    else:
        click.echo(
            f"Data folder {settings.home.absolute()}: database at revision {newest()}, keys {'made' if made else 'were there and stay'}."
        )
        click.echo("Development keys: put your own seal and trust anchors in their place before production.")
    sys.exit(0)
