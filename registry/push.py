"""A trader's own endpoint: where the documents for his account are handed to as they come.

The row says where and with which login we call there, and how that goes: failures in a row, until when the endpoint is
left alone, and whether it is blocked. Whoever registers it anew or changes it starts it afresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from cryptography import x509
from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from gateway.database import AnyRow
from registry.accounts import Secrets, normal_login
from registry.document import NewPush
from registry.tables import accounts, push_endpoints

DIGESTS = ("a", "b")
LARGEST_CERTIFICATE = 64 * 1024

#: What a changed endpoint begins with.
AFRESH = {"failures": 0, "rest_until": None, "blocked_at": None, "last_code": None, "last_error": None}


def secret_about(login: str) -> str:
    """The `about` under which the password for the endpoint of this account is encrypted."""
    return f"push:{normal_login(login)}"


def anchors(pem: str) -> str:
    """The certificates in `pem`, as text that TLS takes. Raises ValueError when there is none or one cannot be read."""
    if len(pem) > LARGEST_CERTIFICATE:
        raise ValueError("this is no certificate: the file is too large")
    found = x509.load_pem_x509_certificates(pem.encode())
    if not found:
        raise ValueError("there is no certificate in it")
    return pem


def register(
    connection: Connection, secrets: Secrets | None, account_id: int, new: NewPush, at: datetime
) -> Literal["added", "changed", "unchanged"]:
    """Bring the endpoint of an account to what `new` says, inside the caller's transaction; a change unblocks it.

    Without a password the stored one stays. Raises ValueError where there is none yet or no key to encrypt one with.
    """
    own = push_endpoints.c.account_id == account_id
    stored = connection.execute(select(push_endpoints).where(own)).mappings().one_or_none()
    login = connection.execute(select(accounts.c.login).where(accounts.c.account_id == account_id)).scalar_one()
    values: dict[str, object] = {"url": new.url, "login": new.login, "digest": new.digest, "certificate": new.certificate}
    if new.password is not None:
        if secrets is None:
            raise ValueError("there is no key to encrypt passwords with; make the gateway's keys first")
        about, plain = secret_about(login), new.password.encode()
        if stored is None or secrets.decrypt(stored["secret"], about) != plain:
            values["secret"] = secrets.encrypt(plain, about)
    elif stored is None:
        raise ValueError("a new endpoint needs the password with which the gateway calls there")
    if stored is None:
        connection.execute(insert(push_endpoints).values(account_id=account_id, since=at, **values))
        return "added"
    if all(stored[name] == value for name, value in values.items()):
        return "unchanged"
    connection.execute(update(push_endpoints).where(own).values(**values, **AFRESH))
    return "changed"


def unblock(connection: Connection, account_id: int) -> bool:
    """Let it be called again, at once; False when there is no such endpoint. Inside the caller's transaction."""
    afresh = {name: value for name, value in AFRESH.items() if name not in ("last_code", "last_error")}
    done = connection.execute(update(push_endpoints).where(push_endpoints.c.account_id == account_id).values(**afresh))
    return bool(done.rowcount)


def remove(connection: Connection, account_id: int) -> bool:
    """From now on its documents only wait in the mailbox; False when there is no such endpoint."""
    return bool(connection.execute(delete(push_endpoints).where(push_endpoints.c.account_id == account_id)).rowcount)


def listed(connection: Connection) -> Sequence[AnyRow]:
    """Every endpoint with the login of its account (`account`), without its secret, by account."""
    columns = [column for column in push_endpoints.c if column.name != "secret"]
    query = select(*columns, accounts.c.login.label("account"), accounts.c.active)
    joined = query.join(accounts, accounts.c.account_id == push_endpoints.c.account_id)
    return connection.execute(joined.order_by(accounts.c.login)).all()
