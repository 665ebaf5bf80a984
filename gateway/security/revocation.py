"""Revocation: whether a certificate had been withdrawn. Only the keeper without any check exists so far."""

from __future__ import annotations

from datetime import datetime


class NoRevocation:
    """Keeper of the `Revocation` port that asks nobody and says so in the evidence."""

    def check(self, certificate_der: bytes, at: datetime) -> str:
        """Always the same words; never raises."""
        return "not checked (policy none)"
