"""HTTP to an address that a trader chose: exactly the judged address, within bounds, and what each failure tells."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.endpoints.push.client import PushHttp
from gateway.errors import Deferred, Failed, GatewayError
from gateway.http_answer import MAX_ANSWER, HttpAnswer
from gateway.targets import networks

LOOPBACK = networks("127.0.0.0/8")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>"


class Peer:
    """A raw server on loopback: keeps what came and does what `behave` says with the connection."""

    def __init__(self, behave: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.names: list[str | None] = []
        self._behave, self._tls = behave, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                self._talk(self._tls.wrap_socket(connection, server_side=True) if self._tls else connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        request = b""
        while b"\r\n\r\n" not in request:
            if not (piece := connection.recv(65536)):
                return  # it connected and said nothing
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        self._behave(connection)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(said: bytes | Callable[[socket.socket], None] = OK, tls: ssl.SSLContext | None = None) -> Peer:
        behave = said if callable(said) else lambda connection: connection.sendall(said)
        made.append(Peer(behave, tls))
        return made[-1]

    yield make
    for one in made:
        one.close()


def post(
    url: str,
    *,
    lookup: Callable[[str, int], Sequence[str]] | None = None,
    allowed: str = "127.0.0.0/8",
    seconds: float = 5,
    certificate: str | None = None,
    body: bytes = b"<x/>",
) -> HttpAnswer:
    http = PushHttp(networks(allowed), seconds, lookup)
    try:
        return asyncio.run(http.post(url, certificate, body))
    finally:
        http.close()


def code_of(url: str, **options: object) -> str:
    with pytest.raises(GatewayError) as told:
        post(url, **options)  # type: ignore[arg-type]
    return told.value.code


def test_the_request_goes_to_the_judged_address_with_the_name_in_its_host_header(peer: Callable[..., Peer]) -> None:
    server = peer()
    answer = post(f"http://edi.example:{server.port}/seap?x=1", lookup=lambda host, port: ["127.0.0.1"], body=b"<x>1</x>")
    assert (answer.status, answer.body, answer.whole) == (200, b"<a/>", True)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /seap?x=1 http/1.1"
    assert f"host: edi.example:{server.port}" in lines
    assert 'soapaction: "acceptdocument"' in lines
    assert "content-type: text/xml; charset=utf-8" in lines
    assert body == b"<x>1</x>"


def test_a_private_address_gets_no_connection_at_all(peer: Callable[..., Peer]) -> None:
    server = peer()
    for url in (f"http://127.0.0.1:{server.port}/", f"http://localhost:{server.port}/", f"http://[::ffff:127.0.0.1]:{server.port}/"):
        assert code_of(url, allowed="") == "push.address"
    assert code_of(f"http://edi.example:{server.port}/", lookup=lambda h, p: ["127.0.0.1"], allowed="10.0.0.0/8") == "push.address"
    assert server.connections == 0


def test_a_name_that_changes_its_mind_is_not_asked_twice(peer: Callable[..., Peer]) -> None:
    """DNS rebinding: the first answer is judged and used; a second, private one would never be seen."""
    server = peer()
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    assert post(f"http://edi.example:{server.port}/", lookup=lookup, allowed="127.0.0.1/32").status == 200
    assert asked == ["edi.example"]
    assert code_of(f"http://edi.example:{server.port}/", lookup=lookup, allowed="127.0.0.1/32") == "push.address"
    assert server.connections == 1


def test_a_redirect_is_told_and_not_followed(peer: Callable[..., Peer]) -> None:
    inner = peer()
    server = peer(f"HTTP/1.1 307 Look\r\nLocation: http://127.0.0.1:{inner.port}/admin\r\nContent-Length: 0\r\n\r\n".encode())
    assert post(f"http://127.0.0.1:{server.port}/").status == 307
    assert inner.connections == 0


def test_proxies_of_the_environment_are_not_used(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = peer(), peer()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert post(f"http://127.0.0.1:{server.port}/").status == 200
    assert proxy.connections == 0


def test_the_next_address_is_tried_when_one_takes_no_connection(peer: Callable[..., Peer]) -> None:
    server = peer()
    assert post(f"http://edi.example:{server.port}/", lookup=lambda h, p: ["127.0.0.9", "127.0.0.1"]).status == 200
    assert len(server.requests) == 1


def test_nothing_arrived_is_told_apart_from_nobody_knows(peer: Callable[..., Peer]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert code_of(f"http://127.0.0.1:{closed.getsockname()[1]}/") == "push.unavailable"
    hung_up = peer(lambda connection: connection.close())
    assert code_of(f"http://127.0.0.1:{hung_up.port}/") == "push.in_doubt"
    nonsense = peer(b"I am no HTTP server\r\n\r\n")
    assert code_of(f"http://127.0.0.1:{nonsense.port}/") == "push.in_doubt"

    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    assert code_of("http://edi.example/", lookup=unknown) == "push.unresolved"


def test_silence_and_a_trickle_both_end_at_the_time_limit(peer: Callable[..., Peer]) -> None:
    def trickle(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.05)

    for behave in (lambda connection: time.sleep(5), trickle):
        server, began = peer(behave), time.monotonic()
        assert code_of(f"http://127.0.0.1:{server.port}/", seconds=0.5) == "push.in_doubt"
        assert time.monotonic() - began < 2


def test_a_slow_name_server_ends_at_the_time_limit_too() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    began = time.monotonic()
    assert code_of("http://edi.example/", lookup=slow, seconds=0.3) == "push.unresolved"
    assert time.monotonic() - began < 2


def test_an_endless_answer_is_cut_off(peer: Callable[..., Peer]) -> None:
    sent = [0]

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10_000):
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent[0] += 65536

    server = peer(endless)
    answer = post(f"http://127.0.0.1:{server.port}/")
    assert (len(answer.body), answer.whole) == (MAX_ANSWER, False)
    assert sent[0] < 50_000_000


def test_a_compressed_answer_is_not_unpacked(peer: Callable[..., Peer]) -> None:
    server = peer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
    answer = post(f"http://127.0.0.1:{server.port}/")
    assert (answer.whole, answer.body) == (False, b"\x1f\x8b\x08\x00")


def test_a_status_without_its_body_is_still_a_statement(peer: Callable[..., Peer]) -> None:
    server = peer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nshort")
    assert post(f"http://127.0.0.1:{server.port}/").status == 404


def certificate(tmp_path: Path, name: str) -> tuple[str, ssl.SSLContext]:
    """A self-signed certificate for `name`: its PEM, and TLS that serves with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM).decode()
    file = tmp_path / f"{name}-{made.serial_number}.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return pem, context


