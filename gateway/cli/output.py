"""Printing: a table for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

WARSAW = ZoneInfo("Europe/Warsaw")


def as_json(value: object) -> None:
    """One JSON value on one line; instants as ISO 8601 UTC."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Aligned columns; the headings dim on a terminal."""
    cells = [
        [cell.astimezone(WARSAW).strftime("%Y-%m-%d %H:%M:%S") if isinstance(cell, datetime) else str(cell) for cell in row] for row in rows
    ]
    widths = [max([len(h), *(len(row[i]) for row in cells)]) for i, h in enumerate(headings)]
    click.secho("  ".join(h.ljust(w) for h, w in zip(headings, widths, strict=True)).rstrip(), dim=True)
    for row in cells:
        click.echo("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


def milliseconds(microseconds: int) -> str:
    return f"{microseconds / 1000:.2f} ms"
