"""deliver: Routed -> Delivered. The target has it, or says it had it already."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import Failed
from gateway.message import Delivered, Routed
from gateway.ports import Adapter


async def deliver(routed: Routed, adapters: Mapping[str, Adapter]) -> Delivered:
    """One attempt. Raises Deferred(deliver.unavailable | deliver.in_doubt), Rejected(deliver.refused), Failed.

    "I have it already" means delivered only where an earlier attempt may have arrived: said to a request that was made
    just now, it is about somebody else's message, and ours would be lost.
    """
    taken = await adapters[routed.target].deliver(routed.request)
    if taken.duplicate and routed.job.request is None:
        raise Failed("deliver.never_sent", system=routed.target, detail=taken.detail)
    return Delivered(routed, taken)
