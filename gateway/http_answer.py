"""What somebody we called over HTTP said, read within bounds: the same for a customs system and for a trader's endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 64 * 1024  # bytes of an answer's body that are read


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """`whole` is False when the body broke off, was compressed or larger than MAX_ANSWER; `body` is then its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def statement(response: httpx.Response) -> HttpAnswer:
    """The status line is what is said; a body that breaks off after it does not take it back."""
    return HttpAnswer(response.status_code, dict(response.headers), b"", whole=False)


async def read_answer(response: httpx.Response) -> HttpAnswer:
    """The answer with its body. Raises httpx.HTTPError when it breaks off."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER:
            break
    whole = len(body) <= MAX_ANSWER and response.headers.get("content-encoding", "identity") == "identity"
    return HttpAnswer(response.status_code, dict(response.headers), bytes(body[:MAX_ANSWER]), whole)


def in_words(error: Exception) -> str:
    """For a log line or an operator: the kind of a failure and what it says."""
    said = str(error).rstrip(".")  # a sentence goes on behind it
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
