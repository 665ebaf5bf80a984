"""Values of the walk for tests that need one already accepted or refused."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lxml import etree
from sqlalchemy import select

from gateway.channels.committer import SqliteCommitter
from gateway.database import Database, writing
from gateway.errors import Rejected
from gateway.message import (
    Accepted,
    Attachment,
    Authorized,
    BusinessKeys,
    Caller,
    Candidate,
    DocumentType,
    Granted,
    Identified,
    Parsed,
    Receipt,
    Received,
    Refused,
    SignatureReport,
    Signer,
    Validated,
    Verified,
)
from gateway.profile import DocumentProfile, RetryPolicy, SystemProfile
from gateway.storage import mailbox
from gateway.storage.tables import messages

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TYPE = DocumentType("NCTS2", "P5", "{http://ncts.dgtaxud.ec}CC015C", "in")
PROFILE = DocumentProfile(TYPE.root, {}, permission="NCTS2/CC015C")


class FixedProfiles:
    """One system with a quick retry policy."""

    def __init__(self, delays: tuple[float, ...] = (1.0, 2.0), deadline: float = 10.0) -> None:
        self.retry = RetryPolicy(delays, deadline)

    def document(self, document_type: DocumentType) -> DocumentProfile:
        return PROFILE

    def system(self, system: str) -> SystemProfile:
        flow = {"sent": ("CC928C",), "acknowledged": ("CC028C",)}
        return SystemProfile(system, system, system, {}, {}, self.retry, flow=flow)


def received(
    content: bytes = b"<a/>",
    *,
    account: int = 1,
    message_id: str | None = None,
    nonce: str | None = None,
    attachments: tuple[Attachment, ...] = (),
    at: datetime = AT,
) -> Received:
    digest = hashlib.sha256(content).digest()
    caller = Caller(account, f"account{account}@example")
    return Received(str(uuid4()), at, "soap", caller, content, digest, "a.xml", attachments, message_id, nonce)


def identified(call: Received, system: str = TYPE.system) -> Identified:
    return Identified(Parsed(call, etree.fromstring(b"<a/>")), replace(TYPE, system=system), PROFILE)


def accepted(
    call: Received,
    *,
    generation: int = 0,
    keys: BusinessKeys | None = None,
    system: str = TYPE.system,
    person: str = "Anna",
    agency: str | None = None,
    party: str = "PL1",
) -> Accepted:
    found = identified(call, system)
    report = SignatureReport("/a", Signer("ab" * 32, "CN=x", "CN=ca", 1), "ecdsa", "sha256", "XAdES-BES", None, "not checked (policy none)")
    verified = Verified(Validated(found, Candidate(found.parsed.root, None)), found.parsed.root, report, keys or BusinessKeys())
    return Accepted(Authorized(verified, Granted(("1",), person, party, generation, agency)), Receipt("UPP", b"<UPP/>"))


def refused(call: Received, code: str = "signature.missing", generation: int | None = None) -> Refused:
    return Refused(identified(call), Rejected(code), (), Receipt("NPP", b"<NPP/>"), generation)


def put(database: Database, *contents: bytes, account: int = 1, at: datetime = AT, **options: Any) -> list[str]:
    """Record these as accepted messages at `at`, one after another, `options` as in `accepted`; gives their sysRefs."""
    calls = [received(content, account=account, at=at) for content in contents]

    async def one_by_one() -> None:
        keeper = SqliteCommitter(database, FixedProfiles(), lambda: at, bound=100, token_window=300)
        for call in calls:
            await keeper.record(accepted(call, **options))

    asyncio.run(one_by_one())
    return [call.sys_ref for call in calls]


def put_answer(database: Database, sys_ref: str, content: bytes, name: str = "CC928C", at: datetime = AT) -> str:
    """File an answer of a customs system to this message; gives the document's id."""
    document_id = str(uuid4())
    with writing(database.engine) as connection:
        message = connection.execute(select(messages.c.id).where(messages.c.sys_ref == sys_ref)).scalar_one()
        digest = hashlib.sha256(content).digest()
        filename = f"{name}_{document_id}.xml"
        assert mailbox.put(
            connection, message=message, document_id=document_id, kind=name, filename=filename, digest=digest, content=content, at=at
        )
    return document_id
