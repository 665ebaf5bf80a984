"""Reading on one screen: whose documents an account may read is judged now, then the mailbox is asked.

The rights carry the registry's generation. Whoever hands out compares it in the same transaction and says Stale when the
registry has moved, and then it is judged again: a right withdrawn a millisecond ago does not count.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from gateway.collection import Found, HandedOut, ReadingRights, Search, Wanted
from gateway.errors import Failed, Rejected
from gateway.ports import Stale

JUDGEMENTS = 3  # times the rights are looked up when the registry moves meanwhile

T = TypeVar("T")


class Readers(Protocol):
    """Who may read what."""

    def rights(self, account_id: int, at: datetime, *, fresh: bool = False) -> ReadingRights:
        """What this account may read at that instant; `fresh` looks the registry up now. Raises
        Deferred(record.store_unavailable)."""
        ...


class Mailbox(Protocol):
    """Where documents lie. Every method raises Deferred(record.store_unavailable | receive.busy)."""

    async def next(
        self, account_id: int, rights: ReadingRights, wanted: Wanted, nonce: str, at: datetime, *, month: bool
    ) -> HandedOut | None:
        """Claim the oldest document that fits and waits (`month`: of the last month only), spending the nonce in the same
        commit; None: there is none. Raises Stale, Rejected(token.refused) for a used nonce."""
        ...

    async def documents(self, account_id: int, rights: ReadingRights, search: Search) -> Found:
        """What is found; marks nothing. Raises Stale."""
        ...

    async def spend(self, account_id: int, nonce: str, at: datetime) -> None:
        """Use up a nonce. Raises Rejected(token.refused) when it was used before."""
        ...

    async def collected(self, document_id: str, claim: int) -> None: ...
    async def release(self, document_id: str, claim: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """The three reading operations of the channel. Their nonce is spent unless they raise."""

    readers: Readers
    mailbox: Mailbox

    async def next(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> HandedOut | None:
        """GetNextDocument: what the account sent itself, of the last month. Raises Rejected(token.refused), Deferred."""

        async def look(rights: ReadingRights) -> HandedOut | None:
            return await self.mailbox.next(account_id, rights, wanted, nonce, at, month=True)

        return await self._judged(account_id, at, look)

    async def next_sisc(self, account_id: int, wanted: Wanted, nonce: str, at: datetime) -> HandedOut | None:
        """GetNextDocumentSisc: of any age, for the contexts that the grades name.

        Raises Rejected(read.no_sisc | read.no_permission | token.refused), Deferred.
        """
        if not wanted.names_a_grade:
            raise Rejected("read.no_sisc")

        async def look(rights: ReadingRights) -> HandedOut | None:
            _demand(rights, wanted)
            return await self.mailbox.next(account_id, rights, wanted, nonce, at, month=False)

        return await self._judged(account_id, at, look)

    async def documents(self, account_id: int, search: Search, nonce: str, at: datetime) -> Found:
        """GetDocuments. The nonce is spent last, so that nothing is refused after it.

        Raises Rejected(read.period | read.no_permission | token.refused), Deferred.
        """
        if (search.since is None) != (search.until is None) or (search.since is None and not search.names_documents):
            raise Rejected("read.period")

        async def look(rights: ReadingRights) -> Found:
            _demand(rights, search.wanted)
            return await self.mailbox.documents(account_id, rights, search)

        found = await self._judged(account_id, at, look)
        await self.mailbox.spend(account_id, nonce, at)
        return found

    async def spend(self, account_id: int, nonce: str, at: datetime) -> None:
        """Use up the nonce of a call that came to nothing. Raises Rejected(token.refused) when it was used before, Deferred."""
        await self.mailbox.spend(account_id, nonce, at)

    async def collected(self, document_id: str, claim: int) -> None:
        """It was written out completely."""
        await self.mailbox.collected(document_id, claim)

    async def release(self, document_id: str, claim: int) -> None:
        """It was not: give it to the next caller."""
        await self.mailbox.release(document_id, claim)

    async def _judged(self, account_id: int, at: datetime, look: Callable[[ReadingRights], Awaitable[T]]) -> T:
        rights = self.readers.rights(account_id, at)
        for _ in range(JUDGEMENTS):
            try:
                return await look(rights)
            except Stale:
                rights = self.readers.rights(account_id, at, fresh=True)
        raise Failed("unexpected", kind="the registry never stood still")


def _demand(rights: ReadingRights, wanted: Wanted) -> None:
    """Some context must be readable that has the grades asked for. Raises Rejected(read.no_permission)."""
    if wanted.all_employees:
        contexts, person = rights.all_employees, wanted.person or ""
    else:
        contexts, person = rights.contexts | {("", "")}, rights.person or ""
    if not any(wanted.fits(person, agency, party, wanted.system or "") for agency, party in contexts):
        raise Rejected("read.no_permission")
