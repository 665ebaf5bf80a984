"""`brama demo`: the main job from end to end, on this machine, with real processes; `--stay` keeps the set-up running."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import as_json
from gateway.cli.trouble import plainly

if TYPE_CHECKING:
    from gateway.demo.house import House


@click.command()
@click.option("--stay", is_flag=True, help="Start the same set-up and stay until Ctrl-C.")
@click.option("--home", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True, help="Cleared at every start.")
@click.option("--listen", default=None, help="Address and port. [default: any free port; with --stay 127.0.0.1:8080]")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 16), help="Server processes.")
@click.option("--patience", default=20.0, show_default=True, type=click.FloatRange(1), help="Seconds to wait for what has to happen.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def demo(stay: bool, home: Path, listen: str | None, processes: int, patience: float, json_: bool) -> None:
    """Show the main job: a signed declaration goes in by SOAP, its receipt and the customs answers come out."""
    from gateway.demo import house as houses

    home = home.absolute()
    try:
        houses.empty(home)
        _say("Making keys, a registry and a simulated transit authority ...", json_)
        houses.prepare(home)
        with houses.running(home, listen or ("127.0.0.1:8080" if stay else "127.0.0.1:0"), processes) as house:
            if stay:
                _stay(house, json_)
                return
            held = _play(house, patience, json_)
    except houses.DemoTrouble as error:
        click.secho(f"brama: {error}", fg="red", err=True)
        sys.exit(1)
    sys.exit(0 if held else 1)


def _say(text: str, json_: bool) -> None:
    if not json_:
        click.echo(text)


def _play(house: House, patience: float, json_: bool) -> bool:
    from gateway.demo.story import Claim, Story

    def tell(claim: Claim) -> None:
        if not json_:
            click.secho("  ok    " if claim.held else "  FAILED ", fg="green" if claim.held else "red", nl=False)
            click.echo(claim.text, nl=False)
            click.secho(f"  {claim.detail}" if claim.detail else "", dim=True)

    story = Story(house, tell, patience)
    _say(f"Gateway {house.url}, authority {house.authority}\n", json_)
    story.play()
    failed = [claim.text for claim in story.claims if not claim.held]
    if json_:
        claims = [{"claim": c.text, "held": c.held, "detail": c.detail} for c in story.claims]
        as_json({"held": not failed, "claims": claims, "sys_refs": story.sys_refs})
        return not failed
    for name, sys_ref in story.sys_refs.items():
        click.secho(f"\nTimeline: {name}", bold=True)
        click.echo(house.brama("messages", "show", sys_ref).stdout.rstrip())
    click.echo()
    if failed:
        click.secho("What did not happen: " + "; ".join(failed), fg="red", bold=True)
    else:
        click.secho(f"All {len(story.claims)} claims held.", fg="green", bold=True)
    return not failed


def _stay(house: House, json_: bool) -> None:
    from gateway.asgi import SOAP_PATH
    from gateway.demo.people import PERSONS

    facts = {
        "wsdl": f"{house.url}{SOAP_PATH}?wsdl",
        "metrics": f"{house.url}/metrics",
        "health": f"{house.url}/health/ready",
        "authority": f"{house.authority}/control/log",
        "home": str(house.home),
        "logins": {p.login: p.password for p in PERSONS},
    }
    if json_:
        as_json(facts)
    else:
        for name in ("wsdl", "metrics", "health", "authority", "home"):
            click.echo(f"  {name:10} {facts[name]}")
        for person in PERSONS:
            click.echo(f"  login      {person.login}  password {person.password}  key {house.home}/people/{person.login}.key")
        click.echo("\nOther commands work on this set-up with: export BRAMA_HOME=" + str(house.home))
        click.echo("Ctrl-C ends it.")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    ended.wait()
