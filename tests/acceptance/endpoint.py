"""A trader's own endpoint as a process, and its registration with the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.estate import BRAMA, Estate

SECRET = "hasło-do-punktu"


class Endpoint:
    """A running receiver; see `gateway.demo.receiver` for its modes."""

    def __init__(self, login: str = "brama") -> None:
        self.login = login
        command = [sys.executable, "-m", "gateway.demo.receiver", "--login", login, "--password", SECRET]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        assert self._process.stdout is not None
        self.address = str(json.loads(self._process.stdout.readline())["address"])
        self.url = f"{self.address}/seap"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def mode(self, name: str) -> None:
        self._ask(f"mode/{name}", post=True)

    def next(self, name: str) -> None:
        self._ask(f"next/{name}", post=True)

    def log(self) -> dict[str, Any]:
        return self._ask("log")

    @property
    def arrivals(self) -> list[dict[str, Any]]:
        """Every one of them must have been right by addressing, token and schema."""
        found: list[dict[str, Any]] = self.log()["arrivals"]
        assert [arrival["wrong"] for arrival in found] == [""] * len(found)
        return found

    @property
    def effects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.log()["effects"]
        return found

    def _ask(self, path: str, *, post: bool = False) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.address}/control/{path}", method="POST" if post else "GET")
        with urllib.request.urlopen(request, timeout=10) as reply:
            found: dict[str, Any] = json.load(reply)
        return found


@contextmanager
def endpoint(login: str = "brama") -> Iterator[Endpoint]:
    made = Endpoint(login)
    try:
        yield made
    finally:
        made.stop()


def register(estate: Estate, login: str, url: str, *options: str, secret: str = SECRET) -> subprocess.CompletedProcess[str]:
    """As an operator does: the password on standard input."""
    command = [*BRAMA, "push", "set", login, url, "--as", "brama", *options]
    return subprocess.run(command, env=estate.environment, input=f"{secret}\n", capture_output=True, text=True, check=False, timeout=60)
