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
from tests.interop.stack import Account, Piped, Stack, Taken

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "interop"
QUICK_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # a JVM that lives for seconds
NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|Unknown host|Could not transfer|offline mode|Connection (refused|timed out)"
)


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


def generated(house: Estate) -> Path:
    """A folder with the Java sources that CXF's wsdl2java made from the served WSDL (`wsdl`, `wsdl=2014`), and `classpath`."""
    needs("Maven", "mvn", "java", "javac")
    made = BUILD / "java"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    service = f"-Dservice={house.url}{SOAP_PATH}"
    command = ["mvn", "-B", "-q", "-f", str(HERE / "java" / "pom.xml"), service, f"-Dmade={made}", "generate-sources"]
    run(command, made, "Maven", MAVEN_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    return made


def compiled(made: Path, edition: str, *sources: Path, into: Path) -> str:
    """Our sources with the classes of this edition; gives the class path to run them with."""
    classpath = (made / "classpath").read_text()
    every = [*(made / edition).rglob("*.java"), *sources]
    options = ["-J-XX:TieredStopAtLevel=1", "-encoding", "UTF-8", "-nowarn", "-proc:none", "-d", str(into), "-cp", classpath]
    run(["javac", *options, *map(str, every)], made, "javac")
    return f"{into}:{classpath}"


class Java:
    """Apache CXF, a process for each edition of the contract."""

    def __init__(self, made: Path) -> None:
        self._editions = {edition: self._start(made, edition, year) for edition, year in (("wsdl", "2022"), ("wsdl=2014", "2014"))}

    @staticmethod
    def _start(made: Path, edition: str, year: str) -> Piped:
        ours = (HERE / "java" / "Talk.java", HERE / "java" / f"edition_{year}" / "Edition.java")
        classpath = compiled(made, edition, *ours, into=made / f"classes_{year}")
        with (made / f"{edition}.log").open("w") as log:
            return Piped(["java", *QUICK_START, "-cp", classpath, "Talk"], stderr=log, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def _of(self, account: Account) -> Piped:
        return self._editions[account.wsdl.partition("?")[2]]

    def submit(self, account: Account, document: Path) -> str:
        return self._of(account).submit(account, document)

    def next(self, account: Account) -> Taken | None:
        return self._of(account).next(account)

    def close(self) -> None:
        for process in self._editions.values():
            process.close()
