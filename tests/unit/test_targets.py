"""Where we connect to when a trader names the address: the table of what is refused, and that nothing slips past it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Deferred, Failed
from gateway.targets import MAX_ADDRESSES, judged, networks, port_of, special, split_url

REFUSED = [
    # this host, loopback
    ("0.0.0.0", "this host"),
    ("0.1.2.3", "this host"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::", "this host"),
    ("::1", "loopback"),
    # private
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.0.1", "private"),
    ("fc00::1", "private"),
    ("fdab:cdef::1", "private"),
    ("fec0::1", "private"),
    # link-local, where clouds keep their metadata
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "link-local"),
    ("fe80::1", "link-local"),
    ("febf::1", "link-local"),
    # shared, multicast, documentation, reserved
    ("100.64.0.1", "shared between providers and customers (CGNAT)"),
    ("100.127.255.255", "shared between providers and customers (CGNAT)"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("ff02::1", "multicast"),
    ("192.0.2.1", "for documentation or measurements"),
    ("198.18.0.1", "for documentation or measurements"),
    ("198.19.255.255", "for documentation or measurements"),
    ("198.51.100.1", "for documentation or measurements"),
    ("203.0.113.1", "for documentation or measurements"),
    ("2001:db8::1", "for documentation or measurements"),
    ("3fff::1", "for documentation or measurements"),
    ("192.0.0.1", "reserved"),
    ("192.88.99.1", "reserved"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("100::1", "reserved"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
    # IPv4 inside IPv6
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.1.2.3", "private"),
    ("::ffff:169.254.169.254", "link-local"),
    ("::127.0.0.1", "reserved"),
    ("::8.8.8.8", "reserved"),
    ("2002:7f00:1::", "loopback"),
    ("2002:a00:1::1", "private"),
    ("2002:a9fe:a9fe::", "link-local"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "link-local"),
    ("64:ff9b::c0a8:1", "private"),
    ("64:ff9b:1::8.8.8.8", "private"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),  # Teredo
    ("2a00::5efe:10.0.0.1", "private"),  # ISATAP
    ("2a00::200:5efe:192.168.1.1", "private"),
]
PUBLIC = [
    *("8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255"),
    *("169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2a00:1450::1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::808:808", "2a00::5efe:8.8.8.8"),
]


@pytest.mark.parametrize(("address", "kind"), REFUSED)
def test_what_is_not_public_is_refused_and_named(address: str, kind: str) -> None:
    found = special(ip_address(address))
    assert found is not None
    assert found.en == kind
    assert found.pl != found.en


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_taken(address: str) -> None:
    assert special(ip_address(address)) is None


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_whatever_the_standard_library_calls_not_global_is_refused(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert special(address) is not None


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_is_judged_alike_however_it_is_wrapped(address: IPv4Address) -> None:
    bare = special(address)
    assert special(IPv6Address((0xFFFF << 32) | int(address))) == bare
    assert special(IPv6Address((0x2002 << 112) | (int(address) << 80) | 1)) == bare
    assert special(IPv6Address((0x64FF9B << 96) | int(address))) == bare


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_only_global_unicast_of_ipv6_is_ever_taken(address: IPv6Address) -> None:
    if special(address) is None:
        assert address.ipv4_mapped is not None or int(address) >> 125 == 1 or int(address) >> 32 == 0x64FF9B << 64


def test_an_allowed_network_is_taken_and_no_more_than_it() -> None:
    allowed = networks(" 127.0.0.0/8, fd12::/16 ,10.1.2.3")
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "fd12::9", "10.1.2.3"):
        assert special(ip_address(address), allowed) is None
    for address in ("10.1.2.4", "fd13::1", "::1", "2002:7f00:1::", "169.254.169.254"):
        assert special(ip_address(address), allowed) is not None


@pytest.mark.parametrize("text", ["10.0.0.0/33", "localhost", "10.0.0.1/8", "127.0.0.0/8; ::1"])
def test_a_network_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no network"):
        networks(text)


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],  # one is enough: the next look-up may give it first
        ["2a00:1450::1", "::1"],
        ["fe80::1%eth0"],
        ["8.8.8.8", "::ffff:192.168.1.1"],
    ],
)
def test_a_name_that_stands_for_one_private_address_is_refused(answers: list[str]) -> None:
    with pytest.raises(Failed) as refusal:
        judged("edi.example", 443, (), lambda host, port: answers)
    assert refusal.value.code == "push.address"
    assert "edi.example" in refusal.value.text("en")
    assert "BRAMA_PUSH_ALLOW" in refusal.value.text("pl")


def test_a_public_name_gives_its_addresses_once_each() -> None:
    assert judged("edi.example", 443, (), lambda host, port: ["8.8.8.8", "8.8.8.8", "2a00:1450::1"]) == ("8.8.8.8", "2a00:1450::1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "::1", "0"])
def test_every_way_to_write_loopback_ends_the_same(host: str) -> None:
    """By the machine's own resolver, which knows more spellings than any table."""
    with pytest.raises((Failed, Deferred)) as refusal:
        judged(host, 80, ())
    assert refusal.value.code in ("push.address", "push.unresolved")
    if host in ("127.0.0.1", "localhost", "2130706433", "127.1", "::1"):
        assert refusal.value.code == "push.address"


@pytest.mark.parametrize("answers", [[], [f"8.8.8.{n}" for n in range(MAX_ADDRESSES + 1)]])
def test_no_address_and_far_too_many_are_tried_again_later(answers: list[str]) -> None:
    with pytest.raises(Deferred) as error:
        judged("edi.example", 443, (), lambda host, port: answers)
    assert error.value.code == "push.unresolved"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "edi.example",
            "//edi.example/x",
            "ftp://edi.example/",
            "file:///etc/passwd",
            "gopher://edi.example/",
            "https://",
            "https:///x",
        ),
        *("https://user@edi.example/", "https://user:secret@edi.example/", "https://edi.example/#there", "https://edi.example:99999/"),
        *(
            "https://edi.example:25/",
            "http://edi.example:22/",
            "https://edi.example:abc/",
            "https://edi.example/a b",
            "https://edi.example/\n",
        ),
        *(
            "https://ędi.example/",
            "https://edi.example\\@10.0.0.1/",
            "http://[::1",
            "https://edi.example/" + "x" * 2000,
            "javascript:alert(1)",
        ),
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Failed) as refusal:
        split_url(url)
    assert refusal.value.code == "push.url"


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://edi.example/seap?x=1", 443),
        ("http://edi.example", 80),
        ("https://edi.example:8443/", 8443),
        ("http://[2a00::1]:8080/", 8080),
    ],
)
def test_an_address_that_is_one_is_taken(url: str, port: int) -> None:
    assert port_of(split_url(url)) == port
