"""Signing a document as a trader does: XAdES-BES or XML-DSig, enveloped in the root.

By our own template and not by signxml, whose XAdES signatures with exclusive canonicalisation nobody accepts.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from cryptography import x509
from lxml import etree

from gateway.security.canonical import EXCLUSIVE, Canonicalization, octets
from gateway.security.templates import SignatureTemplate, SigningKey, digest
from gateway.security.xml import parse


def sign_enveloped(
    document: bytes,
    key: SigningKey,
    certificate: x509.Certificate,
    *,
    xades: bool = True,
    c14n: str = EXCLUSIVE,
    at: datetime | None = None,
) -> bytes:
    """The document (UTF-8) with a ds:Signature as last child of its root, over the whole of it, made with SHA-256.

    `c14n` is the method for the document (its W3C identifier). Raises Rejected(parse.*) when it is no acceptable XML.
    """
    root = parse(document)
    content = octets(root, Canonicalization(c14n))
    template = SignatureTemplate.of(key, certificate, canonicalization=c14n, xades=xades)
    signature = template.signature(digest(content), secrets.token_hex(8), at or datetime.now(UTC))
    root.append(etree.fromstring(signature))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
