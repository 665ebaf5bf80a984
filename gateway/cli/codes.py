"""`brama codes`: the catalogue of codes, for people, for programs, and as the page docs/reference/codes.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click

from gateway.codes import CODES, Code, Verdict

#: The stages in the order of the walk, with a heading each.
STAGES = {
    "receive": "the call itself",
    "addressing": "WS-Addressing headers",
    "policy": "what a call must carry",
    "token": "who is calling",
    "read": "reading the mailbox",
    "parse": "reading the XML",
    "identify": "which document, which edition",
    "validate": "schema and rules",
    "signature": "what exactly is signed",
    "certificate": "who signed, and whether we trust the certificate",
    "confirm": "a signed UPD: the confirmation that a document was served",
    "authorize": "whether the signer may do this for the party",
    "record": "storing",
    "route": "which system",
    "deliver": "handing over to the system",
    "reply": "answers of the systems",
    "schemas": "importing and looking up editions",
    "keys": "the key folder",
    "adapter": "what was set up wrongly for a system",
    "unexpected": "what nobody foresaw",
}

HEARD: dict[Verdict, str] = {"fault": "fault, at once", "npp": "NPP, signed", "none": "operator only"}

PREFACE = """\
# Codes

Every reason Brama can give. A code is `stage.reason` and never changes its meaning. *Heard as* says how it reaches
the sender: a fault at once with nothing stored, a signed refusal (NPP) with a sysRef, or not at all because only an
operator can act. `{names}` are filled in. The catalogue is [gateway/codes.py](../../gateway/codes.py).

This page is made by `brama codes --markdown`; `tests/unit/test_codes.py` holds the two together.
"""


@click.command()
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--markdown", is_flag=True, help="As the page docs/reference/codes.md.")
def codes(code: str | None, as_json: bool, markdown: bool) -> None:
    """Every reason Brama can give, in Polish and English; or only CODE, or all codes of a stage.

    Exit code 0; 2 when there is no such code.
    """
    chosen = {name: entry for name, entry in CODES.items() if code is None or code in (name, _stage(name))}
    if not chosen:
        raise click.UsageError(f"there is no code or stage '{code}'; `brama codes` lists them all")
    if markdown:
        click.echo(page(chosen), nl=False)
        return
    for name, entry in chosen.items():
        if as_json:
            click.echo(json.dumps({"code": name, "heard_as": entry.verdict, "pl": entry.pl, "en": entry.en}, ensure_ascii=False))
            continue
        click.secho(name, bold=True, nl=False)
        click.echo(f"  ({HEARD[entry.verdict]})\n  {entry.en}\n  {entry.pl}")


def page(chosen: dict[str, Code]) -> str:
    """The catalogue as Markdown, a table for each stage."""
    return PREFACE + "".join(_tables(chosen))


def _tables(chosen: dict[str, Code]) -> Iterator[str]:
    for stage, about in STAGES.items():
        rows = [(name, entry) for name, entry in chosen.items() if _stage(name) == stage]
        if not rows:
            continue
        yield f"\n## {stage}: {about}\n\n| code | heard as | English | Polish |\n| --- | --- | --- | --- |\n"
        for name, entry in rows:
            yield f"| `{name}` | {HEARD[entry.verdict]} | {_cell(entry.en)} | {_cell(entry.pl)} |\n"


def _stage(name: str) -> str:
    return name.partition(".")[0]


def _cell(text: str) -> str:
    """What Markdown would take for markup is escaped; placeholders stand as code."""
    return re.sub(r"(\{\w+\})", r"`\1`", text.replace("|", r"\|").replace("<", "&lt;"))
