"""Which request an answer belongs to, as look-ups for the store, in order.

An answer that names the request (`correlationIdentifier` equals the request's `messageIdentification`, rule R0008 of
NCTS phase 5) is matched by that name or not at all, and so is one that names our sysRef (a UPO: IdentyfikatorECIPSEAP). Only
one without either is matched by LRN, then by MRN. Every look-up but that by sysRef, which we ourselves made up for one
message, also asks that the answer is addressed to the one who sent the request: an LRN is unique for one declarant only, an MRN
is shared by the traders at departure and at destination, and an answer must never reach the wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.message import BusinessKeys


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find the request whose key `field` is `value` and whose sender key is `sender` (None: anybody's); of several the last
    accepted."""

    field: Literal["message_id", "lrn", "mrn", "sys_ref"]
    value: str
    sender: str | None


def lookups(keys: BusinessKeys) -> tuple[Lookup, ...]:
    """Try them in this order and take the first that finds a request; empty when the answer cannot be matched."""
    if keys.sys_ref is not None:
        return (Lookup("sys_ref", keys.sys_ref, None),)
    if keys.recipient is None:
        return ()
    if keys.correlation_id is not None:
        return (Lookup("message_id", keys.correlation_id, keys.recipient),)
    found: list[Lookup] = []
    if keys.lrn is not None:
        found.append(Lookup("lrn", keys.lrn, keys.recipient))
    if keys.mrn is not None:
        found.append(Lookup("mrn", keys.mrn, keys.recipient))
    return tuple(found)
