"""The command `brama`: one file a noun. Commands print for people, or JSON with `--json`."""

from __future__ import annotations

from importlib import import_module

import click

#: The commands. Each is loaded when it is asked for, from the module of its name (dashes as underscores).
COMMANDS = (
    *("serve", "worker", "messages", "dead-letters", "schemas", "signatures", "registry", "push", "codes", "channel"),
    *("init", "doctor", "demo", "simulate"),
)


class _Lazy(click.Group):
    """Imports a command's module only when it is called: `brama --help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"gateway.cli.{name}"), name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="brama", prog_name="brama")
def main() -> None:
    """Brama: the XML message gateway in front of customs systems."""
