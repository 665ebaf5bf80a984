"""`brama messages`: what was received, and each message's timeline."""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

import click

from gateway.channels import servings
from gateway.channels.queue import status
from gateway.cli.opening import open_store
from gateway.cli.output import WARSAW, as_json, milliseconds, table
from gateway.cli.trouble import plainly
from gateway.storage import messages as store


@click.group()
def messages() -> None:
    """What was received, and what became of it."""


@messages.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--state", type=click.Choice(["accepted", "refused"]))
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def list_(limit: int, state: str | None, json_: bool) -> None:
    """The newest messages."""
    with open_store().reading() as connection:
        rows = [_summary(connection, row) for row in store.latest(connection, limit, state)]
    if json_:
        as_json(rows)
        return
    headings = ("received_at", "sys_ref", "document", "lrn", "state", "delivery", "flow", "code")
    table(headings, [[row[h] or "" for h in headings] for row in rows])


def _summary(connection: Any, row: Any) -> dict[str, Any]:
    delivery = status(connection, row.id)
    return {
        "sys_ref": row.sys_ref,
        "received_at": row.received_at,
        "system": row.system,
        "edition": row.edition,
        "document": row.root.rpartition("}")[2],
        "lrn": row.lrn,
        "mrn": row.mrn,
        "state": row.state,
        "code": row.code,
        "delivery": delivery.state if delivery else None,
        "attempts": delivery.attempts if delivery else 0,
        "flow": delivery.flow_state if delivery else None,
    }


@messages.command()
@click.argument("sys_ref")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def show(sys_ref: str, json_: bool) -> None:
    """One message: its state and its timeline with the time each step took."""
    with open_store().reading() as connection:
        row: Any = store.find(connection, sys_ref)
        if row is None:
            click.secho(f"brama: there is no message {sys_ref}; `brama messages list` shows the newest", fg="red", err=True)
            sys.exit(1)
        shown = _summary(connection, row)
        shown["served"] = [_serving(s) for s in servings.listed(connection, message=row.id)]
        shown["documents"] = [dict(d._mapping) for d in store.documents(connection, row.id)]
        shown["timeline"] = [
            {"at": e.at, "event": e.event, "outcome": e.outcome, "detail": e.detail, "steps": [_step(s) for s in e.steps]}
            for e in store.events(connection, row.id)
        ]
    if json_:
        as_json(shown)
        return
    _print(shown)


@messages.command()
@click.option("--all", "everything", is_flag=True, help="Also what was signed for, and what was deemed served.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@plainly
def held(everything: bool, json_: bool) -> None:
    """Official documents that wait until their addressee has signed the UPD."""
    with open_store().reading() as connection:
        rows = [_serving(row) for row in servings.listed(connection, everything=everything)]
    if json_:
        as_json(rows)
        return
    headings = ("certificate", "document", "addressee", "state", "issued_at", "due_at", "notices", "sys_ref")
    table(headings, [[row[h] or "" for h in headings] for row in rows])


def _serving(row: Any) -> dict[str, Any]:
    return {
        "certificate": row.certificate_id,
        "sys_ref": row.sys_ref,
        "system": row.system,
        "document": row.filename,
        "addressee": row.addressee,
        "permission": row.permission,
        "state": row.state,
        "issued_at": row.issued_at,
        "due_at": row.due_at,
        "notices": row.notices,
        "closed_at": row.closed_at,
        "signed_by": row.proof_sys_ref,
    }


@messages.command()
@click.argument("certificate")
@click.argument("name", required=False)
@click.option("--output", type=click.File("wb"), help="Write the paper here instead of to the terminal.")
@click.option("--json", "json_", is_flag=True, help="Print JSON: which papers there are.")
@plainly
def papers(certificate: str, name: str | None, output: BinaryIO | None, json_: bool) -> None:
    """The papers of a held document, by the identifier of its UPD: `document`, `UPD`, `notice 1`..., `PND`.

    With NAME the bytes of that one.
    """
    with open_store().reading() as connection:
        found = servings.papers(connection, certificate)
    chosen = [row for row in found if name is None or row.paper == name]
    if not chosen:
        known = f"its papers are: {', '.join(row.paper for row in found)}" if found else "`brama messages held --all` shows them"
        click.secho(f"brama: there is no {name or 'paper'} of {certificate}; {known}", fg="red", err=True)
        sys.exit(1)
    if name is not None and not json_:
        into = output or sys.stdout.buffer
        into.write(chosen[0].content)
        return
    rows: list[dict[str, Any]] = [{"paper": row.paper, "made_at": row.made_at, "bytes": len(row.content)} for row in chosen]
    if json_:
        as_json(rows)
    else:
        table(("paper", "made_at", "bytes"), [list(row.values()) for row in rows])


def _step(step: tuple[str, int, int, str]) -> dict[str, object]:
    name, offset, microseconds, outcome = step
    return {"step": name, "offset_us": offset, "us": microseconds, "outcome": outcome}


def _print(shown: dict[str, Any]) -> None:
    click.secho(f"{shown['document']} {shown['lrn'] or ''}  {shown['sys_ref']}", bold=True)
    for name in ("system", "edition", "state", "code", "delivery", "flow", "mrn"):
        if shown[name]:
            click.echo(f"  {name:9} {shown[name]}")
    for serving in shown["served"]:
        until = f"{serving['due_at'].astimezone(WARSAW):%Y-%m-%d %H:%M}"
        click.echo(f"  {serving['state']:9} {serving['document']} for {serving['addressee']} until {until} ({serving['certificate']})")
    click.secho("  times in Europe/Warsaw", dim=True)
    filed = [{"at": d["created_at"], "event": "mailbox", "outcome": "ok", "detail": d["filename"], "steps": []} for d in shown["documents"]]
    for entry in sorted([*shown["timeline"], *filed], key=lambda e: e["at"]):
        ok = entry["outcome"] == "ok"
        click.echo(f"  {entry['at'].astimezone(WARSAW):%H:%M:%S.%f}  {entry['event']:9} ", nl=False)
        click.secho(entry["outcome"], fg="green" if ok else "yellow", nl=False)
        click.echo(f"  {entry['detail']}" if entry["detail"] else "")
        for step in entry["steps"]:
            click.secho(f"      {step['step']:10} {milliseconds(step['us']):>10}", dim=True, nl=False)
            click.echo("" if step["outcome"] == "ok" else f"  {step['outcome']}")
