"""What the door asks of those who keep accounts' documents and the state of the channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from gateway.collection import Found, Search, Wanted
from gateway.endpoints.soap.reply import HandedOut
from gateway.message import Received, Recorded

Accept = Callable[[Received], Awaitable[Recorded]]


class Mailbox(Protocol):
    """Where documents wait for their account."""

    async def next(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> HandedOut | None:
        """Claim the next document not yet collected, spending `nonce` in the same transaction; None: there is none.

        Raises Rejected(token.refused) for a used nonce, Deferred(record.store_unavailable).
        """
        ...

    async def next_sisc(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> HandedOut | None:
        """As `next`, of any age. Raises also Rejected(read.no_sisc | read.no_permission)."""
        ...

    async def documents(self, account_id: int, search: Search, nonce: str, at: datetime) -> Found:
        """What is found. Raises as `next_sisc`, and Rejected(read.period)."""
        ...

    async def spend(self, account_id: int, nonce: str, at: datetime) -> None:
        """Use up the nonce of a call that came to nothing. Raises as `next`."""
        ...

    async def collected(self, document_id: str, claim: int) -> None:
        """It was written out completely."""
        ...

    async def release(self, document_id: str, claim: int) -> None:
        """It was not: give it to the next caller."""
        ...


class Emergency(Protocol):
    """Whether an operator has closed the channel."""

    def check(self, *, reading: bool) -> None:
        """Raises Rejected(receive.emergency) when a call of this kind is not served now."""
        ...


class NoEmergency:
    """For a door that no operator can close."""

    def check(self, *, reading: bool) -> None:
        return
