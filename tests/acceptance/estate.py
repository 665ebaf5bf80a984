"""A whole set-up whose processes a test may stop, kill and start again: authority, server, worker, all real commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.demo.house import prepare
from gateway.demo.people import AGENCY, IMPORTER
from gateway.security.authority import issue, make_root
from gateway.security.keys import load_authority

BRAMA = [sys.executable, "-m", "gateway"]
PATIENCE = 20.0  # seconds for anything that has to happen
T = TypeVar("T")


def until(look: Callable[[], T | bool | None], seconds: float = PATIENCE, what: str = "it") -> T:
    """What `look` finds, as soon as it finds something; fails when it does not in time."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if found := look():
            return found  # type: ignore[return-value]
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Estate:
    """Keys, registry and processes in one folder. `settings` are BRAMA_* names without the prefix."""

    def __init__(self, home: Path, persons: int = 8, template: Path | None = None, **settings: object) -> None:
        """`template` is the folder of a set-up that was made and never started: its keys and registry are taken over."""
        self.home, self.persons = home, persons
        if template:
            shutil.copytree(template, home)
        else:
            home.mkdir()
            prepare(home)
            self._write_registry()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.authority = ""
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("BRAMA_")},
            "BRAMA_HOME": str(home),
            "BRAMA_LISTEN": f"127.0.0.1:{self.port}",
            "BRAMA_PROFILES": str(home / "profiles"),
            "BRAMA_SYSTEMS__NCTS2_SECRET_FILE": str(home / "authority.secret"),
            **{f"BRAMA_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.started: dict[str, subprocess.Popen[str]] = {}

    def _write_registry(self) -> None:
        """Many traders of one agency, and a few people with whom something is wrong."""
        keys = load_authority(self.home / "keys")
        stranger = make_root("Some other authority")
        long_ago = datetime.now(UTC) - timedelta(days=100)
        special: dict[str, dict[str, Any]] = {"inactive": {}, "expired": {"now": long_ago, "days": 30}, "stranger": {}, "idle": {}}
        persons, links = [], []
        for name in [*(f"trader{n:02}" for n in range(self.persons)), *special]:
            issuer_key, issuer = stranger if name == "stranger" else (keys.key, keys.certificate)
            key, certificate = issue(issuer, issuer_key, f"Osoba {name}", **special.get(name, {}))
            login = f"{name}@agencja.example"
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (self.home / "people" / f"{login}.key").write_bytes(pem)
            (self.home / "people" / f"{login}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
            id_sisc = name.upper().ljust(17, "0")
            account = {"login": login, "password": password(name), "active": name != "inactive"}
            persons.append(
                {
                    "idSISC": id_sisc,
                    "given_names": "Osoba",
                    "family_name": name,
                    "accounts": [account],
                    "certificates": [{"file": f"people/{login}.pem"}],
                }
            )
            if name != "idle":
                links.append(_link({"person": id_sisc, "principal": AGENCY.id_sisc, "form": "employee", "permissions": ["*"]}))
        links.append(
            _link({"agency": AGENCY.id_sisc, "principal": IMPORTER.id_sisc, "form": "power_of_attorney", "permissions": ["NCTS2/*"]})
        )
        entities = [{"idSISC": e.id_sisc, "name": e.name, "identifiers": {"EORI": e.eori}} for e in (AGENCY, IMPORTER)]
        document = {"persons": persons, "entities": entities, "representations": links}
        (self.home / "registry.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))

    # --- processes --------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Import the registry, as an operator does."""
        imported = self.brama("registry", "import", str(self.home / "registry.yaml"))
        assert imported.returncode == 0, imported.stderr

    def start(self, processes: int = 1, speed: float = 5) -> Estate:
        """Everything, and wait until it is ready."""
        if not (self.home / "brama.db").exists():
            self.fill()
        self.start_authority(speed)
        self.start_worker()
        self.start_server(processes)
        return self

    def start_authority(self, speed: float = 5) -> None:
        command = [sys.executable, "-m", "adapters.ncts.simulator", "--gateway", self.url, "--speed", str(speed)]
        command += ["--secret-file", str(self.home / "authority.secret"), "--state", str(self.home / "authority.db")]
        log = (self.home / "authority.log").open("a")
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        assert process.stdout is not None
        self.authority = str(json.loads(process.stdout.readline())["address"])
        self.environment["BRAMA_SYSTEMS__NCTS2_URL"] = f"{self.authority}/messages"
        self.started["authority"] = process

    def start_server(self, processes: int = 1) -> None:
        self._start("serve", "--processes", str(processes))
        until(lambda: self.ready() and self.listening() == processes, 30, "the server's start")

    def start_worker(self) -> None:
        self._start("worker")

    def _start(self, *arguments: str) -> None:
        with (self.home / f"{arguments[0]}.log").open("a") as log:
            self.started[arguments[0]] = subprocess.Popen([*BRAMA, *arguments], env=self.environment, stderr=log, text=True)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            assert self.started["serve"].poll() is None, self.log("serve")
            return False

    def listening(self) -> int:
        """How many processes listen on the port."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(1 for line in lines if line[1] == f"0100007F:{self.port:04X}" and line[3] == "0A")

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self.started.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        for name in ("worker", "authority"):
            if name in self.started:
                self.kill(name)
        if (server := self.started.pop("serve", None)) is not None:
            server.terminate()
            server.wait(40)

    def children(self, name: str) -> set[int]:
        """Process ids of the server processes under a supervisor."""
        parent = self.started[name].pid
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return {int(pid) for pid in listed if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}

    def peak_memory(self) -> int:
        """Bytes, the most the server's process ever had resident."""
        status = Path(f"/proc/{self.started['serve'].pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    # --- looking into it --------------------------------------------------------------------------------------------

    def brama(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*BRAMA, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=60)

    def brama_json(self, *arguments: str) -> Any:
        done = self.brama(*arguments, "--json")
        assert done.returncode == 0, done.stderr or done.stdout
        return json.loads(done.stdout)

    def control(self, path: str, *, post: bool = False) -> dict[str, list[dict[str, Any]]]:
        request = urllib.request.Request(f"{self.authority}/control/{path}", method="POST" if post else "GET")
        with urllib.request.urlopen(request, timeout=10) as reply:
            found: dict[str, list[dict[str, Any]]] = json.load(reply)
        return found

    def at_authority(self, what: str, sys_ref: str) -> list[dict[str, Any]]:
        """`arrivals`, `effects` or `answers` of one message."""
        return [entry for entry in self.control("log")[what] if entry["request_id"] == sys_ref]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Straight from the database file, read-only."""
        connection = sqlite3.connect(f"file:{self.home / 'brama.db'}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def stored(self, sys_ref: str) -> bytes:
        return self.rows("SELECT c.content FROM contents c JOIN messages m ON m.id = c.message WHERE m.sys_ref = ?", sys_ref)[0][0]

    def delivery(self, sys_ref: str) -> tuple[str, str | None]:
        """Its state and its flow state."""
        query = "SELECT d.state, d.flow_state FROM deliveries d JOIN messages m ON m.id = d.message WHERE m.sys_ref = ?"
        return self.rows(query, sys_ref)[0]

    def delivered(self, sys_refs: Iterable[str]) -> bool:
        query = "SELECT m.sys_ref FROM deliveries d JOIN messages m ON m.id = d.message WHERE d.state = 'delivered'"
        return set(sys_refs) <= {row[0] for row in self.rows(query)}

    def books(self) -> tuple[int, int, int]:
        """Messages, deliveries and arrivals at the authority: what must not move when something is refused at the door."""
        messages, deliveries = (self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("messages", "deliveries"))
        return messages, deliveries, len(self.control("log")["arrivals"])

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()


def password(name: str) -> str:
    return f"hasło-tajne-{name}"


def _link(link: dict[str, Any]) -> dict[str, Any]:
    return {**link, "valid_from": "2024-01-01"}
