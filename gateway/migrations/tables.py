"""All tables of all rooms, gathered for the migrations."""

from __future__ import annotations

import gateway.channels.tables
import gateway.storage.tables
import registry.tables
import schemas.tables
from gateway.database import metadata

__all__ = ["gateway", "metadata", "registry", "schemas"]
