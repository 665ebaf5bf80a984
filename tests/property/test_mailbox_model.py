"""The mailbox against a model that is plainly right: a list that is searched from the front. Whatever is filed, polled, collected,
released, searched or taken away in whatever order, both say the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.collection import Found, HandedOut, ReadingRights, Search, Wanted
from gateway.database import Database
from gateway.storage.polling import MONTH, Polling
from gateway.storage.search import Documents
from tests.walk import AT, put

CLAIM = timedelta(seconds=180)
ACCOUNTS = {1: "ANNA", 2: "BARTEK"}
CONTEXTS = [("", "P"), ("", "Q"), ("A", "P"), ("A", "Q")]
SYSTEMS = ["NCTS2", "AES"]


@dataclass
class Filed:
    """A document in the model."""

    sys_ref: str
    account: int
    agency: str
    party: str
    system: str
    at: int  # minutes
    held_until: int = -(10**9)
    claim: int = 0
    collected: bool = False


def maybe(values: list[str]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(values))


FILE = st.tuples(st.just("file"), st.sampled_from([1, 1, 2]), st.sampled_from(CONTEXTS), st.sampled_from(SYSTEMS))
WANTED = st.one_of(
    st.just(Wanted()),
    st.builds(Wanted, maybe(SYSTEMS), maybe(["ANNA", "BARTEK"]), maybe(["A"]), maybe(["P", "Q"]), st.booleans()),
)
RIGHTS = st.one_of(
    st.just((set(CONTEXTS), set(CONTEXTS))), st.tuples(st.sets(st.sampled_from(CONTEXTS)), st.sets(st.sampled_from(CONTEXTS)))
)
POLL = st.tuples(st.just("poll"), st.sampled_from([1, 1, 2]), WANTED, RIGHTS, st.booleans())
SEARCH = st.tuples(st.just("search"), st.sampled_from([1, 1, 2]), WANTED, RIGHTS, st.sampled_from([None, False, True]), st.integers(0, 60))
END = st.tuples(st.sampled_from(["collected", "release"]), st.integers(0, 9))
WAIT = st.tuples(st.just("wait"), st.sampled_from([1, 1, 1, 2, 5, 31 * 24 * 60]))
STEPS = st.tuples(
    st.lists(st.one_of(FILE, WAIT), min_size=4, max_size=10),
    st.lists(st.one_of(FILE, POLL, POLL, POLL, SEARCH, END, WAIT), min_size=5, max_size=25),
).map(lambda parts: [*parts[0], *parts[1]])


def may(filed: Filed, account: int, wanted: Wanted, rights: ReadingRights) -> bool:
    own = filed.account == account and (filed.agency, filed.party) in rights.contexts
    others = wanted.all_employees and (filed.agency, filed.party) in rights.all_employees
    grades = (
        (wanted.person, ACCOUNTS[filed.account]),
        (wanted.agency, filed.agency),
        (wanted.party, filed.party),
        (wanted.system, filed.system),
    )
    return (own or others) and all(wants in (None, has) for wants, has in grades)


@contextmanager
def store(migrated: Path) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="brama-mailbox-") as folder:
        shutil.copy(migrated, f"{folder}/brama.db")
        database = Database(f"sqlite:///{folder}/brama.db")
        yield database
        database.engine.dispose()


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_the_mailbox_does_what_a_plain_list_does(migrated: Path, steps: list[tuple[object, ...]]) -> None:
    with store(migrated) as database:
        Run(database).all(steps)


class Run:
    """Both mailboxes, side by side, on one clock of minutes."""

    def __init__(self, database: Database) -> None:
        self.database, self.minute, self.number = database, 0, 0
        self.box = Polling(database, Documents(database), self.now, claim_seconds=CLAIM.total_seconds(), token_window=300, bound=99)
        self.model: list[Filed] = []
        self.handed: list[tuple[HandedOut, Filed]] = []

    def now(self):  # type: ignore[no-untyped-def]
        return AT + timedelta(minutes=self.minute)

    def all(self, steps: list[tuple[object, ...]]) -> None:
        for name, *arguments in steps:
            getattr(self, str(name))(*arguments)

    def file(self, account: int, context: tuple[str, str], system: str) -> None:
        self.number += 1
        agency, party = context
        options = {"person": ACCOUNTS[account], "agency": agency or None, "party": party, "system": system}
        (sys_ref,) = put(self.database, b"%d" % self.number, account=account, at=self.now(), **options)
        self.model.append(Filed(sys_ref, account, agency, party, system, self.minute))

    def poll(self, account: int, wanted: Wanted, sets: tuple[set[tuple[str, str]], set[tuple[str, str]]], month: bool) -> None:
        rights = self.rights(account, sets)
        handed = asyncio.run(self.box.next(account, rights, wanted, None, self.now(), month=month))
        oldest = self.minute - MONTH.total_seconds() / 60 if month else -1
        free = [
            filed
            for filed in self.model
            if not filed.collected and filed.held_until <= self.minute and filed.at > oldest and may(filed, account, wanted, rights)
        ]
        assert (handed is None) is (not free)
        if handed is not None:
            same_minute = [filed for filed in free if filed.at == free[0].at]  # of one minute, either
            (filed,) = [filed for filed in same_minute if filed.sys_ref == handed.sys_ref]
            assert handed.has_next is (len(free) > 1)
            filed.claim += 1
            assert handed.claim == filed.claim
            filed.held_until = self.minute + 3
            self.handed.append((handed, filed))

    def search(
        self, account: int, wanted: Wanted, sets: tuple[set[tuple[str, str]], set[tuple[str, str]]], collected: bool | None, back: int
    ) -> None:
        rights = self.rights(account, sets)
        since, until = self.now() - timedelta(minutes=back), self.now() + timedelta(microseconds=1)
        found: Found = asyncio.run(
            Documents(self.database).find(account, rights, Search(wanted, collected=collected, since=since, until=until))
        )
        expected = [
            filed.sys_ref
            for filed in self.model
            if filed.at >= self.minute - back and collected in (None, filed.collected) and may(filed, account, wanted, rights)
        ]
        assert [document.sys_ref for document in found.documents] == expected, "in the order in which they were filed"

    def collected(self, which: int) -> None:
        self.end(which, collected=True)

    def release(self, which: int) -> None:
        self.end(which, collected=False)

    def end(self, which: int, *, collected: bool) -> None:
        if not self.handed:
            return
        handed, filed = self.handed[which % len(self.handed)]  # also one that ended before, or was taken over
        asyncio.run((self.box.collected if collected else self.box.release)(handed.document_id, handed.claim))
        if filed.claim == handed.claim and not filed.collected:
            filed.collected, filed.held_until = collected, -(10**9)

    def wait(self, minutes: int) -> None:
        self.minute += minutes

    def rights(self, account: int, sets: tuple[set[tuple[str, str]], set[tuple[str, str]]]) -> ReadingRights:
        contexts, more = sets
        return ReadingRights(ACCOUNTS[account], frozenset(contexts | more), frozenset(more), 0)
