"""How often somebody may fail to prove himself, and how much one proven account may ask for at once.

Wrong proofs are counted in the memory of each server process, in tables of fixed size, for

* a login from an address: past `failures` in `window` seconds nobody is that login from that address any more, not even
  with the right digest, until the count has run down. From any other address he is: whoever guesses a trader's password
  cannot lock him out;
* an address, over all logins (password spraying): past `SPRAYING` times as many, only logins that proved themselves from
  there within a day pass, so that one careless neighbour behind a shared address does not stop an office at work.

A call that is held back is proven all the same and gets the one answer that every bad token gets, in the same time: nobody
learns that he is held back, or that this guess was right. It is not counted again, so software whose password was
corrected is let in as soon as the count has run down by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address

from gateway.errors import Deferred

SPRAYING = 5
KNOWN_SECONDS = 86_400.0
SEEN_AGAIN = 60.0  # seconds between two notes of the same proof
LONGEST_ADDRESS = 45
SIZE = 20_000  # entries of each table: some 4 MB at most; the one touched longest ago goes first


class Buckets:
    """A level for each key, one higher with each `add`, running down by `limit` in `window` seconds. O(1), at most `size` keys."""

    def __init__(self, limit: float, window: float, size: int = SIZE) -> None:
        self._limit, self._rate, self._size = limit, limit / window, size
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def full(self, key: Hashable, now: float) -> bool:
        """Whether one more would be too many."""
        return key in self._levels and self._level(key, now) + 1 > self._limit

    def take(self, key: Hashable, now: float) -> bool:
        """Add one unless it would be too many; whether it was added."""
        level = self._level(key, now) + 1
        if level > self._limit:
            return False
        if key not in self._levels and len(self._levels) >= self._size:
            del self._levels[next(iter(self._levels))]
        self._levels[key] = (level, now)
        return True

    def add(self, key: Hashable, now: float) -> None:
        level = self._level(key, now) + 1
        self._levels.pop(key, None)
        if len(self._levels) >= self._size:
            del self._levels[next(iter(self._levels))]
        self._levels[key] = (level, now)

    def empty(self, key: Hashable) -> None:
        self._levels.pop(key, None)

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until one more is not too many."""
        return max(0.0, self._level(key, now) + 1 - self._limit) / self._rate

    def _level(self, key: Hashable, now: float) -> float:
        level, at = self._levels.get(key, (0.0, now))
        return max(0.0, level - (now - at) * self._rate)


class Throttle:
    """One instance per server process, used from its event loop only. Times are seconds of `clock`, a monotonic one."""

    def __init__(
        self, *, failures: int, window: float, calls_per_second: float, calls_at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._pairs = Buckets(failures, window)
        self._addresses = Buckets(failures * SPRAYING, window)
        self._known: dict[int, float] = {}
        self._calls_per_second, self._calls_at_once = calls_per_second, calls_at_once
        self._calls = Buckets(2 * calls_per_second, 2.0)  # a burst of two seconds' worth
        self._in_work: dict[int, int] = {}

    def holds_back(self, login: str, address: str) -> bool:
        """Whether this login is not to be believed from this address now."""
        if not self._addresses:  # every wrong proof is counted there too
            return False
        now, source = self._clock(), network(address)
        pair = _pair(login, source)
        if self._pairs.full(pair, now):
            return True
        return self._addresses.full(source, now) and now - self._known.get(pair, -KNOWN_SECONDS) >= KNOWN_SECONDS

    def failed(self, login: str, address: str) -> None:
        """A wrong proof by one who was not held back."""
        now, source = self._clock(), network(address)
        self._pairs.add(_pair(login, source), now)
        self._addresses.add(source, now)

    def proven(self, login: str, address: str) -> None:
        """A right proof by one who was not held back."""
        now, pair = self._clock(), _pair(login, network(address))
        self._pairs.empty(pair)
        if now - self._known.get(pair, -SEEN_AGAIN) < SEEN_AGAIN:
            return
        self._known.pop(pair, None)
        if len(self._known) >= SIZE:
            del self._known[next(iter(self._known))]
        self._known[pair] = now

    def begin(self, account_id: int) -> None:
        """A call of a proven account. Raises Deferred(receive.too_many_calls); otherwise `end` must follow."""
        now, in_work = self._clock(), self._in_work.get(account_id, 0)
        if in_work >= self._calls_at_once:
            raise Deferred("receive.too_many_calls", seconds=1)
        if not self._calls.take(account_id, now):
            raise Deferred("receive.too_many_calls", seconds=max(1, round(self._calls.wait(account_id, now))))
        self._in_work[account_id] = in_work + 1

    def end(self, account_id: int) -> None:
        """That call is answered."""
        left = self._in_work[account_id] - 1
        if left:
            self._in_work[account_id] = left
        else:
            del self._in_work[account_id]


def network(address: str) -> str:
    """What one sender is taken to own: an IPv4 address, or the /64 of an IPv6 address. Anything else, which only a proxy can
    have written, stands for itself, cut to the length of an address."""
    if ":" not in address:
        return address[:LONGEST_ADDRESS]
    if "." in address:  # an IPv4 address as IPv6 writes it
        return address.rpartition(":")[2][:LONGEST_ADDRESS]
    try:
        return IPv6Address(address).exploded[:19]
    except ValueError:
        return address[:LONGEST_ADDRESS]


def _pair(login: str, source: str) -> int:
    """One number instead of a login of any length; Python's hash of text is keyed anew in each process."""
    return hash((login.strip().lower(), source))
