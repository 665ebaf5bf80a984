"""Stacks that are no Python: what they need is fetched by their own tools into `build/interop`, and they run as processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.caller import SOAP_PATH
from tests.acceptance.estate import Estate
from tests.interop.stack import Account, Found, Piped, Stack, Taken

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "interop"
QUICK_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # a JVM that lives for seconds
#: of npm and Maven when they cannot fetch; not of a tool that cannot reach the gateway, which would be a failure
NO_NETWORK = re.compile("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|Could not transfer artifact|offline mode")


def run(command: list[str], folder: Path, tool: str, **environment: str) -> None:
    """Ends the test with what the tool said; skips it where the tool found no network."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False)
    said = (done.stdout + done.stderr)[-3000:]
    if done.returncode and NO_NETWORK.search(said):
        pytest.skip(f"{tool} could not fetch what the client needs: {said[-300:]}")
    assert done.returncode == 0, f"{tool} failed: {said}"


def needs(tool: str, *commands: str) -> None:
    absent = [command for command in commands if shutil.which(command) is None]
    if absent:
        pytest.skip(f"{tool} client: {', '.join(absent)} is not installed")


def npm_folder() -> Path:
    """A folder where node finds the `soap` package of our lock file."""
    needs("npm", "node", "npm")
    folder, lock = BUILD / "node", HERE / "node" / "package-lock.json"
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, "npm")
        shutil.copy(lock, installed)
    return folder


def node() -> Stack:
    folder = npm_folder()
    shutil.copy(HERE / "node" / "talk.mjs", folder)
    return Piped(["node", "talk.mjs"], cwd=folder)


def generated(house: Estate, stack: str) -> Path:
    """A folder with what the tool of `stack` (cxf, metro) made from the served WSDL: `sources`, and `classpath` to use them."""
    needs("Maven", "mvn", "java", "javac")
    made = BUILD / stack
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    project = str(HERE / "java" / stack / "pom.xml")
    command = ["mvn", "-B", "-q", "-f", project, f"-Dservice={house.url}{SOAP_PATH}", f"-Dmade={made}", "generate-sources"]
    run(command, made, "Maven", MAVEN_OPTS=" ".join([os.environ.get("MAVEN_OPTS", ""), *QUICK_START]))
    return made


def compiled(made: Path, *sources: Path, into: Path) -> str:
    """Our sources together with the generated ones; gives the class path to run them with."""
    classpath = (made / "classpath").read_text()
    every = [*(made / "sources").rglob("*.java"), *sources]
    options = ["-J-XX:TieredStopAtLevel=1", "-encoding", "UTF-8", "-nowarn", "-proc:none", "-d", str(into), "-cp", classpath]
    run(["javac", *options, *map(str, every)], made, "javac")
    return f"{into}:{classpath}"


class Java:
    """Apache CXF for the contract of 2022, the reference implementation of JAX-WS for that of 2014; a process for each."""

    def __init__(self, cxf: Path, metro: Path) -> None:
        self._editions = {"wsdl": self._start(cxf), "wsdl=2014": self._start(metro)}

    @staticmethod
    def _start(made: Path) -> Piped:
        ours = (HERE / "java" / "Talk.java", HERE / "java" / made.name / "Edition.java")
        command = ["java", *QUICK_START, "-cp", compiled(made, *ours, into=made / "classes"), "Talk"]
        with (made / "talk.log").open("w") as log:
            return Piped(command, stderr=log, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def _of(self, account: Account) -> Piped:
        return self._editions[account.wsdl.partition("?")[2]]

    def submit(self, account: Account, document: Path) -> str:
        return self._of(account).submit(account, document)

    def next(self, account: Account) -> Taken | None:
        return self._of(account).next(account)

    def next_sisc(self, account: Account, **grades: str) -> Taken | None:
        return self._of(account).next_sisc(account, **grades)

    def documents(self, account: Account, **criteria: str) -> Found:
        return self._of(account).documents(account, **criteria)

    def close(self) -> None:
        for process in self._editions.values():
            process.close()
