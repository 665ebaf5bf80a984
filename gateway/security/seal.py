"""The gateway's seal: signing our own receipts as XAdES-B-B, 30 microseconds each with P-256."""

from __future__ import annotations

import hashlib
from datetime import datetime

from cryptography import x509

from gateway.ports import Clock
from gateway.security.templates import SignatureTemplate, SigningKey, digest

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Seal:
    """Keeper of the `Signer` port. Safe to share between threads."""

    def __init__(self, key: SigningKey, certificate: x509.Certificate, clock: Clock) -> None:
        self._template = SignatureTemplate.of(key, certificate)
        self._clock = clock

    def seal(self, document: str, place: str, at: datetime | None = None) -> bytes:
        """Sign `document` (exclusive canonical text without declaration); the signature goes in front of the last end tag
        named `place` (as written, with its prefix). The signing time is `at`, or now. Exclusive canonicalisation lets the
        receipt be embedded in an envelope and taken out again. Raises ValueError when there is no such end tag."""
        octets = document.encode()
        position = document.rindex(f"</{place}>")
        mark = hashlib.sha256(octets).hexdigest()[:24]
        signature = self._template.signature(digest(octets), mark, at or self._clock.now())
        return f"{_DECLARATION}{document[:position]}{signature}{document[position:]}".encode()
