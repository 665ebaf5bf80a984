"""A private set-up in one folder: keys, registry, the secret shared with the simulated authority, and the processes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import httpx
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.demo.people import AGENCY, IMPORTER, PERSONS, Person
from gateway.security.authority import issue
from gateway.security.keys import initialise, write_private

READY_SECONDS = 30.0


class DemoTrouble(Exception):
    """The set-up could not be made or did not come up."""


@dataclass(frozen=True, slots=True)
class House:
    """A running set-up: where it is and how to talk to it."""

    home: Path
    url: str
    authority: str
    environment: Mapping[str, str]
    started: Mapping[str, subprocess.Popen[str]]  # authority, serve and, unless it was left out, worker

    def brama(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the real command with this set-up's settings."""
        return subprocess.run([*_brama(), *arguments], env=dict(self.environment), capture_output=True, text=True, check=False)  # noqa: S603

    def control(self, path: str, *, post: bool = False) -> dict[str, object]:
        """Ask the simulated authority's control, or tell it something."""
        found: dict[str, object] = httpx.request("POST" if post else "GET", f"{self.authority}/control/{path}", trust_env=False).json()
        return found


def _brama() -> list[str]:
    return [sys.executable, "-m", "gateway"]


def prepare(home: Path, *, impatient: bool = True) -> None:
    """Make keys, registry file and secret in an empty folder; `impatient` with a profile that gives up within seconds."""
    authority = initialise(home / "keys")
    write_private(home / "authority.secret", secrets.token_hex(32).encode())
    people = home / "people"
    people.mkdir()
    for person in PERSONS:
        key, certificate = issue(authority.certificate, authority.key, person.name, kind=person.key)
        write_private(people / f"{person.login}.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (people / f"{person.login}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    registry = {"persons": [_person(p) for p in PERSONS], **_entities()}
    (home / "registry.yaml").write_text(yaml.safe_dump(registry, allow_unicode=True, sort_keys=False))
    (home / "profiles").mkdir()
    if impatient:
        _quick_profile(home / "profiles" / "ncts")


def _person(person: Person) -> dict[str, object]:
    return {
        "idSISC": person.id_sisc,
        "given_names": person.given_names,
        "family_name": person.family_name,
        "accounts": [{"login": person.login, "password": person.password}],
        "certificates": [{"file": f"people/{person.login}.pem"}],
    }


def _entities() -> dict[str, object]:
    """An agency, its client, and two persons of whom one may declare; rights count where both links have them."""
    links = [
        {"person": PERSONS[0].id_sisc, "principal": AGENCY.id_sisc, "form": "employee", "valid_from": "2024-01-01", "permissions": ["*"]},
        {
            "person": PERSONS[1].id_sisc,
            "principal": AGENCY.id_sisc,
            "form": "employee",
            "valid_from": "2024-01-01",
            "permissions": ["NCTS2/CC007C"],
        },
        {
            "agency": AGENCY.id_sisc,
            "principal": IMPORTER.id_sisc,
            "form": "power_of_attorney",
            "valid_from": "2024-01-01",
            "permissions": ["NCTS2/*"],
        },
    ]
    entities = [{"idSISC": e.id_sisc, "name": e.name, "identifiers": {"EORI": e.eori}} for e in (AGENCY, IMPORTER)]
    return {"entities": entities, "representations": links}


def _quick_profile(folder: Path) -> None:
    """The shipped profile with a patience that suits a demonstration: seconds instead of days."""
    folder.mkdir(parents=True)
    shipped = files("adapters").joinpath("ncts", "ncts2.toml").read_text()
    lines = shipped.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("delays ="):
            lines[place] = "delays = [0.3, 0.6, 1.2]"
        elif line.startswith("deadline ="):
            lines[place] = "deadline = 2.5"
    (folder / "ncts2.toml").write_text("\n".join(lines) + "\n")


@contextmanager
def running(
    home: Path, listen: str = "127.0.0.1:0", processes: int = 1, *, worker: bool = True, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[House]:
    """Import the registry and start server, worker (unless it is to be left out) and authority; end them all when done.
    `settings` are further BRAMA_ variables."""
    listen = _free(listen)
    url = f"http://{listen}"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("BRAMA_")},
        "BRAMA_HOME": str(home),
        **settings,
    }
    started: dict[str, subprocess.Popen[str]] = {}
    try:
        authority = _start_authority(home, url, environment, started)
        _write_settings(home, listen, authority)
        house = House(home, url, authority, environment, started)
        imported = house.brama("registry", "import", str(home / "registry.yaml"))
        if imported.returncode:
            raise DemoTrouble(f"the demo registry could not be imported: {imported.stderr.strip() or imported.stdout.strip()}")
        _start(["serve", "--processes", str(processes)], home, environment, started)
        if worker:
            _start(["worker"], home, environment, started)
        _await_ready(house, started)
        yield house
    finally:
        for process in reversed(started.values()):
            process.terminate()
        for process in started.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _write_settings(home: Path, listen: str, authority: str) -> None:
    """`brama.toml`, so that any command works on this set-up once BRAMA_HOME names it."""
    systems = {"ncts2_url": f"{authority}/messages", "ncts2_secret_file": str(home / "authority.secret")}
    lines = [f"listen = {json.dumps(listen)}", f"profiles = {json.dumps(str(home / 'profiles'))}"]
    lines += ['push_allow = "127.0.0.0/8, ::1/128"  # receivers on this machine, to rehearse with', "", "[systems]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in systems.items()]
    (home / "brama.toml").write_text("\n".join(lines) + "\n")


def _start_authority(home: Path, url: str, environment: Mapping[str, str], started: dict[str, subprocess.Popen[str]]) -> str:
    """The simulated transit authority, a process of its own; gives its address."""
    arguments = ["--gateway", url, "--secret-file", str(home / "authority.secret"), "--state", str(home / "authority.db")]
    with (home / "authority.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "adapters.ncts.simulator", *arguments],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    started["authority"] = process
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise DemoTrouble(f"the simulated authority did not start; see {home / 'authority.log'}")
    return str(json.loads(line)["address"])


def _start(arguments: list[str], home: Path, environment: Mapping[str, str], started: dict[str, subprocess.Popen[str]]) -> None:
    with (home / f"{arguments[0]}.log").open("w") as log:
        started[arguments[0]] = subprocess.Popen([*_brama(), *arguments], env=dict(environment), stderr=log, text=True)  # noqa: S603


def _await_ready(house: House, started: dict[str, subprocess.Popen[str]]) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up:
        for process in started.values():
            if process.poll() is not None:
                command = " ".join(map(str, list(process.args)[1:4]))  # type: ignore[arg-type]
                raise DemoTrouble(f"`{command}` ended while the gateway was coming up; see the .log files in {house.home}")
        try:
            if httpx.get(f"{house.url}/health/ready", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.1)
    raise DemoTrouble(f"the gateway did not come up; see {house.home}/serve.log and worker.log")


def _free(listen: str) -> str:
    """Port 0 becomes a free port now, because the authority must know it before the gateway starts."""
    import socket

    host, _, port = listen.rpartition(":")
    if port != "0":
        return listen
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def empty(home: Path) -> None:
    """Clear an earlier demonstration's folder; anything else that stands there is left alone, with an error."""
    marker = home / ".brama-demo"
    if home.exists():
        if not marker.exists() and any(home.iterdir()):
            raise DemoTrouble(f"{home} is not empty and not a demo's folder; give another --home")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    marker.touch()
