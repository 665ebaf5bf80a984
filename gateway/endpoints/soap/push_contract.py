"""The contract of a trader's own endpoint: AcceptDocument alone, in the PUSH namespace, with the same types, faults and policy.

The gateway calls it; the trader implements it. Our own WSDL stands beside those of the pull service; its types are those
of `WS_CHANNEL.xsd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files

from gateway.endpoints.soap.contract import PATH

PUSH = "http://www.mf.gov.pl/uslugiBiznesowe/WsPush/Usluga/2014/01_v2_0"

WSDL = "DocumentHandlingPush.wsdl"
TYPES = "WS_CHANNEL.xsd"
_ADDRESS = "@ADDRESS@"


def push_wsdl(public_url: str) -> bytes:
    """The WSDL to give to traders who build such an endpoint, with its types at the gateway's own address."""
    return _text(WSDL).replace(_ADDRESS, escape(public_url.rstrip("/") + PATH)).encode()


def push_sources() -> Mapping[str, bytes]:
    """WSDL and types by file name, made so that they find each other side by side, without any network."""
    local = _text(WSDL).replace(f"{_ADDRESS}?xsd={TYPES}", TYPES).replace(_ADDRESS, "http://push.invalid/")
    return {WSDL: local.encode(), TYPES: _text(TYPES).encode()}


def _text(name: str) -> str:
    return files("gateway.endpoints.soap.contract").joinpath(name).read_text("utf-8")
