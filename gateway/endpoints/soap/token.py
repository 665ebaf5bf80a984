"""The digest UsernameToken of WS-Security (OASIS UsernameToken Profile 1.0), as this channel uses it.

Two forms of the digest are taken, both under the ordinary type `#PasswordDigest`:

    (a) Base64(SHA1(nonce + created + password))
    (b) Base64(SHA1(nonce + created + Base64(SHA1(password))))     what trader software sends

`nonce` enters as its decoded bytes. The inner hash as 20 raw bytes is no accepted form. Whatever is wrong, the sender
hears one and the same: an unknown account, a wrong digest, an inactive account and a stale token look alike and cost
alike.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from hmac import compare_digest
from typing import Protocol

from gateway.endpoints.soap.envelope import WSSE, Element, Envelope, qualified
from gateway.errors import Rejected
from gateway.message import Caller

_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

_SECURITY = qualified(WSSE, "Security")
_USERNAME_TOKEN = qualified(WSSE, "UsernameToken")
_USERNAME = qualified(WSSE, "Username")
_PASSWORD = qualified(WSSE, "Password")
_NONCE = qualified(WSSE, "Nonce")
_CREATED = qualified(_WSU, "Created")
_EXPIRES = qualified(_WSU, "Expires")
_TIMESTAMP = qualified(_WSU, "Timestamp")

#: reasons of a refusal that somebody who guesses would see; those about the token's shape and time are no guesses
GUESSES = frozenset({"unknown account", "digest", "inactive account"})

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NONCE_BYTES = range(8, 65)
_MAX_LOGIN = 254
_NOBODY = b"the password that stands in for the one an unknown account does not have"


class Account(Protocol):
    """An account of the channel as the registry knows it."""

    @property
    def account_id(self) -> int: ...

    @property
    def active(self) -> bool: ...

    def password(self) -> str | bytes | None:
        """The channel password itself (the digest forms need it); None: the account may not use this channel."""
        ...

    def former_password(self, now: datetime) -> str | bytes | None:
        """The one before it, while it still counts at `now`."""
        ...


class Accounts(Protocol):
    """Where accounts are found by login. A keeper whose passwords take noticeable time (decryption) should give an unknown
    login an inactive stand-in instead of None, and take as long where there is no former password, so that time does not
    tell them apart."""

    def find(self, login: str) -> Account | None: ...


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """A token as it came. `nonce` is decoded; `created` is the text that enters the digest."""

    login: str
    digest: bytes
    nonce: bytes
    created: str


@dataclass(frozen=True, slots=True)
class Proven:
    """A caller and the nonce he used (canonical Base64), which the store lets pass once."""

    caller: Caller
    nonce: str


def read_token(envelope: Envelope) -> UsernameToken:
    """The one token of the one Security header.

    Raises Rejected(policy.no_token) when there is no digest token, Rejected(token.refused) when it is built wrongly.
    """
    security = [header for header in envelope.headers if header.name == _SECURITY]
    if not security:
        raise Rejected("policy.no_token")
    if len(security) > 1:
        raise _refused("two Security headers")
    tokens = security[0].all(_USERNAME_TOKEN)
    if not tokens:
        raise Rejected("policy.no_token")
    if len(tokens) > 1:
        raise _refused("two tokens")
    if any(child.name not in (_USERNAME_TOKEN, _TIMESTAMP) for child in security[0].children):
        raise _refused("something in the Security header that is not checked here")
    return _username_token(tokens[0])


def _username_token(token: Element) -> UsernameToken:
    passwords = token.all(_PASSWORD)
    if not passwords or any(password.attributes.get("Type") != _DIGEST for password in passwords):
        raise Rejected("policy.no_token")
    nonce = _only(token, _NONCE)
    if nonce.attributes.get("EncodingType", _BASE64) != _BASE64:
        raise _refused("nonce encoding")
    login = _only(token, _USERNAME).text.strip()
    if not 0 < len(login) <= _MAX_LOGIN:
        raise _refused("login")
    digest = _only(token, _PASSWORD).text.strip().encode()
    return UsernameToken(login, digest, _decoded_nonce(nonce.text.strip()), _only(token, _CREATED).text.strip())


def _only(parent: Element, name: str) -> Element:
    found = parent.all(name)
    if len(found) != 1 or found[0].children:
        raise _refused(f"{name.rpartition(' ')[2]} stands {len(found)} times")
    return found[0]


def _decoded_nonce(text: str) -> bytes:
    try:
        nonce = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _refused("nonce is not Base64") from None
    if len(nonce) not in _NONCE_BYTES:
        raise _refused("nonce length")
    return nonce


def check_timestamp(envelope: Envelope, now: datetime, window: timedelta) -> None:
    """Nobody has to send a wsu:Timestamp, but one that is there must hold. Raises Rejected(token.refused)."""
    timestamps = [child for header in envelope.headers if header.name == _SECURITY for child in header.all(_TIMESTAMP)]
    if not timestamps:
        return
    names = [child.name for child in timestamps[0].children]
    if len(timestamps) > 1 or names not in ([_CREATED], [_CREATED, _EXPIRES]):
        raise _refused("timestamp")
    instants = [instant(child.text.strip()) for child in timestamps[0].children]
    created, expires = instants[0], instants[-1]
    if created is None or expires is None:
        raise _refused("timestamp")
    if not _fresh(created, now, window) or (len(instants) == 2 and (expires <= created or expires <= now)):
        raise _refused("timestamp")


def prove(token: UsernameToken, accounts: Accounts, now: datetime, window: timedelta) -> Proven:
    """Who is calling. `window` is how far Created may lie from `now`, either way.

    Every check is made before any is told. Raises Rejected(token.refused).
    """
    account = accounts.find(token.login)
    password = account.password() if account is not None else None
    former = account.former_password(now) if account is not None else None
    matches = _matches_either(token, password, former)
    created = instant(token.created)
    fresh = created is not None and _fresh(created, now, window)
    if account is None or not password:
        raise _refused("unknown account", login=token.login)
    if not matches:
        raise _refused("digest", login=token.login)
    if not account.active:
        raise _refused("inactive account", login=token.login)
    if not fresh:
        raise _refused("created", login=token.login)
    return Proven(Caller(account.account_id, token.login), b64encode(token.nonce).decode())


def _matches_either(token: UsernameToken, password: str | bytes | None, former: str | bytes | None) -> bool:
    """Both are tried whichever are there, so that time tells neither how many there are nor which one it was."""
    found = False
    for known in (password, former):
        secret = known or _NOBODY
        found |= _digest_matches(token, secret.encode() if isinstance(secret, str) else secret) & bool(known)
    return found


def _digest_matches(token: UsernameToken, password: bytes) -> bool:
    salt = token.nonce + token.created.encode()
    plain = compare_digest(token.digest, _base64_sha1(salt + password))
    hashed = compare_digest(token.digest, _base64_sha1(salt + _base64_sha1(password)))
    return plain | hashed


def hashed_password(password: str) -> str:
    """What to give as password to client software that makes digest (a), so that it sends (b)."""
    return _base64_sha1(password.encode()).decode()


def _base64_sha1(data: bytes) -> bytes:
    """SHA-1 is what the profile prescribes; it keys nothing here but a value that lives for minutes."""
    return b64encode(sha1(data, usedforsecurity=False).digest())


def instant(text: str) -> datetime | None:
    """An xs:dateTime with its zone, as UTC; None for anything else."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fresh(created: datetime, now: datetime, window: timedelta) -> bool:
    return abs(now - created) <= window


def _refused(reason: str, **context: object) -> Rejected:
    """`reason` is for the security log; the sender never sees it."""
    return Rejected("token.refused", reason=reason, **context)
