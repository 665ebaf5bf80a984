"""Who is calling: the token of an envelope, judged with the time of day, the accounts and the throttle."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.endpoints.soap.envelope import Envelope
from gateway.endpoints.soap.throttle import Throttle
from gateway.endpoints.soap.token import GUESSES, Accounts, Proven, UsernameToken, check_timestamp, prove, read_token
from gateway.errors import Rejected


class Proving:
    """`window` is how far Created may lie from now, either way."""

    def __init__(self, accounts: Accounts, throttle: Throttle, window: timedelta) -> None:
        self._accounts, self._throttle, self._window = accounts, throttle, window

    def caller(self, envelope: Envelope, at: datetime, address: str) -> Proven:
        """Raises Rejected(policy.no_token | token.refused), the latter also for one who is held back, whatever he proves."""
        token = read_token(envelope)
        check_timestamp(envelope, at, self._window)
        held_back = self._throttle.holds_back(token.login, address)
        proven = self._proven(token, at, address, held_back=held_back)
        if held_back:
            raise Rejected("token.refused", reason="held back", login=token.login)
        self._throttle.proven(token.login, address)
        return proven

    def _proven(self, token: UsernameToken, at: datetime, address: str, *, held_back: bool) -> Proven:
        try:
            return prove(token, self._accounts, at, self._window)
        except Rejected as refusal:
            if not held_back and refusal.context.get("reason") in GUESSES:
                self._throttle.failed(token.login, address)
            raise
