"""reply: an answer of a customs system -> Replied: matched to its message and put into the sender's mailbox."""

from __future__ import annotations

from datetime import datetime

from gateway.message import Answer, Replied
from gateway.ports import Answers


def reply(answer: Answer, answers: Answers, at: datetime) -> Replied:
    """Attach the answer once. Raises Failed(reply.unknown_correlation | reply.other_system)."""
    return answers.attach(answer, at)
