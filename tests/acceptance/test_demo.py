"""Issue sentence: `make demo` shows the main job and exits 0 only if all of it really happened, 1 otherwise, naming what did not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.estate import until

DEMO = [sys.executable, "-m", "gateway", "demo"]


def children(pid: int, word: str) -> list[int]:
    """Child processes whose command line has the word."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if word in Path(f"/proc/{child}/cmdline").read_text()]


def test_the_demo_plays_every_scene_of_the_issue(tmp_path: Path) -> None:
    done = subprocess.run([*DEMO, "--json", "--home", str(tmp_path / "demo")], capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["held"] is True
    assert [claim["claim"] for claim in told["claims"] if not claim["held"]] == []
    text = "\n".join(claim["claim"] for claim in told["claims"])
    for scene in (
        "gets a sysRef",
        "UPP, CC928C, CC028C, CC029C come back in this order",
        "valid XAdES seal",
        "brings the MRN",
        "the same bytes again get the same sysRef",
        "not delivered a second time",
        "NPP for its sysRef",
        "exact reason (validate.schema) in Polish",
        "exact reason (authorize.",
        "and in English",
        "retried, then a dead letter",
        "`brama dead-letters list` says why",
        "`brama dead-letters retry",
        "it is delivered and answered",
        "exactly one effect",
    ):
        assert scene in text
    assert set(told["sys_refs"]) == {"declaration", "schema error", "no permission", "target down"}


def test_a_demo_without_its_authority_ends_with_1_and_names_what_did_not_happen(tmp_path: Path) -> None:
    """The authority, a process of its own, is killed as soon as the gateway is there."""
    command = [*DEMO, "--home", str(tmp_path / "demo"), "--patience", "1.5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Gateway http"):
        assert process.poll() is None
    (authority,) = children(process.pid, "simulator")
    os.kill(authority, signal.SIGKILL)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 1
    missed = out.rpartition("What did not happen: ")[2]
    assert "UPP, CC928C, CC028C, CC029C come back in this order" in missed
    assert "the CC028C brings the MRN" in missed
    assert "gets a sysRef" not in missed, "what did happen is not complained of"
    assert "Traceback" not in out + err
    assert "FAILED" in out


def test_a_demo_never_clears_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    done = subprocess.run([*DEMO, "--home", str(tmp_path)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "--home" in done.stderr
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_run_stays_and_prints_addresses_and_logins(tmp_path: Path) -> None:
    command = [*DEMO, "--stay", "--json", "--listen", "127.0.0.1:0", "--home", str(tmp_path / "demo")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or []), daemon=True)
    reader.start()

    def facts() -> dict[str, Any] | None:
        try:
            return json.loads("".join(lines)) if lines else None
        except json.JSONDecodeError:
            return None

    try:
        told = until(facts, 30, "the addresses")
        assert told["wsdl"].endswith("/seap_wsChannel/DocumentHandlingPort?wsdl")
        assert told["metrics"].endswith("/metrics")
        assert len(told["logins"]) >= 2
        for name in ("wsdl", "metrics", "health"):
            with urllib.request.urlopen(told[name], timeout=5) as reply:
                assert reply.status == 200
        assert process.poll() is None, "it stays"
    finally:
        process.terminate()
        assert process.wait(40) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(told["health"], timeout=2)
