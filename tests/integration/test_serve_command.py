"""`brama serve` that cannot start says why once and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("processes", ["1", "2"])
def test_without_keys_it_ends_with_one_sentence(tmp_path: Path, processes: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BRAMA_")}
    environment |= {"BRAMA_HOME": str(tmp_path), "BRAMA_LISTEN": "127.0.0.1:0"}
    command = [sys.executable, "-m", "gateway", "serve", "--processes", processes]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("brama: Key file")
    assert ended.stderr.count("\n") == 1
