"""receive: what a door decoded -> Received."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from gateway.errors import Rejected
from gateway.message import Attachment, Caller, Received


def digest(content: bytes, attachments: Iterable[Attachment] = ()) -> bytes:
    """SHA-256 of the content; with attachments, SHA-256 over the SHA-256 of each part, so that no two lists collide."""
    parts = [hashlib.sha256(content).digest(), *(hashlib.sha256(a.content).digest() for a in attachments)]
    return parts[0] if len(parts) == 1 else hashlib.sha256(b"".join(parts)).digest()


def receive(
    content: bytes,
    *,
    caller: Caller,
    door: str,
    received_at: datetime,
    limit: int,
    filename: str | None = None,
    attachments: tuple[Attachment, ...] = (),
    message_id: str | None = None,
    nonce: str | None = None,
) -> Received:
    """The decoded bytes become a message with a sysRef. Raises Rejected(receive.no_content | receive.too_large).

    `limit` is for content and attachments together, in bytes (the channel's rule: 15 MB including attachments).
    """
    size = len(content) + sum(len(a.content) for a in attachments)
    if not content:
        raise Rejected("receive.no_content")
    if size > limit:
        raise Rejected("receive.too_large", size=size, limit=limit)
    return Received(
        sys_ref=str(uuid4()),
        received_at=received_at,
        door=door,
        caller=caller,
        content=content,
        digest=digest(content, attachments),
        filename=filename,
        attachments=attachments,
        message_id=message_id,
        nonce=nonce,
    )
