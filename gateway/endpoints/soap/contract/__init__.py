"""The contract of the SEAP channel: its names, its WSDL and XSD files, and what its system names mean.

Two editions are served at one address: `?wsdl` with the additions of 2022, `?wsdl=2014` the older one. A request that
is valid under either is taken. `?wsdl=push` is the contract that traders implement who want documents brought to them. The
files are our own writing; the names in them are the contract.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from types import MappingProxyType

PATH = "/seap_wsChannel/DocumentHandlingPort"

PULL = "http://www.mf.gov.pl/uslugiBiznesowe/WsPull/Usluga/2014/01_v2_0"
PUSH = "http://www.mf.gov.pl/uslugiBiznesowe/WsPush/Usluga/2014/01_v2_0"
CHANNEL = "http://www.mf.gov.pl/schematy/SISC/WsChannel/2014/01_v2_0"

#: element of the body -> operation. Nothing else decides: two operations share one soapAction.
OPERATIONS = MappingProxyType(
    {
        "AcceptDocumentRequest": "AcceptDocument",
        "GetNextDocumentRequest": "GetNextDocument",
        "GetNextDocumentSiscRequest": "GetNextDocumentSisc",
        "GetDocumentsRequest": "GetDocuments",
    }
)

#: `system` of a document on its way to the trader.
TRADER = "PODMIOT"

#: systemType on the wire -> system code of the catalogue. PODMIOT is missing because it is the trader, not a system.
SYSTEMS = MappingProxyType(
    {
        "SZPROT": "SZPROT",
        "AIS": "AIS",
        "OSOZ2": "OSOZ2",
        "NCTS2": "NCTS2",
        "ZEFIR2": "ZEFIR2",
        "ISZTAR4": "ISZTAR4",
        "HERMES2": "HERMES2",
        "AES": "AES",
        "EMCSPL2": "EMCSPL2",
        "INTRASTAT": "AIS-INTRASTAT",  # the channel never carried the older INTRASTAT system
        "EBT": "EBT",
        "TAX FREE": "TAX-FREE",
        "SENT": "SENT",
    }
)

#: query string, lower case -> file of this folder
FILES = MappingProxyType(
    {
        "wsdl": "DocumentHandling.wsdl",
        "wsdl=2014": "DocumentHandling_2014.wsdl",
        "wsdl=push": "DocumentHandling_push.wsdl",  # not served by us: traders implement it, and we call them
        "xsd=ws_channel.xsd": "WS_CHANNEL.xsd",
        "xsd=ws_channel_2014.xsd": "WS_CHANNEL_2014.xsd",
    }
)


def served(public_url: str) -> dict[str, bytes]:
    """Every contract file by its query string (lower case), with the address traders use written in.

    `public_url` comes from the settings: an address taken from a request would let a caller send others elsewhere.
    """
    address = escape(public_url.rstrip("/") + PATH)
    folder = files(__name__)
    texts = {query: folder.joinpath(name).read_text("utf-8") for query, name in FILES.items()}
    return {query: text.replace("@ADDRESS@", address).encode() for query, text in texts.items()}
