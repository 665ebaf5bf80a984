"""The one composition root: only here are the keepers of the ports named and put together."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from adapters.ncts.adapter import NctsAdapter
from adapters.profiles import Profiles
from adapters.proof import Secrets as SystemSecrets
from gateway.channels.answers import AnswerDesk
from gateway.channels.committer import SqliteCommitter
from gateway.channels.lapses import Lapses
from gateway.channels.leases import Leases
from gateway.channels.official import OfficialReceipts
from gateway.channels.pushes import Push, PushQueue
from gateway.channels.queue import DatabaseChannel
from gateway.channels.servings import ServingDesk
from gateway.database import LOCK_LIMIT, Database
from gateway.endpoints.answers import AnswerDoor
from gateway.endpoints.soap.door import SoapDoor
from gateway.errors import Failed
from gateway.migrations import current, newest
from gateway.observability.metrics import Metrics
from gateway.pipeline import Accepting, Dispatching
from gateway.ports import Adapter, Schemas
from gateway.profile import RetryPolicy, SystemProfile
from gateway.reading import Reading
from gateway.security.keys import Secrets, load_seal, load_secrets, load_trust
from gateway.security.revocation import NoRevocation
from gateway.security.seal import Seal
from gateway.security.signatures import Verifier
from gateway.security.xml import HardenedParser
from gateway.settings import Settings
from gateway.storage import nonces
from gateway.storage.emergency import Emergency
from gateway.storage.polling import Polling
from gateway.storage.search import Documents
from gateway.targets import networks
from registry.accounts import Account, Accounts, channel_password, former_password
from registry.authorize import DatabaseRegistry
from registry.push import secret_about
from registry.reading_rights import ReadingRegistry
from schemas.reader import LiveSchemas
from schemas.shipped import shipped_editions

if TYPE_CHECKING:
    from gateway.endpoints.push.pusher import Pusher

LARGE_AT_ONCE = 2  # large documents judged at once beside the event loop
LEASE_SECONDS = 60.0  # a worker's turn at what only one may do
PATIENCE = 10.0  # seconds a worker waits for the store


class SystemClock:
    """The time of day."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _ChannelAccount:
    """An account at the door: the password is decrypted only when asked for."""

    account: Account
    secrets: Secrets
    nobody: Account

    @property
    def account_id(self) -> int:
        return self.account.account_id

    @property
    def active(self) -> bool:
        return self.account.active

    def password(self) -> bytes | None:
        return channel_password(self.account, self.secrets)

    def former_password(self, now: datetime) -> bytes | None:
        former = former_password(self.account, self.secrets, now)
        if former is None:
            channel_password(self.nobody, self.secrets)  # for the time it takes
        return former


class ChannelAccounts:
    """Accounts with their secrets, for the doors that need both."""

    def __init__(self, accounts: Accounts, secrets: Secrets) -> None:
        self._accounts, self._secrets = accounts, secrets
        stand_in = secrets.encrypt(b"an unknown login costs the same time as a known one", "account:")
        self._nobody = Account(0, "", active=False, person_id=None, secret_ciphertext=stand_in)

    def find(self, login: str) -> _ChannelAccount:
        """Never None: an unknown login gets an inactive stand-in, so that time does not tell it from a known one."""
        return _ChannelAccount(self._accounts.find(login) or self._nobody, self._secrets, self._nobody)


