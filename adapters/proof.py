"""Proof of who calls: HMAC-SHA256 with a shared secret over a time stamp and the body.

    brama-timestamp: seconds since 1970 UTC, digits
    brama-signature: hex HMAC-SHA256(secret, timestamp "." body)                             an answer to the gateway
                     hex HMAC-SHA256(secret, "request." timestamp "." request id "." body)   a request to the system

The two forms cannot be mistaken for each other, so a request that somebody overheard cannot come back as an answer.
A replayed answer inside the window is the same answer again, which changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.errors import Failed

TIMESTAMP = "brama-timestamp"
SIGNATURE = "brama-signature"
_SHORTEST = 32


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The secrets shared with one system. The first one signs; all are accepted, so that one can follow another
    without an interruption. Not shown by repr: it must not reach a log."""

    values: tuple[bytes, ...]

    @classmethod
    def read(cls, file: Path) -> Secrets:
        """One secret a line, at least 32 characters each. Raises Failed(adapter.secret)."""
        try:
            lines = file.read_bytes().splitlines()
        except OSError as error:
            raise Failed("adapter.secret", file=str(file), detail=error.strerror or "cannot be read") from error
        values = tuple(line.strip() for line in lines if line.strip())
        if not values or min(len(value) for value in values) < _SHORTEST:
            raise Failed("adapter.secret", file=str(file), detail="is empty or has a secret that is too short")
        return cls(values)


def sign_answer(secrets: Secrets, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that prove an answer to the gateway."""
    stamp = str(int(at.timestamp()))
    return {TIMESTAMP: stamp, SIGNATURE: _mac(secrets.values[0], _answer(stamp, body))}


def sign_request(secrets: Secrets, request_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that prove a request of the gateway."""
    stamp = str(int(at.timestamp()))
    return {TIMESTAMP: stamp, SIGNATURE: _mac(secrets.values[0], _request(stamp, request_id, body))}


def proves_answer(secrets: Secrets, headers: Mapping[str, str], body: bytes, at: datetime, window: float) -> bool:
    """Was this answer signed with one of the secrets, at most `window` seconds from `at`?"""
    stamp = headers.get(TIMESTAMP, "")
    return _fresh(stamp, at, window) and _matches(secrets.values, headers, _answer(stamp, body))


def proves_request(secrets: Secrets, headers: Mapping[str, str], request_id: str, body: bytes, at: datetime, window: float) -> bool:
    """The same for a request; used by the simulated authority."""
    stamp = headers.get(TIMESTAMP, "")
    return _fresh(stamp, at, window) and _matches(secrets.values, headers, _request(stamp, request_id, body))


def _answer(stamp: str, body: bytes) -> bytes:
    return stamp.encode() + b"." + body


def _request(stamp: str, request_id: str, body: bytes) -> bytes:
    return f"request.{stamp}.{request_id}.".encode() + body


def _mac(secret: bytes, content: bytes) -> str:
    return hmac.new(secret, content, hashlib.sha256).hexdigest()


def _fresh(stamp: str, at: datetime, window: float) -> bool:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(at.timestamp() - int(stamp)) <= window


def _matches(secrets: Sequence[bytes], headers: Mapping[str, str], content: bytes) -> bool:
    given = headers.get(SIGNATURE, "").encode(errors="replace")
    return any(hmac.compare_digest(_mac(secret, content).encode(), given) for secret in secrets)
