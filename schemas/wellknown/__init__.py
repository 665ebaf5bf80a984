"""The schemas of W3C and ETSI namespaces that official packages import by an http address.

They are shipped here so that nothing is ever fetched, and they stand in for a package's own copy too: the published
xmldsig schema carries a DOCTYPE, which Brama parses in no file. Each is written from its specification.
"""

from __future__ import annotations

from pathlib import Path

#: namespace -> file in this folder
FILES = {
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig.xsd",
    "http://uri.etsi.org/01903/v1.3.2#": "xades.xsd",
}


def content(namespace: str) -> bytes:
    """The schema of a namespace of FILES. Raises KeyError for another."""
    return (Path(__file__).parent / FILES[namespace]).read_bytes()
