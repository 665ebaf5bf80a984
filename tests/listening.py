"""A real HTTP server in a thread, with our own connections and whatever application a test gives it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from gateway.endpoints.connection import bounded


@contextmanager
def listening(app: Any, head_seconds: float = 15, keep_alive: int = 5, **limits: Any) -> Iterator[int]:
    """Gives its port. `limits` are those of `bounded`."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        http = bounded(head_seconds, **limits)
        server = uvicorn.Server(uvicorn.Config(app, http=http, lifespan="off", log_config=None, timeout_keep_alive=keep_alive))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
