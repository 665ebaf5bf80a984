"""Where we may connect to when a trader, not an operator, names the address: only to machines on the public Internet.

An address that somebody else chose could lead us to our own machines (server-side request forgery): to the database,
to the metadata service of a cloud, to an administrator's page. So the name is resolved here, every address it stands
for is judged, also those hidden inside IPv6 addresses, and the connection goes to exactly the addresses judged: a second
look-up could give others (DNS rebinding). An operator may allow networks by a setting.

The table of special networks is IANA's (IPv4 and IPv6 Special-Purpose Address Registries; RFC 6890 and its successors).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from gateway.errors import Deferred, Failed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Lookup = Callable[[str, int], Sequence[str]]

MAX_URL = 2_000
MAX_ADDRESSES = 16  # a name that stands for more is not a trader's server


class Kind(NamedTuple):
    """What an address is instead of public."""

    en: str
    pl: str


_UNSPECIFIED = Kind("this host", "ten komputer")
_LOOPBACK = Kind("loopback", "pętla zwrotna")
_PRIVATE = Kind("private", "prywatny")
_LINK_LOCAL = Kind("link-local", "lokalny dla łącza")
_SHARED = Kind("shared between providers and customers (CGNAT)", "wspólny dla sieci operatora (CGNAT)")
_MULTICAST = Kind("multicast", "rozgłoszeniowy")
_DOCUMENTATION = Kind("for documentation or measurements", "dokumentacyjny lub pomiarowy")
_RESERVED = Kind("reserved", "zastrzeżony")

_SPECIAL_4: tuple[tuple[Network, Kind], ...] = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", _UNSPECIFIED),
        ("10.0.0.0/8", _PRIVATE),
        ("100.64.0.0/10", _SHARED),
        ("127.0.0.0/8", _LOOPBACK),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("172.16.0.0/12", _PRIVATE),
        ("192.0.0.0/24", _RESERVED),
        ("192.0.2.0/24", _DOCUMENTATION),
        ("192.31.196.0/24", _RESERVED),
        ("192.52.193.0/24", _RESERVED),
        ("192.88.99.0/24", _RESERVED),
        ("192.168.0.0/16", _PRIVATE),
        ("192.175.48.0/24", _RESERVED),
        ("198.18.0.0/15", _DOCUMENTATION),
        ("198.51.100.0/24", _DOCUMENTATION),
        ("203.0.113.0/24", _DOCUMENTATION),
        ("224.0.0.0/4", _MULTICAST),
        ("240.0.0.0/4", _RESERVED),
    )
)
_SPECIAL_6: tuple[tuple[Network, Kind], ...] = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("::/128", _UNSPECIFIED),
        ("::1/128", _LOOPBACK),
        ("64:ff9b:1::/48", _PRIVATE),  # NAT64 within one network (RFC 8215)
        ("2001::/23", _RESERVED),  # protocol assignments, Teredo among them
        ("2001:db8::/32", _DOCUMENTATION),
        ("3fff::/20", _DOCUMENTATION),
        ("fc00::/7", _PRIVATE),
        ("fe80::/10", _LINK_LOCAL),
        ("fec0::/10", _PRIVATE),  # site-local, deprecated and still routed inside some houses
        ("ff00::/8", _MULTICAST),
    )
)
_PUBLIC_6 = ip_network("2000::/3")  # all that is routed; the rest is not assigned
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def networks(text: str) -> tuple[Network, ...]:
    """The networks in `text`, separated by commas: `127.0.0.0/8, fd00::/8`. Raises ValueError naming the wrong one."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise ValueError(f"'{part}' is no network: {error}; write it like 10.1.0.0/16") from None
    return tuple(found)


def special(address: Address, allowed: Sequence[Network] = ()) -> Kind | None:
    """What kind of address it is that we do not connect to; None for a public one and for one in an allowed network."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # the very same machine
    if any(address in network for network in allowed if network.version == address.version):
        return None
    if isinstance(address, IPv4Address):
        return _listed(address, _SPECIAL_4)
    listed = _listed(address, _SPECIAL_6)
    if listed is not None:
        return listed
    inner = _embedded(address)
    if inner is not None:
        return _listed(inner, _SPECIAL_4) if address in _NAT64 or address in _PUBLIC_6 else _RESERVED
    return None if address in _PUBLIC_6 else _RESERVED


def _listed(address: Address, table: Sequence[tuple[Network, Kind]]) -> Kind | None:
    return next((kind for network, kind in table if address in network), None)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway on the way would take out of this one."""
    bits = int(address)
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or address in _COMPATIBLE or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(bits & 0xFFFFFFFF)
    return None


def split_url(url: str) -> SplitResult:
    """The parts of an http or https address without user, query parameters are allowed. Raises Failed(push.url)."""
    if len(url) > MAX_URL or not url.isascii() or any(c <= " " or c == "\x7f" or c in "\\<>\"'`{}|^" for c in url):
        raise _no_url("it is too long or has characters that do not belong into an address", "jest za długi albo ma niedozwolone znaki")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_url("it cannot be read", "nie da się go odczytać") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_url("it must begin with https:// or http:// and name a host", "musi mieć postać https://host lub http://host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _no_url("leave out user, password and fragment", "pomiń użytkownika, hasło i fragment")
    if port is not None and port < 1024 and port not in (80, 443):
        raise _no_url(f"port {port} belongs to another service", f"port {port} należy do innej usługi")
    return parts


def port_of(parts: SplitResult) -> int:
    """The port an address names or its scheme implies."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def judged(host: str, port: int, allowed: Sequence[Network], lookup: Lookup | None = None) -> tuple[str, ...]:
    """The addresses `host` stands for, all of them judged: connect to these and look nothing up again.

    Blocks while the name is resolved: call it from a thread. Raises Failed(push.address) when one of them is not to be
    connected to (one is enough: the next look-up may give it first), Deferred(push.unresolved) when there is none.
    """
    try:
        found = list(dict.fromkeys((lookup or _resolve)(host, port)))
    except (OSError, UnicodeError) as error:
        raise Deferred("push.unresolved", host=host, detail=getattr(error, "strerror", None) or type(error).__name__) from None
    if not found or len(found) > MAX_ADDRESSES:
        raise Deferred("push.unresolved", host=host, detail=f"{len(found)} addresses")
    for text in found:
        kind = special(ip_address(text.partition("%")[0]), allowed)
        if kind is not None:
            raise Failed("push.address", host=host, address=text, kind=kind.en, kind_pl=kind.pl)
    return tuple(found)


def _resolve(host: str, port: int) -> list[str]:
    answers: list[tuple[Any, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def _no_url(detail: str, detail_pl: str) -> Failed:
    return Failed("push.url", detail=detail, detail_pl=detail_pl)
