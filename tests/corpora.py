"""Where the published schemas and samples lie, for tests that compare with them."""

from __future__ import annotations

import os
from pathlib import Path

CORPORA = Path(os.environ.get("BRAMA_CORPORA", Path(__file__).resolve().parents[2] / "shared" / "corpora"))
