"""What the simulated authority does with a request: chosen by a marker anywhere in the LRN.

The table below is the whole story; `adapters/ncts/README.md` shows it to users, a test keeps both alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Conduct = Literal["take", "slow", "lose", "refuse", "down"]

NORMAL = ("CC928C", "CC028C", "CC029C")
#: Answers to the other documents; one that is not here is taken and not answered.
OTHERS = {"CC170C": ("CC028C", "CC029C"), "CC013C": ("CC004C",), "CC014C": ("CC009C",)}
#: Not a message: bytes that no XML parser takes.
GARBAGE = "GARBAGE"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`conduct` is how the call itself is answered, `answers` what is called back for a declaration, in this order,
    each `pause` seconds (at speed 1) after the one before it."""

    marker: str
    conduct: Conduct
    answers: tuple[str, ...]
    pause: float
    text: str


SCENARIOS = (
    Scenario("REJ", "take", ("CC928C", "CC056C"), 0.2, "acknowledged, then rejected by the office of departure"),
    Scenario("CTL", "take", ("CC928C", "CC028C", "CC060C", "CC029C"), 0.2, "a control is decided before the release"),
    Scenario("SLOW", "slow", NORMAL, 5.0, "the call is answered after 2 s, the answers come 5 s apart"),
    Scenario("SILENT", "take", (), 0.2, "taken, never answered"),
    Scenario("TWICE", "take", ("CC928C", "CC928C", "CC028C", "CC028C", "CC029C", "CC029C"), 0.2, "every answer comes twice, byte for byte"),
    Scenario("ORDER", "take", ("CC029C", "CC028C", "CC928C"), 0.2, "the answers come in the wrong order"),
    Scenario("GARBAGE", "take", (GARBAGE, *NORMAL), 0.2, "bytes that are no XML come before the answers"),
    Scenario("DOWN", "down", NORMAL, 0.2, "HTTP 503 with Retry-After until POST /control/up"),
    Scenario("LOST", "lose", NORMAL, 0.2, "taken, but the first call's connection closes without a reply"),
    Scenario("REFUSE", "refuse", (), 0.2, "HTTP 400 with a CC906C, functional error 14"),
)
USUAL = Scenario("", "take", NORMAL, 0.2, "acknowledged, MRN allocated, released")
SLOW_REPLY = 2.0


def choose(document: str, lrn: str | None) -> Scenario:
    """The scenario of a document (local name of its root) with this LRN. The first marker of the table that is found counts."""
    found = next((scenario for scenario in SCENARIOS if scenario.marker in (lrn or "")), USUAL)
    if document == "CC015C":
        return found
    return Scenario(found.marker, found.conduct, OTHERS.get(document, ()), found.pause, found.text)
