"""`brama signatures verify`, as a user runs it; and that verifying opens no file and no connection."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.security.documents import inner_signed, root_signed
from tests.security.pki import AT, ca, stranger, trader_b

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(ca().pem)
    (tmp_path / "good.xml").write_bytes(root_signed())
    (tmp_path / "part.xml").write_bytes(inner_signed(party=trader_b()))
    (tmp_path / "bad.xml").write_bytes(root_signed().replace(b"LRN-1", b"LRN-2"))
    (tmp_path / "text.xml").write_bytes(b"not XML")
    (tmp_path / "stranger.xml").write_bytes(root_signed(party=stranger()))
    return tmp_path


def run(place: Path, *arguments: str, at: str | None = AT.isoformat()) -> tuple[int, list[dict[str, Any]], str]:
    command = [sys.executable, "-m", "gateway.cli", "signatures", "verify", *arguments, "--json"]
    if not (ROOT / "gateway" / "cli" / "__main__.py").exists():
        command[1:3] = ["-c", "from gateway.cli import main; main()"]
    if at:
        command += ["--at", at]
    done = subprocess.run(command, cwd=place, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_all_valid(place: Path) -> None:
    code, lines, _ = run(place, "good.xml", "part.xml", "--trust", "ca.pem")
    assert code == 0
    whole, part = lines
    assert (whole["file"], whole["valid"], whole["code"], whole["reason"]) == ("good.xml", True, None, None)
    assert whole["signed"] == "/*[local-name()='Envelope' and namespace-uri()='urn:test:envelope']"
    assert whole["signer"] == "CN=Trader A"
    assert part["signed"].endswith("/*[local-name()='Declaration' and namespace-uri()='urn:test:declaration']")
    assert part["signer"] == "CN=Trader B"


def test_some_are_not_valid(place: Path) -> None:
    code, lines, _ = run(place, "good.xml", "bad.xml", "text.xml", "stranger.xml", "--trust", "ca.pem")
    assert code == 1
    assert [line["code"] for line in lines] == [None, "signature.digest", "parse.malformed", "certificate.untrusted"]
    for line in lines[1:]:
        assert line["valid"] is False
        assert line["reason"]
        assert line["reason_pl"]
        assert line["signed"] is None
        assert line["signer"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("good.xml", "missing.xml", "--trust", "ca.pem"),
        ("good.xml", "--trust", "missing.pem"),
        ("good.xml", "--trust", "text.xml"),
        ("good.xml",),
        (".", "--trust", "ca.pem"),
        ("--trust", "ca.pem"),
        ("good.xml", "--trust", "ca.pem", "--at", "noon"),
    ],
)
def test_what_cannot_be_judged(place: Path, arguments: tuple[str, ...]) -> None:
    code, _, errors = run(place, *arguments, at=None)
    assert code == 2
    assert "Error" in errors
    assert "Traceback" not in errors


def test_every_file_gets_its_line(place: Path) -> None:
    code, lines, _ = run(place, "missing.xml", "good.xml", "bad.xml", "--trust", "ca.pem")
    assert code == 2
    assert [line["valid"] for line in lines] == [None, True, False]
    assert "missing.xml" in lines[0]["reason"]


def test_trust_may_be_several_files_and_folders(place: Path) -> None:
    (place / "more").mkdir()
    (place / "more" / "stranger.pem").write_bytes(stranger().pem)
    code, lines, _ = run(place, "good.xml", "stranger.xml", "--trust", "ca.pem", "--trust", "more")
    assert (code, [line["valid"] for line in lines]) == (0, [True, True])


def test_time_decides_about_certificates(place: Path) -> None:
    code, lines, _ = run(place, "good.xml", "--trust", "ca.pem", at="2030-01-01")
    assert (code, lines[0]["code"]) == (1, "certificate.expired")


WATCHED = """
import sys
from datetime import datetime
from pathlib import Path
from gateway.security.certificates import Trust, load_anchors
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Policy, Verifier
from gateway.security.xml import HardenedParser
from gateway.errors import Rejected

verifier = Verifier(Trust(load_anchors([Path("ca.pem")])), NoRevocation(), Policy(require_root=False))
parser = HardenedParser()
contents = [Path(name).read_bytes() for name in sys.argv[2:]]
at = datetime.fromisoformat(sys.argv[1])
for warm in contents:
    try:
        verifier.verify(verifier.set_aside(parser.parse(warm)), at)
    except Rejected:
        pass
seen = []
sys.addaudithook(lambda event, details: seen.append(event) if event.startswith(("open", "socket", "subprocess", "urllib", "os.")) else None)
codes = []
for content in contents:
    try:
        verifier.verify(verifier.set_aside(parser.parse(content)), at)
        codes.append("valid")
    except Rejected as refusal:
        codes.append(refusal.code)
print(codes, seen)
"""


def test_verifying_opens_nothing(place: Path) -> None:
    """By the interpreter's audit events, and by a trace of the system calls where strace is there."""
    location = b'<e:Envelope xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:schemaLocation="urn:x file:///etc/hostname"'
    (place / "location.xml").write_bytes(inner_signed().replace(b"<e:Envelope", location, 1))
    (place / "file.xml").write_bytes(root_signed().replace(b'URI=""', b'URI="file:///etc/hostname"'))
    (place / "dtd.xml").write_bytes(root_signed().replace(b"<e:Envelope", b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/"><e:Envelope', 1))
    names = ["good.xml", "bad.xml", "location.xml", "file.xml", "dtd.xml"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, AT.isoformat(), *names],
        cwd=place, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "['valid', 'signature.digest', 'valid', 'signature.reference', 'parse.doctype'] []"
