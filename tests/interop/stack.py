"""What the tests ask of every client stack, in the words of the tests; each stack answers with what it made of the reply."""

from __future__ import annotations

import json
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """Where and as whom to call. `secret` is what the stack is given as password; `addressing` False leaves those headers out."""

    wsdl: str
    login: str
    secret: str
    addressing: bool = True


@dataclass(frozen=True)
class Taken:
    """A document as the stack handed it to its user."""

    filename: str
    content: bytes
    systems: tuple[str, ...]
    has_next: bool | None = None


@dataclass(frozen=True)
class Found:
    """What GetDocuments gave: documentsCount, the documents, documentsInfo."""

    count: int
    documents: tuple[Taken, ...]
    info: str | None = None


@dataclass
class Told(Exception):
    """A fault as the stack hands it out. `detail` is techErrorFault or businessErrorFault; `typed`: by a class made from the WSDL."""

    string: str
    detail: str | None = None
    error_code: str | None = None
    error_desc: str | None = None
    typed: bool = False


class Stack(Protocol):
    """Every call opens the WSDL of `account` (once for each account) and raises Told for a fault."""

    def submit(self, account: Account, document: Path) -> str: ...

    def next(self, account: Account) -> Taken | None: ...

    def next_sisc(self, account: Account, **grades: str) -> Taken | None: ...

    def documents(self, account: Account, **criteria: str) -> Found: ...


@dataclass(frozen=True)
class Patient:
    """A stack whose user comes again when the store is busy for a moment (E001), as he should."""

    stack: Stack

    def submit(self, account: Account, document: Path) -> str:
        return _patiently(lambda: self.stack.submit(account, document))

    def next(self, account: Account) -> Taken | None:
        return _patiently(lambda: self.stack.next(account))

    def next_sisc(self, account: Account, **grades: str) -> Taken | None:
        return _patiently(lambda: self.stack.next_sisc(account, **grades))

    def documents(self, account: Account, **criteria: str) -> Found:
        return _patiently(lambda: self.stack.documents(account, **criteria))


def _patiently(call: Callable[[], T]) -> T:
    for _ in range(5):
        try:
            return call()
        except Told as told:
            if told.error_code != "E001":
                raise
            time.sleep(0.3)
    return call()


def hashed(password: str) -> str:
    """Given as password to a stack that makes digest (a), it makes digest (b)."""
    return b64encode(sha1(password.encode()).digest()).decode()


class Piped:
    """A stack in a process of its own: a question a line (fields between tabs), an answer a line (JSON)."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", **options)

    def close(self) -> None:
        """Its questions end, and so does it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(10) == 0

    def _ask(self, do: str, account: Account, **more: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        who = (account.wsdl, account.login, account.secret, "yes" if account.addressing else "no")
        self._process.stdin.write("\t".join((do, *who, *(f"{name}={value}" for name, value in more.items()))) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self._process.args!r} ended with {self._process.wait(5)}"
        answer = json.loads(line)
        assert "trouble" not in answer, answer["trouble"]
        if "fault" in answer:
            raise Told(**answer["fault"])
        return answer

    def submit(self, account: Account, document: Path) -> str:
        return str(self._ask("submit", account, document=document)["sysRef"])

    def next(self, account: Account) -> Taken | None:
        return self._next("next", account)

    def next_sisc(self, account: Account, **grades: str) -> Taken | None:
        return self._next("nextSisc", account, **grades)

    def _next(self, do: str, account: Account, **grades: str) -> Taken | None:
        answer = self._ask(do, account, **grades)
        return _taken(answer["document"], answer["hasNext"]) if answer["document"] else None

    def documents(self, account: Account, **criteria: str) -> Found:
        answer = self._ask("documents", account, **criteria)
        return Found(answer["count"], tuple(map(_taken, answer["documents"])), answer["info"])


def _taken(document: dict[str, Any], has_next: bool | None = None) -> Taken:
    return Taken(document["filename"], b64decode(document["content"]), tuple(document["systems"]), has_next)
