"""Where the corpora of official schemas and messages lie; tests that need them are skipped without."""

from __future__ import annotations

import os
from pathlib import Path

CORPORA = Path(os.environ.get("BRAMA_CORPORA", Path(__file__).resolve().parents[2] / "shared" / "corpora"))
