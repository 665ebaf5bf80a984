"""A whole house on SQLite without processes: real seal, schemas, verifier, registry and committer; the clock is the test's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from sqlalchemy import select

from adapters.answers import read_answer
from adapters.ncts.samples import cc015c, cc028c, cc060c, mrn
from adapters.profiles import Profiles
from gateway.bootstrap import build_accepting, load_profiles, open_office
from gateway.channels.answers import AnswerDesk
from gateway.channels.lapses import Lapses
from gateway.channels.leases import Leases
from gateway.channels.queue import DatabaseChannel
from gateway.channels.tables import servings
from gateway.database import AnyRow, Database
from gateway.demo.house import prepare
from gateway.demo.people import AGENCY, ANNA, IMPORTER, Person
from gateway.message import Caller, Replied
from gateway.pipeline import Accepting
from gateway.security.keys import load_secrets
from gateway.security.sign import sign_enveloped
from gateway.security.xml import HardenedParser
from gateway.settings import Settings
from gateway.steps.receive import receive
from gateway.storage.tables import mailbox, messages
from registry.accounts import Accounts
from registry.importing import import_file
from schemas.reader import SchemaReader
from schemas.shipped import shipped_editions

CRD = "{http://crd.gov.pl/xml/schematy/UPO/2008/05/09/}"
MRN = mrn("PL", 4711, 2026)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at or datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


def served_profile(folder: Path, *answers: str, receipt: str = "system") -> None:
    """The shipped profile of NCTS2 in `folder`, with these answers marked as served."""
    text = files("adapters").joinpath("ncts", "ncts2.toml").read_text()
    for name in answers:
        assert f"[answers.{name}]" in text
        text = text.replace(f"[answers.{name}]", f"[answers.{name}]\nserved = true\n#")
    (folder / "ncts").mkdir(parents=True, exist_ok=True)
    (folder / "ncts" / "ncts2.toml").write_text(text.replace('receipt = "system"', f'receipt = "{receipt}"'))


class House:
    """Everything that one gateway has, in one process."""

    def __init__(self, home: Path, database: Database, *served: str, receipt: str = "system") -> None:
        home.mkdir()
        prepare(home, impatient=False)
        served_profile(home / "profiles", *served, receipt=receipt)
        self.home, self.database, self.clock = home, database, Clock()
        self.settings = Settings(home=home, profiles=home / "profiles", database_url=str(database.engine.url))
        import_file(database.engine, home / "registry.yaml", load_secrets(home / "keys"))
        clock: Any = self.clock
        self.schemas = SchemaReader(shipped_editions())
        self.parser = HardenedParser()
        self._open(clock)

    def _open(self, clock: Any) -> None:
        self.profiles: Profiles = load_profiles(self.settings)
        self.office = open_office(self.settings, self.database, self.profiles, clock)
        self.desk = AnswerDesk(self.database, self.profiles, self.office.servings, self.office.receipts)
        self.channel = DatabaseChannel(self.database, claim_seconds=60, receipts=self.office.receipts)

    def reprofile(self, *served: str) -> None:
        """Open again with a profile that marks these answers as served."""
        served_profile(self.home / "profiles", *served)
        self._open(self.clock)

    def accepting(self) -> Accepting:
        clock: Any = self.clock
        return build_accepting(self.settings, self.database, self.profiles, self.schemas, self.parser, clock)

    def scheduler(self, holder: str = "worker 1", seconds: float = 60) -> Lapses:
        leases = Leases(self.database, holder, seconds)
        return Lapses(self.database, leases, self.office.signer, self.settings.issuer, self.settings.serving_notices)

    # --- what a trader does -----------------------------------------------------------------------------------------

    def caller(self, person: Person) -> Caller:
        account = Accounts(self.database.engine).find(person.login)
        assert account is not None
        return Caller(account.account_id, person.login)

    def sign(self, document: bytes, person: Person = ANNA, **options: Any) -> bytes:
        people = self.home / "people"
        key: Any = load_pem_private_key((people / f"{person.login}.key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((people / f"{person.login}.pem").read_bytes())
        return sign_enveloped(document, key, certificate, at=self.clock.at, **options)

    def send(self, document: bytes, person: Person = ANNA) -> str:
        """The sysRef. Raises what the door would tell as a fault."""
        call = receive(document, caller=self.caller(person), door="soap", received_at=self.clock.at, limit=10**7)

        async def one() -> str:
            return (await self.accepting().accept(call)).sys_ref

        return asyncio.run(one())

    def declare(self, lrn: str) -> str:
        return self.send(self.sign(cc015c(lrn, f"M-{lrn}", sender=AGENCY.eori, holder_eori=IMPORTER.eori)))

    def mail(self, person: Person = ANNA) -> list[tuple[str, bytes]]:
        """Everything in his mailbox, in order: file name and bytes."""
        query = select(mailbox.c.filename, mailbox.c.content).where(mailbox.c.account_id == self.caller(person).account_id)
        with self.database.reading() as connection:
            return [(row.filename, bytes(row.content)) for row in connection.execute(query.order_by(mailbox.c.id))]

    def kinds(self, person: Person = ANNA) -> list[str]:
        return [name.partition(".")[0].partition("_")[0] for name, _ in self.mail(person)]

    def last(self, kind: str, person: Person = ANNA) -> bytes:
        return [content for name, content in self.mail(person) if name.partition(".")[0].partition("_")[0] == kind][-1]

    # --- what the customs system does -------------------------------------------------------------------------------

    def answer(self, content: bytes) -> Replied:
        answer = read_answer(self.profiles.system("NCTS2"), self.parser, content)
        return self.desk.attach(answer, self.clock.at)

    def decision(self, lrn: str, message_id: str = "D-1") -> bytes:
        """A control decision (CC060C) that answers this declaration."""
        return cc060c(lrn=lrn, mrn=MRN, holder=IMPORTER.eori, message_id=message_id, correlation_id=f"M-{lrn}", recipient=AGENCY.eori)

    def allocation(self, lrn: str) -> bytes:
        return cc028c(lrn=lrn, mrn=MRN, holder=IMPORTER.eori, message_id="A-1", correlation_id=f"M-{lrn}", recipient=AGENCY.eori)


def informations(document: bytes, kind: str) -> list[str]:
    """The texts of InformacjaUzupelniajaca of this type."""
    name = f"{CRD}TypInformacjiUzupelniajacej"
    return [e.text or "" for e in etree.fromstring(document).iter("{*}InformacjaUzupelniajaca") if e.get(name) == kind]


def serving(house: House) -> AnyRow:
    with house.database.reading() as connection:
        return connection.execute(select(servings)).one()


def message(house: House, sys_ref: str) -> AnyRow:
    with house.database.reading() as connection:
        return connection.execute(select(messages).where(messages.c.sys_ref == sys_ref)).one()


def held(house: House, lrn: str = "L1") -> bytes:
    """A declaration whose decision is held; gives the decision."""
    house.declare(lrn)
    decision = house.decision(lrn)
    house.answer(decision)
    return decision


def refused(house: House, document: bytes, code: str, person: Person = ANNA) -> bytes:
    """Send it; it must be refused, with this code. Gives the NPP."""
    sys_ref = house.send(document, person)
    assert (message(house, sys_ref).state, message(house, sys_ref).code) == ("refused", code)
    npp = house.last("NPP", person)
    assert informations(npp, "KodPrzyczynyOdmowy") == [code]
    return npp
