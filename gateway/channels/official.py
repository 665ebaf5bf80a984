"""The official receipt (UPO) that Brama gives for a system which gives none of its own (profile: `receipt = "gateway"`)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway import technical
from gateway.ports import Profiles, Signer
from gateway.storage import mailbox
from gateway.storage import messages as store
from gateway.storage.tables import messages


class OfficialReceipts:
    """Makes a UPO once per message, when it is known that the target system has the message."""

    def __init__(self, profiles: Profiles, signer: Signer, issuer: str) -> None:
        self._profiles, self._signer, self._issuer = profiles, signer, issuer

    def issue(self, connection: Connection, message: int, system: str, at: datetime) -> bool:
        """Put the UPO of this message, which `system` has, into its sender's mailbox, inside the caller's transaction. False
        where the system gives its own, or it is there already."""
        if self._profiles.system(system).receipt != "gateway":
            return False
        row = connection.execute(select(messages).where(messages.c.id == message)).one()
        number = f"UPO-{row.sys_ref}"
        text = technical.upo(number, row.sys_ref, row.system, row.digest.hex(), row.business_id, row.received_at, at, self._issuer)
        new = mailbox.put(
            connection,
            message=message,
            document_id=str(uuid4()),
            kind="UPO",
            filename=f"UPO_{row.sys_ref}.xml",
            digest=hashlib.sha256(number.encode()).digest(),  # of its number: one a message, whatever its bytes
            content=self._signer.seal(text, technical.RECEIPT),
            at=at,
        )
        if new:
            store.remember(connection, message, at, "receipt", "ok", f"{number} for {row.system}")
        return new
