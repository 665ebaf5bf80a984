"""The load generator, a process of its own: keep-alive HTTP/1.1 connections that each wait for their reply.

    python -m bench.load JOB.json     says `ready` when all requests are built, starts at the line `go`, prints its result as JSON

Requests are made before the clock starts. Every reply is looked at: anything but a 200 with a sysRef counts as refused.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

from bench.messages import Signed, http_request

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SYS_REF = re.compile(rb"<sysRef>([0-9a-f-]{36})</sysRef>")
_PATIENCE = 300.0  # seconds for everything


@dataclass(frozen=True, slots=True)
class Load:
    """What came back. Times in seconds; `latencies` sorted; `refused` holds the beginning of the first few odd replies."""

    sys_refs: list[str]
    refused: list[str]
    seconds: float
    latencies: list[float]
    cpu: float

    @property
    def rate(self) -> float:
        return len(self.sys_refs) / self.seconds

    def latency(self, share: float) -> float:
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


class Generator:
    """A load generator that has built its requests and waits for `go`."""

    def __init__(self, signed: Signed, start: int, count: int, clients: int, host: str, home: Path) -> None:
        job = home / "job.json"
        job.write_text(json.dumps({"file": str(signed.file), "start": start, "count": count, "clients": clients, "host": host}))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", str(job)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the load generator did not come up")

    def go(self) -> Load:
        output, _ = self._process.communicate("go\n", timeout=_PATIENCE)
        if self._process.returncode:
            raise RuntimeError("the load generator failed")
        return Load(**json.loads(output))


class _Client(asyncio.Protocol):
    """One connection: sends the next request when the reply to the last is complete."""

    def __init__(self, requests: Iterator[bytes], replies: list[bytes], latencies: list[float]) -> None:
        self._requests, self._replies, self._latencies = requests, replies, latencies
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one

    def send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        length = _LENGTH.search(self._buffer, 0, end) if end >= 0 else None
        if length is None or len(self._buffer) < end + 4 + int(length[1]):
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._replies.append(self._buffer)
        self._buffer = b""
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def _run(requests: list[bytes], clients: int, host: str) -> Load:
    address, _, port = host.rpartition(":")
    loop, waiting = asyncio.get_running_loop(), iter(requests)
    replies: list[bytes] = []
    latencies: list[float] = []
    connections = [
        (await loop.create_connection(lambda: _Client(waiting, replies, latencies), address, int(port)))[1] for _ in range(clients)
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    started, cpu = time.perf_counter(), time.process_time()
    for connection in connections:
        connection.send()
    await asyncio.gather(*(connection.done for connection in connections))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    found = [(reply, _SYS_REF.search(reply)) for reply in replies]
    good = [match[1].decode() for reply, match in found if match is not None and reply.startswith(b"HTTP/1.1 200 ")]
    odd = [reply[:2000].decode("utf-8", "replace") for reply, match in found if match is None or not reply.startswith(b"HTTP/1.1 200 ")]
    return Load(good, odd, seconds, sorted(latencies), cpu)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    messages: list[bytes] = pickle.loads(Path(job["file"]).read_bytes())
    requests = [http_request(message, job["host"]) for message in messages[job["start"] : job["start"] + job["count"]]]
    del messages
    print(json.dumps(asdict(uvloop.run(_run(requests, job["clients"], job["host"])))))


if __name__ == "__main__":
    main()
