"""deliver: Routed -> Delivered. The target has it, or says it had it already."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.message import Delivered, Routed
from gateway.ports import Adapter


async def deliver(routed: Routed, adapters: Mapping[str, Adapter]) -> Delivered:
    """One attempt. Raises Deferred(deliver.unavailable | deliver.in_doubt), Rejected(deliver.refused), Failed."""
    return Delivered(routed, await adapters[routed.target].deliver(routed.request))
