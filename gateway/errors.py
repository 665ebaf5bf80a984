"""The error tree, sorted by who must act.

    GatewayError(code, **context)
    |- Rejected   the sender must act    -> a fault or an NPP, never retried
    |- Deferred   nobody must act yet    -> retried with back-off until the route's deadline
    '- Failed     an operator must act   -> a dead letter

`code` is a key of `gateway.codes.CODES`; its texts (Polish and English) are filled from `context`.
"""

from __future__ import annotations

from gateway.codes import CODES


class GatewayError(Exception):
    """A named failure. `code` is stable and documented; `context` fills its texts and goes to the logs.

    Never put secrets or message bodies into `context`.
    """

    def __init__(self, code: str, **context: object) -> None:
        self.code = code
        self.context = context
        super().__init__(f"{code}: {self.text('en')}")

    def text(self, language: str) -> str:
        """The sentence for people, in `pl` or `en`: what is wrong and what to change."""
        return CODES[self.code].text(language, self.context)

    @property
    def stage(self) -> str:
        """The part of the walk that failed: the code up to its first dot."""
        return self.code.partition(".")[0]


class Rejected(GatewayError):
    """The sender must act."""


class Deferred(GatewayError):
    """Nobody must act yet: time may mend it."""


class Failed(GatewayError):
    """An operator must act."""
