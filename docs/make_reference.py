"""Write the pages of docs/reference that follow from the code: codes.md, cli.md, settings.md.

    python docs/make_reference.py [FOLDER]

`tests/unit/test_docs.py` fails when a page is not what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from gateway.cli import main
from gateway.cli.codes import page as codes_page
from gateway.codes import CODES
from gateway.settings import Settings

REFERENCE = Path(__file__).resolve().parent / "reference"

CLI_PREFACE = """\
# The command `brama`

After `make setup` it stands at `.venv/bin/brama`. Every command takes `-h`; settings come from
[variables or a file](settings.md). People get tables, programs get JSON with `--json`.

| exit code | meaning |
| --- | --- |
| 0 | done; everything looked at is well |
| 1 | done, and the answer is no: not valid, denied, left alone, something to mend, a claim of the demo did not hold |
| 2 | could not do or judge it: wrong options, an unreadable file, a setting, the database; one sentence on stderr says what to change |

`brama registry import` ends with 1 when the file is refused (nothing is written then), `brama serve` with 1 when it cannot
listen on its address. `serve`, `worker`, `simulate` and `demo --stay` run until SIGTERM or Ctrl-C.

This page is made by `docs/make_reference.py`.
"""

SETTINGS_PREFACE = """\
# Settings

A variable `BRAMA_<NAME>` wins over the file `brama.toml` in the data folder (`BRAMA_HOME`), and the file over the default.
In the file the names are lower case without prefix. Sizes are bytes, times seconds. Unknown names in the file are refused.
`brama doctor` looks at all of them.

"""

SETTINGS_MORE = """
## Systems

`BRAMA_SYSTEMS__<NAME>` gives the addresses and secret files of customs systems, by the names that their profiles use
(`url_setting`, `secret_setting`). For NCTS2:

| variable | meaning |
| --- | --- |
| `BRAMA_SYSTEMS__NCTS2_URL` | where declarations are posted |
| `BRAMA_SYSTEMS__NCTS2_SECRET_FILE` | file with one shared secret a line, 32 characters or more; the first signs, all are accepted |

A system without an address has no route: what is accepted for it becomes a dead letter (`route.no_route`). An address without
a secret file stops server and worker at their start.

## The file

```toml
# var/brama.toml
listen = "0.0.0.0:8080"
public_url = "https://brama.example.pl"

[systems]
ncts2_url = "https://ncts.example.pl/messages"
ncts2_secret_file = "/etc/brama/ncts2.secret"
```

## The seal's passphrase

`BRAMA_SEAL_PASSPHRASE`, or `BRAMA_SEAL_PASSPHRASE_FILE` with the name of a file, opens an encrypted `keys/seal.key`. They are read by
the key store alone and are no part of the settings, so they never reach a log.

## The data folder

| in `BRAMA_HOME` | what |
| --- | --- |
| `brama.db` (with `-wal`, `-shm`, `.lock`) | [the database](data.md) |
| `keys/seal.key`, `keys/seal.pem` | the gateway's seal on receipts and on what it serves; server and worker read it |
| `keys/trust/*.pem` | the authorities whose certificates may sign declarations |
| `keys/secrets.key` | encrypts channel passwords in the database; lose it and every account needs a new password |
| `brama.toml` | settings, if wanted |

This page is made by `docs/make_reference.py`.
"""


def cli_page() -> str:
    """Every command with its own help text."""
    return CLI_PREFACE + "".join(_sections(main, "brama"))


def _sections(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path, terminal_width=100, help_option_names=["-h", "--help"])
    if path != "brama" and not isinstance(command, click.Group):
        yield f"\n## {path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None  # listed by the group itself
            yield from _sections(found, f"{path} {name}")


def settings_page() -> str:
    """Every field of the settings, with its variable, type and default."""
    rows = ["| variable | default | meaning |\n| --- | --- | --- |\n"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None, {}) else f"`{field.default}`"
        rows.append(f"| `BRAMA_{name.upper()}` | {default or 'empty'} | {field.description} |\n")
    return SETTINGS_PREFACE + "".join(rows) + SETTINGS_MORE


PAGES = {"codes.md": lambda: codes_page(CODES), "cli.md": cli_page, "settings.md": settings_page}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")