def test_https_is_checked_by_name_and_against_the_pinned_certificate(tmp_path: Path, peer: Callable[..., Peer]) -> None:
    pem, tls = certificate(tmp_path, "edi.example")
    other, _ = certificate(tmp_path, "edi.example")
    asked: list[str | None] = []
    tls.sni_callback = lambda connection, name, context: asked.append(name)
    server = peer(OK, tls)
    lookup = lambda host, port: ["127.0.0.1"]  # noqa: E731
    url = f"https://edi.example:{server.port}/"
    assert post(url, lookup=lookup, certificate=pem).status == 200
    assert asked == ["edi.example"]
    assert code_of(url, lookup=lookup) == "push.unavailable", "no usual authority knows it"
    assert code_of(url, lookup=lookup, certificate=other) == "push.unavailable", "another certificate of the same name"
    assert code_of(f"https://evil.example:{server.port}/", lookup=lookup, certificate=pem) == "push.unavailable", "another name"
    assert len(server.requests) == 1, "to none of them was anything sent"


def test_a_look_connects_and_sends_nothing(tmp_path: Path, peer: Callable[..., Peer]) -> None:
    pem, tls = certificate(tmp_path, "edi.example")
    server = peer(OK, tls)

    async def look(certificate: str | None) -> str:
        http = PushHttp(LOOPBACK, 5, lambda host, port: ["127.0.0.1"])
        try:
            return await http.connect(f"https://edi.example:{server.port}/", certificate)
        finally:
            http.close()

    assert asyncio.run(look(pem)) == "127.0.0.1"
    with pytest.raises(Deferred, match="certificate"):
        asyncio.run(look(None))
    assert (server.connections, server.requests) == (2, [])


def test_the_error_for_a_private_address_names_it_and_what_to_do() -> None:
    with pytest.raises(Failed) as told:
        post("http://edi.example/", lookup=lambda h, p: ["10.1.2.3"])
    assert "10.1.2.3" in told.value.text("en")
    assert "private" in told.value.text("en")
    assert "prywatny" in told.value.text("pl")