@dataclass(frozen=True, slots=True)
class Gatehouse:
    """What a server process needs."""

    settings: Settings
    database: Database
    soap_door: SoapDoor
    answer_door: AnswerDoor
    metrics: Metrics

    def trouble(self) -> str | None:
        """Why it is not ready, or None."""
        try:
            revision = current(self.database.engine)
        except SQLAlchemyError as error:
            return f"the database does not answer ({type(error).__name__})"
        return None if revision == newest() else "the database is at another revision than this code"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a worker process needs."""

    profiles: Profiles
    channel: DatabaseChannel
    dispatching: Dispatching
    database: Database
    lapses: Lapses | None = None

    def now(self) -> datetime:
        return self.dispatching.now()

    def forget_nonces(self, at: datetime) -> bool:
        """See `nonces.forget`."""
        return nonces.forget(self.database, at)


@contextmanager
def open_gatehouse(settings: Settings) -> Iterator[Gatehouse]:
    """Everything a server needs. Raises Failed(...) naming what is missing."""
    clock, database = SystemClock(), Database(settings.database)
    profiles = load_profiles(settings)
    parser = HardenedParser(longer_texts=profiles.longer_texts())
    schemas = LiveSchemas(shipped_editions(), database.engine)
    schemas.warm(clock.now())
    office = open_office(settings, database, profiles, clock)
    channel = DatabaseChannel(database, claim_seconds=settings.claim_seconds, receipts=office.receipts)
    desk = AnswerDesk(database, profiles, office.servings, office.receipts, patience=LOCK_LIMIT)
    dispatching = Dispatching(connect(settings, profiles, parser), channel, desk, clock.now)
    with ThreadPoolExecutor(LARGE_AT_ONCE, "large") as pool:
        accepting = build_accepting(settings, database, profiles, schemas, parser, clock, pool)
        metrics = Metrics(database.engine)
        soap_door = SoapDoor(
            accept=accepting.accept,
            mailbox=build_reading(settings, database, clock, pool),
            accounts=ChannelAccounts(Accounts(database.engine), load_secrets(settings.keys)),
            clock=clock,
            settings=settings,
            pool=pool,
            refused=metrics.refused,
            emergency=Emergency(database.engine),
        )
        yield Gatehouse(settings, database, soap_door, AnswerDoor(dispatching, desk, clock.now), metrics)


def build_reading(settings: Settings, database: Database, clock: SystemClock, pool: Executor | None = None) -> Reading:
    """The reading operations with their keepers; `pool` reads large documents."""
    polling = Polling(
        database,
        Documents(database, pool),
        clock.now,
        claim_seconds=settings.claim_seconds,
        token_window=settings.token_window,
        bound=2 * settings.max_waiting,  # each call, and each document that has just been written out
    )
    return Reading(ReadingRegistry(database.engine), polling)


def build_accepting(
    settings: Settings,
    database: Database,
    profiles: Profiles,
    schemas: Schemas,
    parser: HardenedParser,
    clock: SystemClock,
    pool: Executor | None = None,
) -> Accepting:
    """The accept walk with its keepers. Raises Failed(keys.*)."""
    office = open_office(settings, database, profiles, clock)
    return Accepting(
        parser=parser,
        schemas=schemas,
        profiles=profiles,
        verifier=Verifier(load_trust(settings.keys), NoRevocation()),
        registry=DatabaseRegistry(database.engine),
        servings=office.servings,
        signer=office.signer,
        committer=SqliteCommitter(database, profiles, clock.now, bound=settings.max_waiting, token_window=settings.token_window),
        issuer=settings.issuer,
        pool=pool,
    )


@asynccontextmanager
async def open_workshop(settings: Settings) -> AsyncIterator[Workshop]:
    """Everything a worker needs. Raises Failed(...) naming what is missing."""
    clock, database = SystemClock(), Database(settings.database)
    profiles = load_profiles(settings)
    office = open_office(settings, database, profiles, clock)
    channel = DatabaseChannel(database, claim_seconds=settings.claim_seconds, receipts=office.receipts)
    adapters = connect(settings, profiles, HardenedParser())
    desk = AnswerDesk(database, profiles, office.servings, office.receipts, patience=PATIENCE)
    leases = Leases(database, f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:8]}", LEASE_SECONDS)
    lapses = Lapses(database, leases, office.signer, settings.issuer, settings.serving_notices)
    try:
        yield Workshop(profiles, channel, Dispatching(adapters, channel, desk, clock.now), database, lapses)
    finally:
        for adapter in adapters.values():
            await adapter.close()


@dataclass(frozen=True, slots=True)
class Office:
    """What makes sealed messages of its own accord: the seal, the desk that holds documents, the official receipts."""

    signer: Seal
    servings: ServingDesk
    receipts: OfficialReceipts


def open_office(settings: Settings, database: Database, profiles: Profiles, clock: SystemClock) -> Office:
    """Raises Failed(keys.*)."""
    seal = Seal(*load_seal(settings.keys), clock)
    desk = ServingDesk(database, seal, settings.issuer, days=settings.serving_days, notices=settings.serving_notices)
    return Office(seal, desk, OfficialReceipts(profiles, seal, settings.issuer))


@contextmanager
def open_pusher(settings: Settings, database: Database) -> Iterator[Pusher]:
    """What hands mailbox documents to traders' own endpoints. The keys are read when the first password is needed."""
    from gateway.endpoints.push.call import Call  # here, so that servers and commands do not load zeep
    from gateway.endpoints.push.client import PushHttp
    from gateway.endpoints.push.pusher import Pusher

    retry = RetryPolicy(tuple(float(delay) for delay in settings.push_delays.split()), settings.push_deadline)
    lease = 2 * settings.push_seconds + LOCK_LIMIT
    registry = ReadingRegistry(database.engine, max_age=0)
    rights = partial(registry.rights, fresh=True)
    queue = PushQueue(database, retry, rights, lease_seconds=lease, block_after=settings.push_block_after)
    http = PushHttp(networks(settings.push_allow), settings.push_seconds)

    def password(push: Push) -> str:
        endpoint = push.endpoint
        return load_secrets(settings.keys).decrypt(endpoint.secret, secret_about(endpoint.account)).decode()

    try:
        yield Pusher(queue, Call(HardenedParser()), http, password, SystemClock().now, at_once=settings.push_at_once)
    finally:
        http.close()


def load_profiles(settings: Settings) -> Profiles:
    """The built-in profiles, with those of the settings' folder added or put in their place."""
    return Profiles.load([settings.profiles] if settings.profiles else [])


def connect(settings: Settings, profiles: Profiles, parser: HardenedParser) -> Mapping[str, Adapter]:
    """An adapter for every system whose address and secret are in the settings; the others have no route yet."""
    adapters: dict[str, Adapter] = {}
    for profile in profiles:
        if profile.transport["url_setting"] in settings.systems:
            adapters[profile.system] = NctsAdapter(
                profile, settings.systems[profile.transport["url_setting"]], system_secret(settings, profile), parser
            )
    return adapters


def system_secret(settings: Settings, profile: SystemProfile) -> SystemSecrets:
    """The secret shared with a system. Raises Failed(adapter.secret)."""
    name = profile.proof.secret_setting if profile.proof else ""
    if name not in settings.systems:
        raise Failed("adapter.secret", file=f"BRAMA_SYSTEMS__{name.upper()}", detail="is not set")
    return SystemSecrets.read(Path(settings.systems[name]))
