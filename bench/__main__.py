"""`python -m bench`: rates, latency and CPU per accepted message of the real server, and the floor beside them."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from bench import mailbox as reading
from bench import report
from bench.gateway_under_test import Lost
from bench.messages import ITEMS, sign_many
from bench.rounds import WARM, Measured, Measuring, Plan
from gateway.demo.house import DemoTrouble, prepare

READING_ROUNDS, READING_CALLS = 5, 150
COUNTS = {1: 500, 8: 1200, 32: 1600}


def _numbers(_context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        found = [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter("give numbers separated by commas") from None
    if not all(1 <= number <= 256 for number in found):
        raise click.BadParameter("give numbers from 1 to 256")
    if parameter.name == "sizes" and not set(found) <= set(ITEMS):
        raise click.BadParameter(f"sizes are {', '.join(map(str, ITEMS))}")
    return found


def _stores(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter("give numbers separated by commas") from None
    if not 2 <= len(found) <= 4 or not all(1 <= number <= 5_000_000 for number in found) or sorted(set(found)) != list(found):
        raise click.BadParameter("give two to four growing numbers from 1 to 5000000")
    return found


@click.command()
@click.option("--quick", is_flag=True, help="One round with few messages: about half a minute, rougher figures.")
@click.option("--clients", default="1,8,32", show_default=True, callback=_numbers, help="Clients at once, one load each.")
@click.option("--sizes", default="5,20", show_default=True, callback=_numbers, help="KB of the declaration.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 50), help="Rounds of floor and gateway by turns.")
@click.option("--messages", type=click.IntRange(WARM, 100_000), help="Messages of every load (default: more for more clients).")
@click.option(
    "--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Where the figures go [default: bench/results/TIME.json]"
)
@click.option(
    "--mailbox", type=click.Choice(["also", "only", "not"]), help="Reading, with full mailboxes [default: also; with --quick: not]."
)
@click.option(
    "--documents", default="1,1000,1000000", show_default=True, callback=_stores, help="Documents in the mailbox, one store each."
)
def bench(
    quick: bool,
    clients: list[int],
    sizes: list[int],
    rounds: int,
    messages: int | None,
    file: Path | None,
    mailbox: str | None,
    documents: tuple[int, ...],
) -> None:
    """Measure the gateway and the floor by turns. Ends within 10 minutes; nothing is measured that was not checked."""
    mailbox = mailbox or ("not" if quick else "also")
    begun = time.monotonic()
    counts = {number: messages or (200 if quick else COUNTS.get(number, 1200)) for number in clients}
    plan = Plan(1 if quick else rounds, counts)
    try:
        with tempfile.TemporaryDirectory(prefix="brama-bench-") as folder:
            prepared = Path(folder) / "prepared"
            prepared.mkdir()
            prepare(prepared, impatient=False)
            measured = {} if mailbox == "only" else _accepting(prepared, sizes, plan)
            stores = (
                []
                if mailbox == "not"
                else reading.measure(prepared, 1 if quick else READING_ROUNDS, 50 if quick else READING_CALLS, _tell, documents)
            )
    except (Lost, reading.Wrong, DemoTrouble) as trouble:
        click.echo(f"bench: {trouble}", err=True)
        sys.exit(1)
    for line in report.lines(measured, stores):
        click.echo(line)
    click.echo(f"{time.monotonic() - begun:.0f} s; all figures in {report.write(measured, stores, file)}")


def _accepting(prepared: Path, sizes: list[int], plan: Plan) -> dict[int, Measured]:
    _tell(f"signing {plan.messages} messages of each size")
    signed = {size: sign_many(prepared, size, plan.messages) for size in sizes}
    return Measuring(prepared, plan, _tell).measure(signed)


def _tell(line: str) -> None:
    click.echo(f"... {line}", err=True)


if __name__ == "__main__":
    bench()
