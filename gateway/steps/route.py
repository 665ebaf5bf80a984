"""route: Job -> Routed. Which system, and the request for it: made once, stored, and from then on the same bytes."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import Failed
from gateway.message import Job, Routed
from gateway.ports import Adapter, Deliveries


def route(job: Job, adapters: Mapping[str, Adapter], deliveries: Deliveries) -> Routed:
    """The adapter of the document's system. Raises Failed(route.no_route)."""
    adapter = adapters.get(job.system)
    if adapter is None:
        raise Failed("route.no_route", system=job.system, root=job.document_type.name)
    request = job.request
    if request is None:
        request = adapter.request(job)
        deliveries.store_request(job, request)
    return Routed(job, job.system, request)
