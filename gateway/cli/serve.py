"""`brama serve`: the doors, in one process or several that share the port."""

from __future__ import annotations

import asyncio
import errno
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess

import click
import structlog
import uvloop

from gateway.cli.trouble import plainly
from gateway.database import open_engine
from gateway.migrations import upgrade
from gateway.observability import logs
from gateway.settings import Settings, unknown_variables

log = structlog.get_logger("brama.serve")

IDLE_SECONDS = 60  # a kept-alive connection without a request
LEFTOVERS = 3.0  # seconds in which what is left of a killed gateway may give the port back
RESTART_PAUSE = 1.0  # seconds between the death of a server process and the next one's start


@click.command()
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="One per core is best.")
@click.option("--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--json", "json_", is_flag=True, help="Log as JSON on a terminal, too.")
@plainly
def serve(processes: int, log_level: str, json_: bool) -> None:
    """Open the doors (SOAP, answers of the customs systems, metrics) until SIGTERM."""
    logs.configure(log_level, json_)
    settings = Settings()
    for name in unknown_variables(os.environ):
        log.warning("unknown_variable", name=name, cure="correct the name or unset it; it changes nothing as it is")
    upgrade(open_engine(settings.database))
    _refuse_a_taken_port(settings.address)
    holder = _bind(settings.address)  # bound, never listening: keeps the port, or finds a free one for port 0
    from gateway.bootstrap import open_gatehouse

    settings = settings.model_copy(update={"listen": "{}:{}".format(*holder.getsockname()[:2])})
    if processes == 1:
        uvloop.run(_serve_one(settings))
        return
    with open_gatehouse(settings):  # what is missing is said once, here, and not by every child that dies of it
        pass
    _supervise(settings, processes, (log_level, json_))


def _refuse_a_taken_port(address: tuple[str, int]) -> None:
    """Our own processes share the port (SO_REUSEPORT), so the kernel would let another gateway of this user take a part of the
    traders' calls. What is left of a gateway that was killed has a moment to end."""
    until = time.monotonic() + LEFTOVERS
    while True:
        with socket.socket(_family(address)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                    raise _cannot_listen(address, error) from error
            else:
                return
        time.sleep(0.1)


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _cannot_listen(address: tuple[str, int], error: OSError) -> click.ClickException:
    return click.ClickException(f"cannot listen on {address[0]}:{address[1]} ({error.strerror}): set BRAMA_LISTEN")


def _bind(address: tuple[str, int]) -> socket.socket:
    family = _family(address)
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # without the last, no loop sets TCP_NODELAY: 40 ms a reply
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError as error:
        raise _cannot_listen(address, error) from error
    return bound


async def _serve_one(settings: Settings) -> None:
    import uvicorn

    from gateway.asgi import Application
    from gateway.bootstrap import open_gatehouse
    from gateway.endpoints.connection import bounded

    class Server(uvicorn.Server):
        """Ends by returning; uvicorn's own way raises the signal again, which kills the process before the house is closed."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)
            yield

    own = _bind(settings.address)
    with open_gatehouse(settings) as house:
        config = uvicorn.Config(
            Application(house),
            http=bounded(settings.head_seconds, settings.max_connections, settings.operation_seconds),
            ws="none",
            loop="uvloop",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),  # uvicorn itself would trust every proxy on this machine
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=30,
            backlog=1024,
        )
        server = Server(config)
        gc.collect()
        gc.freeze()  # what stands now stays: looking through it for garbage again and again would take 5 % of the time
        log.info("serving", listen=settings.listen, url=settings.url)
        await server.serve(sockets=[own])


def _child(settings: Settings, logging: tuple[str, bool]) -> None:
    logs.configure(*logging)
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()
    uvloop.run(_serve_one(settings))


def _end_with_supervisor() -> None:
    """A server whose supervisor was killed would keep the port, and the old code, beside the next start: finish calls and end."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _supervise(settings: Settings, processes: int, logging: tuple[str, bool]) -> None:
    """Keep `processes` servers alive; on SIGTERM or SIGINT let them finish their calls and end."""
    context: SpawnContext = multiprocessing.get_context("spawn")
    stopping = False

    def start() -> SpawnProcess:
        process = context.Process(target=_child, args=(settings, logging))
        process.start()
        return process

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    servers = [start() for _ in range(processes)]
    while not stopping:
        time.sleep(0.1)
        for place, server in enumerate(servers):
            if not server.is_alive() and not stopping:
                log.error("server_died", pid=server.pid, exitcode=server.exitcode)
                time.sleep(RESTART_PAUSE)
                servers[place] = start()
    for server in servers:
        server.terminate()
    for server in servers:
        server.join(35)
    sys.exit(0)
