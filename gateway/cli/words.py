"""Options that must say something."""

from __future__ import annotations

import click


class Words(click.ParamType[str]):
    """A text with more than white space in it, which is taken off its ends."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises click.BadParameter."""
        words = value.strip()
        if not words:
            self.fail("it is empty: write a few words", param, ctx)
        return words


WORDS = Words()
