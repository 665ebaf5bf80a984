"""What reading a mailbox costs when 1, 1,000 and 1,000,000 documents lie in it: the cost must not grow with the store.

A server for each store runs at the same time, and each round asks all of them by turns, so that what the neighbours on this
machine do hits all alike. A document that was handed out is put back before the next poll: every poll does the same work.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.loader import load
from bench.messages import PATH, reading_request
from bench.processes import exact_cpu_seconds
from gateway.database import Database
from gateway.demo.house import running
from gateway.demo.people import ANNA, JAN, Person

STORES = (1, 1_000, 1_000_000)
KINDS = ("next", "empty", "search")
"""GetNextDocument that hands out one; GetNextDocument of a mailbox in which nothing waits; GetDocuments by korelacjaSysref."""


class Wrong(Exception):
    """An answer was not what it had to be."""


@dataclass
class Store:
    """One store and what was measured on it: for each kind, CPU a call by rounds, and all latencies. Seconds."""

    documents: int
    loaded: float
    cpu: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    latencies: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def latency(self, kind: str, share: float) -> float:
        ordered = sorted(self.latencies[kind])
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def times(stores: list[Store], kind: str) -> float:
    """CPU a call in the largest store over that in the smallest, as the median of the rounds."""
    pairs = zip(stores[-1].cpu[kind], stores[0].cpu[kind], strict=True)
    return statistics.median(large / small for large, small in pairs)


def measure(prepared: Path, rounds: int, calls: int, tell: Callable[[str], None], stores: tuple[int, ...] = STORES) -> list[Store]:
    """`rounds` rounds of `calls` calls of every kind to every store, one call at a time. Raises Wrong."""
    with ExitStack() as open_:
        houses = []
        for documents in stores:
            tell(f"mailbox: loading {documents} documents")
            houses.append(open_.enter_context(_house(prepared, documents)))
        for number in range(rounds + 1):
            tell(f"mailbox: round {number} of {rounds}" if number else "mailbox: warming up")
            for kind in KINDS:
                for house in houses:
                    house.round(kind, calls, kept=number > 0)
    return [house.store for house in houses]


class _House:
    """A running server and one keep-alive connection to it."""

    def __init__(self, store: Store, home: Path, url: str, server: int) -> None:
        self.store, self._server = store, server
        self._host = url.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._host, timeout=30)
        self._database = Database(f"sqlite:///{home / 'brama.db'}")
        self._newest = f"00000000-0000-4000-8000-{store.documents:012x}"

    def close(self) -> None:
        self._connection.close()
        self._database.engine.dispose()

    def round(self, kind: str, calls: int, *, kept: bool) -> None:
        requests = [reading_request(*self._asked(kind)) for _ in range(calls)]
        latencies = []
        before = exact_cpu_seconds(self._server)
        for request in requests:
            begun = time.perf_counter()
            self._connection.request("POST", PATH, request, {"Content-Type": "text/xml; charset=utf-8"})
            response = self._connection.getresponse()
            body = response.read()
            latencies.append(time.perf_counter() - begun)
            self._check(kind, response.status, body)
        spent = exact_cpu_seconds(self._server) - before
        if kept:
            self.store.cpu[kind].append(spent / calls)
            self.store.latencies[kind] += latencies

    def _asked(self, kind: str) -> tuple[Person, str, str]:
        if kind == "search":
            return ANNA, "GetDocuments", f"<korelacjaSysref>{self._newest}</korelacjaSysref>"
        return (ANNA if kind == "next" else JAN), "GetNextDocument", ""

    def _check(self, kind: str, status: int, body: bytes) -> None:
        found = re.findall(rb"<dispatchId>(11111111-[0-9a-f-]{27})</dispatchId>", body)
        if status != 200 or len(found) != (0 if kind == "empty" else 1):
            raise Wrong(f"{kind} with {self.store.documents} documents: {body[:1000].decode('utf-8', 'replace')}")
        if kind == "next":
            if (b'hasNext="true"' in body) is not (self.store.documents > 1) or not found[0].endswith(b"-000000000001"):
                raise Wrong(f"not the oldest of {self.store.documents}: {body[:1000].decode('utf-8', 'replace')}")
            self._put_back()

    def _put_back(self) -> None:
        """As soon as the server has marked the first document as collected."""
        give_up = time.monotonic() + 5
        while time.monotonic() < give_up:
            with self._database.writing() as connection:
                if connection.exec_driver_sql(
                    "UPDATE collections SET collected_at = NULL WHERE document = 1 AND collected_at > 0"
                ).rowcount:
                    return
            time.sleep(0.0005)
        raise Wrong("a document that was handed out is not collected")


@contextmanager
def _house(prepared: Path, documents: int) -> Iterator[_House]:
    """A server over a store that was filled before it started."""
    home = prepared.parent / f"mailbox-{documents}"
    shutil.copytree(prepared, home, ignore=shutil.ignore_patterns("*.pickle", "*.db*"))
    try:
        environment = {**{name: value for name, value in os.environ.items() if not name.startswith("BRAMA_")}, "BRAMA_HOME": str(home)}
        imported = [sys.executable, "-m", "gateway", "registry", "import", str(home / "registry.yaml")]
        subprocess.run(imported, env=environment, check=True, stdout=subprocess.DEVNULL)
        store = Store(documents, load(home / "brama.db", ANNA, documents))
        with running(home, worker=False) as house:
            opened = _House(store, home, house.url, house.started["serve"].pid)
            try:
                yield opened
            finally:
                opened.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
