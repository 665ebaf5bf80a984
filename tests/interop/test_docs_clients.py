"""The five clients of docs/how-to/connect-trader-software.md are run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.faults import NO_SCHEMA, SECURITY
from tests.acceptance.caller import SOAP_PATH, Caller
from tests.acceptance.estate import PATIENCE, Estate
from tests.interop.toolchains import QUICK_START, compiled, needs, npm_folder, run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "connect-trader-software.md"
pytestmark = pytest.mark.timeout(600)  # the first time, Maven and npm fetch what they need


def written(language: str, folder: Path, name: str) -> Path:
    """The page's one block of this language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    path = folder / name
    path.write_text(block, encoding="utf-8")
    return path


def python(folder: Path, _request: pytest.FixtureRequest) -> list[str]:
    return [sys.executable, str(written("python", folder, "seap.py"))]


def javascript(_folder: Path, _request: pytest.FixtureRequest) -> list[str]:
    return ["node", str(written("javascript", npm_folder(), "seap.mjs"))]


def java(folder: Path, request: pytest.FixtureRequest) -> list[str]:
    classpath = compiled(request.getfixturevalue("cxf"), written("java", folder, "Seap.java"), into=folder / "classes")
    return ["java", *QUICK_START, "-cp", classpath, "Seap"]


def csharp(folder: Path, _request: pytest.FixtureRequest) -> list[str]:
    needs("Mono", "mcs", "mono")
    program = folder / "Seap.exe"
    source = written("csharp", folder, "Seap.cs")
    run(["mcs", f"-out:{program}", "-r:System.Net.Http", "-r:System.Xml.Linq", str(source)], folder, "mcs")
    return ["mono", str(program)]


def php(folder: Path, _request: pytest.FixtureRequest) -> list[str]:
    needs("PHP", "php")
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split()
    if "soap" not in modules:
        pytest.skip("PHP client: php-soap is not installed")
    return ["php", str(written("php", folder, "seap.php"))]


LANGUAGES: dict[str, Callable[[Path, pytest.FixtureRequest], list[str]]] = {
    "python": python,
    "javascript": javascript,
    "java": java,
    "csharp": csharp,
    "php": php,
}


@dataclass(frozen=True)
class Client:
    command: list[str]
    folder: Path

    def run(self, caller: Caller, *files: Path, password: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SEAP_PASSWORD": password or caller.secret, "LC_ALL": "C.UTF-8"}
        command = [*self.command, caller.estate.url + SOAP_PATH, caller.login, *map(str, files)]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
        )


@pytest.fixture(scope="module", params=LANGUAGES)
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return LANGUAGES[request.param](tmp_path_factory.mktemp(request.param), request)


@pytest.fixture
def client(command: list[str], tmp_path: Path) -> Client:
    folder = tmp_path / "mail"
    folder.mkdir()
    return Client(command, folder)


def test_the_page_shows_a_client_in_every_language() -> None:
    shown = re.findall(r"^```(?!text)(\w+)\n", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == list(LANGUAGES)


def test_it_hands_in_and_saves_receipt_and_answers(house: Estate, client: Client, trader: Caller, tmp_path: Path) -> None:
    document = tmp_path / "CC015C.xml"
    document.write_bytes(trader.declare("DOCS-1"))
    done = client.run(trader, document)
    assert done.returncode == 0, done.stderr
    (sys_ref,) = re.findall(r"^sysRef (\S+)$", done.stdout, re.MULTILINE)
    assert house.stored(sys_ref) == document.read_bytes()
    printed, give_up = done.stdout.split()[2:], time.monotonic() + PATIENCE
    while "CC029C" not in " ".join(printed) and time.monotonic() < give_up:
        time.sleep(0.5)
        printed += client.run(trader).stdout.split()
    assert [name.partition(".")[0].partition("_")[0] for name in printed] == ["UPP", "CC928C", "CC028C", "CC029C"]
    saved = {path.name: path.read_bytes() for path in client.folder.iterdir()}
    query = "SELECT b.filename, b.content FROM mailbox b JOIN messages m ON m.id = b.message WHERE m.sys_ref = ?"
    assert saved == dict(house.rows(query, sys_ref))


def test_a_wrong_password_is_printed_as_the_fault_it_is(client: Client, trader: Caller) -> None:
    done = client.run(trader, password="inne")
    assert done.returncode == 1
    assert f"fault: {SECURITY}" in done.stderr


def test_content_that_is_no_xml_is_printed_with_code_and_cure(client: Client, trader: Caller, tmp_path: Path) -> None:
    document = tmp_path / "CC015C.xml"
    document.write_text("dzień dobry")
    done = client.run(trader, document)
    assert done.returncode == 1
    assert f"fault: Błąd komunikacji E003 {NO_SCHEMA}" in done.stderr
