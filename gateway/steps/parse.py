"""parse: Received -> Parsed, by the one hardened parser."""

from __future__ import annotations

from gateway.message import Parsed, Received
from gateway.ports import Parser


def parse(received: Received, parser: Parser) -> Parsed:
    """The bytes as a tree. Raises Rejected(parse.*)."""
    return Parsed(received, parser.parse(received.content))
