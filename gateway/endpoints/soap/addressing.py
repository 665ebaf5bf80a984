"""WS-Addressing headers of a request, in the namespace of 2005/08 or 2004/08.

ReplyTo and FaultTo are never followed: an answer goes back on the connection that brought the question.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.endpoints.soap.envelope import ADDRESSING_2004, ADDRESSING_2005, Envelope
from gateway.errors import Rejected

REQUIRED = ("Action", "MessageID", "To")
MAX_VALUE = 2_000


@dataclass(frozen=True, slots=True)
class Addressing:
    """`action` is told to the logs only: it decides nothing."""

    namespace: str
    action: str
    message_id: str
    to: str


def read_addressing(envelope: Envelope) -> Addressing:
    """The three headers every call needs, all of one namespace; the newer one wins where both are complete.

    Raises Rejected(addressing.missing) and, for one that stands twice or is too long, Rejected(addressing.invalid).
    """
    found: dict[str, dict[str, str]] = {ADDRESSING_2005: {}, ADDRESSING_2004: {}}
    for header in envelope.headers:
        namespace, _, local = header.name.rpartition(" ")
        values = found.get(namespace)
        if values is None or local not in REQUIRED:
            continue
        value = header.text.strip()
        if local in values or len(value) > MAX_VALUE:
            raise Rejected("addressing.invalid", header=local)
        values[local] = value
    for namespace, values in found.items():
        if all(values.get(name) for name in REQUIRED):
            return Addressing(namespace, values["Action"], values["MessageID"], values["To"])
    raise Rejected("addressing.missing")
