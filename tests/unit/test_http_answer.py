"""Words of a library inside our sentences."""

from __future__ import annotations

import httpx
import pytest

from gateway.errors import Deferred
from gateway.http_answer import in_words


@pytest.mark.parametrize("said", ["Server disconnected without sending a response.", "Server disconnected without sending a response"])
def test_the_library_s_full_stop_does_not_end_our_sentence(said: str) -> None:
    detail = in_words(httpx.RemoteProtocolError(said))
    assert detail == "RemoteProtocolError: Server disconnected without sending a response"
    assert ".." not in Deferred("push.in_doubt", host="edi.example", detail=detail).text("en")


def test_an_error_without_words_is_named() -> None:
    assert in_words(TimeoutError()) == "TimeoutError"
