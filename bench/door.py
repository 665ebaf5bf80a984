"""What the door does with a call before the walk begins, in CPU: a part of `the rest`, measured in this process by calling the
door's own functions one after another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time_ns

from bench.messages import http_request
from gateway.bootstrap import ChannelAccounts
from gateway.database import Database
from gateway.endpoints.soap.addressing import read_addressing
from gateway.endpoints.soap.envelope import CONTENT, Content, read_envelope
from gateway.endpoints.soap.token import prove, read_token
from gateway.security.keys import load_secrets
from gateway.settings import Settings
from registry.accounts import Accounts

DOOR_STEPS = ("envelope", "token", "base64")
WINDOW = timedelta(minutes=5)


def door_cpu(home: Path, messages: list[bytes]) -> dict[str, float]:
    """Microseconds of CPU per message, by step: `envelope` with its addressing headers and without Base64, `token` with the
    account's lookup and both passwords, `base64` of the content. `home` is a set-up whose registry is filled."""
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'brama.db'}")
    database = Database(settings.database)
    accounts = ChannelAccounts(Accounts(database.engine), load_secrets(settings.keys))
    spent = dict.fromkeys(DOOR_STEPS, 0)
    try:
        for message in messages:
            body = http_request(message, "127.0.0.1:1").partition(b"\r\n\r\n")[2]
            _one(body, message, accounts, settings, spent)
    finally:
        database.engine.dispose()
    return {step: max(0, nanoseconds) / 1000 / len(messages) for step, nanoseconds in spent.items()}


def _one(body: bytes, message: bytes, accounts: ChannelAccounts, settings: Settings, spent: dict[str, int]) -> None:
    marks = [process_time_ns()]
    envelope = read_envelope(body, "utf-8", settings.max_content)
    read_addressing(envelope)
    marks.append(process_time_ns())
    proven = prove(read_token(envelope), accounts, datetime.now(UTC), WINDOW)
    marks.append(process_time_ns())
    text = body.partition(b'mime="application/xml">')[2].partition(b"<")[0].decode()
    begun = process_time_ns()
    content = Content(CONTENT, {}, settings.max_content)
    content.feed(text)
    decoded = content.decoded()
    base64 = process_time_ns() - begun
    if decoded != message or not proven.caller.account_id:
        raise RuntimeError("the door read something else than what was sent")
    spent["envelope"] += marks[1] - marks[0] - base64  # it decodes while it reads
    spent["token"] += marks[2] - marks[1]
    spent["base64"] += base64
