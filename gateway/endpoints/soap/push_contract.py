"""The contract of a trader's own endpoint as whoever calls or builds one reads it: its files side by side, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from gateway.endpoints.soap.contract import FILES

WSDL = FILES["wsdl=push"]
TYPES = FILES["xsd=ws_channel.xsd"]
_ADDRESS = "@ADDRESS@"


def push_sources() -> Mapping[str, bytes]:
    """WSDL and types by file name, made so that they find each other in one folder."""
    folder = files("gateway.endpoints.soap.contract")
    texts = {name: folder.joinpath(name).read_text("utf-8") for name in (WSDL, TYPES)}
    local = texts[WSDL].replace(f"{_ADDRESS}?xsd={TYPES}", TYPES).replace(_ADDRESS, "http://push.invalid/")
    return {WSDL: local.encode(), TYPES: texts[TYPES].encode()}
