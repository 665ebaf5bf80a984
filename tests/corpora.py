"""Where the published schemas and samples lie that tests compare against; tests skip with a reason where they are missing."""

from __future__ import annotations

import os
from pathlib import Path

CORPORA = Path(os.environ.get("BRAMA_CORPORA", Path(__file__).resolve().parents[2] / "shared" / "corpora"))
