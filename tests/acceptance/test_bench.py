"""`python -m bench --quick` really runs: real server, real requests, every reply checked, the floor beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import cpu_seconds, family, peak_memory

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(240)
def test_a_quick_bench_prints_rates_and_the_ratio_to_the_floor(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--quick", "--sizes", "5", "--clients", "8", "--messages", "64", "--json", str(file)]
    done = subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=220, check=False)
    assert done.returncode == 0, done.stderr
    assert "Checked: 192 accepted replies in 3 runs" in done.stdout
    ratio = re.search(r"floor/ours, 5 KB, 8 clients: (\d+\.\d+) \(the gateway costs (\d+\.\d+) times the floor\)", done.stdout)
    assert ratio is not None, done.stdout
    size = json.loads(file.read_text())["sizes"]["5"]
    (only,) = size["rounds"]["8"]
    assert size["ratio"]["8"] == pytest.approx(only["run"]["cpu"] / only["floor"], rel=0.01)
    assert float(ratio[2]) == pytest.approx(size["ratio"]["8"], abs=0.01)
    for run in (only["run"], *size["draining"], *size["two_processes"]):
        assert run["accepted"] == 64
        assert 0 < run["p50"] <= run["p99"]
        assert run["rate"] > 0
        assert run["cpu"] > 0
        assert run["memory"] > 30_000_000
    assert set(only["run"]["steps"]) == {"parse", "identify", "validate", "verify", "authorize", "receipt", "record"}
    assert all(spent > 0 for step, spent in size["floor"]["8"].items() if step != "HTTP")  # 64 requests may be less than a tick
    assert size["draining"][0]["drained"] > 0
    assert size["draining"][0]["worker_cpu"] > 0
    assert sum(size["steps"]["8"].values()) == pytest.approx(only["run"]["cpu"])


@pytest.mark.timeout(120)
def test_the_mailbox_part_reads_from_stores_that_the_loader_filled(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--quick", "--mailbox", "only", "--documents", "1,3000", "--json", str(file)]
    done = subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"GetNextDocument: 3000 documents cost \d\.\d\d times what 1 cost", done.stdout)
    written = json.loads(file.read_text())
    assert [store["documents"] for store in written["reading"]] == [1, 3000]
    for store in written["reading"]:
        for kind in ("next", "empty", "search"):
            assert store[kind]["calls"] == 50
            assert 0 < store[kind]["p50"] <= store[kind]["p99"]
            assert store[kind]["cpu"][0] > 50e-6


def test_a_wrong_size_is_refused_with_the_sizes_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--sizes", "7"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "sizes are 5, 20" in done.stderr


def test_a_family_is_the_process_with_its_descendants() -> None:
    inner = "import sys; print('up', flush=True); sys.stdin.read()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "up\n"
        assert len(family(process.pid)) == 2
        assert peak_memory(process.pid) > 10_000_000
        assert cpu_seconds(process.pid) >= 0
        process.stdin.close()
