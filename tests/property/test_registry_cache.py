"""Whatever is written, in whatever order, a remembering registry answers as one that remembers nothing."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import insert, select, update

from gateway.database import bump, writing
from registry.authorize import DatabaseRegistry
from registry.changes import end_representation, revoke_certificate
from registry.importing import import_file
from registry.tables import accounts, permissions, representations
from tests.registry_setting import AGENCY, CLIENT, COMPANY, FINGERPRINT, OTHER_FINGERPRINT, REGISTER, PlainSecrets, new_engine

START = datetime(2026, 6, 1, tzinfo=UTC)
instants = st.integers(0, 8).map(lambda days: START + timedelta(days=days))
parties = st.sampled_from([AGENCY, CLIENT, COMPANY])
needed = st.sampled_from(["NCTS2/CC015C", "AES/CC515C"])


class Remembering(RuleBasedStateMachine):
    """Writes in between questions; `max_age=0` looks the generation up at every call, as the recording transaction does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.engine = new_engine(path)
        (path / "register.yaml").write_text(REGISTER, encoding="utf-8")
        import_file(self.engine, path / "register.yaml", PlainSecrets())
        self.remembering = DatabaseRegistry(self.engine, max_age=0, size=6)

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()

    @rule(
        account=st.integers(1, 3), print_=st.sampled_from([FINGERPRINT, OTHER_FINGERPRINT]), permission=needed, party=parties, at=instants
    )
    def ask(self, account: int, print_: str, permission: str, party: str, at: datetime) -> None:
        forgetful = DatabaseRegistry(self.engine).authorize(account, print_, permission, party, at, fresh=True)
        assert self.remembering.authorize(account, print_, permission, party, at) == forgetful

    @invariant()
    def anna_gets_the_same_answers(self) -> None:
        for party in (AGENCY, CLIENT):
            self.ask(1, FINGERPRINT, "NCTS2/CC015C", party, START + timedelta(days=4))

    @rule(number=st.integers(1, 4), at=instants)
    def end(self, number: int, at: datetime) -> None:
        with writing(self.engine) as connection:
            end_representation(connection, number, at)

    @rule(at=instants)
    def revoke(self, at: datetime) -> None:
        with writing(self.engine) as connection:
            revoke_certificate(connection, FINGERPRINT, at)

    @rule(active=st.booleans())
    def suspend_or_restore(self, active: bool) -> None:
        with writing(self.engine) as connection:
            connection.execute(update(accounts).where(accounts.c.account_id == 1).values(active=active))
            bump(connection, "registry")

    @rule(start=instants, principal=st.integers(1, 3), right=st.sampled_from(["*", "NCTS2/*", "AES/*"]))
    def represent(self, start: datetime, principal: int, right: str) -> None:
        key = {"person_id": 1, "principal_id": principal, "valid_from": start}
        with writing(self.engine) as connection:
            known = select(representations).where(*(representations.c[name] == value for name, value in key.items()))
            if connection.execute(known).first() is None:
                number = connection.execute(insert(representations).values(form="employee", **key)).inserted_primary_key
                assert number is not None
                connection.execute(insert(permissions).values(representation_id=number[0], permission=right))
                bump(connection, "registry")


Remembering.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
test_remembering = Remembering.TestCase
