"""`brama channel`: emergency mode. Closed, the SOAP channel answers with fault B010 until it is opened again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gateway.cli.opening import open_store
from gateway.cli.output import as_json, table
from gateway.cli.trouble import plainly
from gateway.cli.words import WORDS
from gateway.storage.emergency import ChannelState, read_state, write_state

JSON = click.option("--json", "json_", is_flag=True, help="Print JSON.")


@click.group()
def channel() -> None:
    """Emergency mode: close the SOAP channel and open it again, on all nodes within a second."""


@channel.command()
@JSON
@plainly
def status(json_: bool) -> None:
    """Whether the channel is open, why not, and since when. Exit code 0 open, 1 closed."""
    with open_store().reading() as connection:
        state = read_state(connection)
    _show(state, json_)
    if state.closed:
        raise SystemExit(1)


@channel.command("close")
@click.option("--reason-pl", required=True, type=WORDS, help="What traders read, in Polish: why, and what to do meanwhile.")
@click.option("--reason-en", required=True, type=WORDS, help="The same in English.")
@click.option("--no-reading", is_flag=True, help="Documents may not be collected either.")
@JSON
@plainly
def close_(reason_pl: str, reason_en: str, no_reading: bool, json_: bool) -> None:
    """Take in no documents until `open`; those that wait may still be collected."""
    _write(ChannelState(True, not no_reading, reason_pl, reason_en, datetime.now(UTC)), json_)


@channel.command("open")
@JSON
@plainly
def open_(json_: bool) -> None:
    """Take in documents again."""
    _write(ChannelState(since=datetime.now(UTC)), json_)


def _write(state: ChannelState, json_: bool) -> None:
    with open_store().writing() as connection:
        write_state(connection, state)
    _show(state, json_)


def _show(state: ChannelState, json_: bool) -> None:
    if json_:
        words = {"reason_pl": state.reason_pl, "reason_en": state.reason_en}
        as_json({"closed": state.closed, "reading": state.reading, **words, "since": state.since})
        return
    now = "closed" if state.closed else "open"
    reading = "open" if state.reading else "closed"
    rows = [(now, reading, state.since or "always", state.reason_pl, state.reason_en)]
    table(("handing in", "collecting", "since", "reason (pl)", "reason (en)"), rows)
