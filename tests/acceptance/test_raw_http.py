"""HTTP itself over raw sockets: whatever is ambiguous, broken, slow or endless ends with 4xx and a closed connection."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.caller import SOAP_PATH, XML, Caller, post
from tests.acceptance.estate import Estate, until

MEGABYTE = 1024 * 1024
PATIENCE = 2  # seconds a sender has for the head, and for the body
CONNECTIONS = 60
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Estate]:
    house = tmp_path_factory.mktemp("raw") / "house"
    estate = Estate(house, template=template, body_seconds=PATIENCE, head_seconds=PATIENCE, max_connections=CONNECTIONS)
    try:
        yield estate.start()
    finally:
        estate.stop()


@pytest.fixture
def caller(server: Estate) -> Iterator[Caller]:
    """Nothing may be stored, and the server must go on."""
    before = server.books()
    yield Caller(server, "trader00")
    assert server.books() == before
    assert server.ready()


def lines(*headers: bytes | str, first: bytes = b"", host: bytes = b"Host: x\r\n") -> bytes:
    told = b"".join((h.encode() if isinstance(h, str) else h) + b"\r\n" for h in headers)
    return (first or b"POST %s HTTP/1.1\r\n" % SOAP_PATH.encode()) + host + b"Content-Type: text/xml\r\n" + told + b"\r\n"


def chunks(text: bytes) -> bytes:
    return lines(CHUNKED) + text


def started(line: bytes) -> bytes:
    return lines("Content-Length: 0", first=line + b"\r\n")


LAST = b"0\r\n\r\n"

BROKEN = {
    # --- how long is the body? Whoever reads it in two ways can be made to see two requests
    "Content-Length with Transfer-Encoding": lines("Content-Length: 4", CHUNKED) + LAST,
    "Transfer-Encoding with Content-Length": lines(CHUNKED, "Content-Length: 5") + LAST,
    "list Content-Length": lines("Content-Length: 4, 4") + b"abcd",
    "list Content-Length that disagrees": lines("Content-Length: 4, 5") + b"abcde",
    "duplicate Content-Length": lines("Content-Length: 4", "Content-Length: 4") + b"abcd",
    "duplicate Content-Length that disagrees": lines("Content-Length: 4", "Content-Length: 5") + b"abcde",
    "signed Content-Length": lines("Content-Length: +4") + b"abcd",
    "negative Content-Length": lines("Content-Length: -1"),
    "hexadecimal Content-Length": lines("Content-Length: 0x4") + b"abcd",
    "Content-Length of two words": lines("Content-Length: 4 4") + b"abcd",
    "Content-Length with underscore": lines("Content-Length: 1_0") + b"abcdefghij",
    "empty Content-Length": lines("Content-Length: "),
    "Content-Length beyond 64 bits": lines(f"Content-Length: {10**30}"),
    "coding besides chunked": lines("Transfer-Encoding: gzip, chunked") + LAST,
    "chunked not last": lines("Transfer-Encoding: chunked, identity") + LAST,
    "identity": lines("Transfer-Encoding: identity"),
    "unknown coding": lines("Transfer-Encoding: xchunked") + LAST,
    "chunked with a parameter": lines("Transfer-Encoding: chunked;q=1") + LAST,
    "chunked twice": lines(CHUNKED, CHUNKED) + LAST,
    "chunked behind a vertical tab": lines(b"Transfer-Encoding: \x0bchunked") + LAST,
    "chunked in HTTP/1.0": lines(CHUNKED, first=b"POST %s HTTP/1.0\r\n" % SOAP_PATH.encode()) + LAST,
    # --- lines
    "obsolete folding": lines("X-A: b\r\n c", "Content-Length: 0"),
    "obsolete folding of the first header": lines("Content-Length: 0", host=b" Host: x\r\n"),
    "folded Content-Length": lines("Content-Length:\r\n 4") + b"abcd",
    "folded Transfer-Encoding": lines("Transfer-Encoding:\r\n chunked") + LAST,
    "space before the colon": lines("Content-Length : 0"),
    "space in a header's name": lines("Bad Header: x", "Content-Length: 0"),
    "tab in a header's name": lines("Bad\tHeader: x", "Content-Length: 0"),
    "header without a name": lines(": x", "Content-Length: 0"),
    "header without a colon": lines("Header", "Content-Length: 0"),
    "NUL in a name": lines(b"X\0A: b", "Content-Length: 0"),
    "NUL in a value": lines(b"X-A: b\0c", "Content-Length: 0"),
    "control character in a value": lines(b"X-A: b\x01c", "Content-Length: 0"),
    "8-bit name": lines(b"X-\xc4: b", "Content-Length: 0"),
    "bare CR in a value": lines(b"X-A: b\rc", "Content-Length: 0"),
    "bare CR as line end": lines(b"X-A: b\rContent-Length: 0"),
    "bare LF as line end": lines(b"X-A: b\nContent-Length: 0"),
    "bare LF everywhere": lines("Content-Length: 0").replace(b"\r\n", b"\n"),
    "bare LF at the end of the head": lines("Content-Length: 0")[:-4] + b"\n\n",
    # --- the request line
    "HTTP/9.9": started(b"POST / HTTP/9.9"),
    "HTTP/2.0 in the line": started(b"POST / HTTP/2.0"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "lower-case version": started(b"POST / http/1.1"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower-case method": started(b"post / HTTP/1.1"),
    "unknown method": started(b"SMUGGLE / HTTP/1.1"),
    "CONNECT": started(b"CONNECT inside:22 HTTP/1.1"),
    "tab instead of a space": started(b"POST\t/ HTTP/1.1"),
    "space behind the version": started(b"POST / HTTP/1.1 "),
    "NUL in the path": started(b"POST /\0 HTTP/1.1"),
    "8-bit path": started(b"POST /\xff HTTP/1.1"),
    "path without a slash": started(b"POST a HTTP/1.1"),
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "garbage behind a good request": b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03\x01 garbage \r\n\r\n",
    # --- headers there must be one of
    "no Host": lines("Content-Length: 0", host=b""),
    "two Hosts": lines("Host: y", "Content-Length: 0"),
    "Host that is no name": lines("Content-Length: 0", host=b"Host: a b/@c\r\n"),
    "two Authorizations": lines("Authorization: Basic YTpi", "Authorization: Basic YTpj", "Content-Length: 0"),
    "two Content-Types": lines("Content-Type: application/json", "Content-Length: 0"),
    # --- chunks
    "chunk size ZZ": chunks(b"ZZ\r\n"),
    "chunk size 0x1": chunks(b"0x1\r\na\r\n" + LAST),
    "chunk size -1": chunks(b"-1\r\na\r\n" + LAST),
    "chunk size with underscore": chunks(b"1_0\r\na\r\n" + LAST),
    "chunk size behind a space": chunks(b" 1\r\na\r\n" + LAST),
    "chunk size before a space": chunks(b"1 \r\na\r\n" + LAST),
    "empty chunk size": chunks(b"\r\na\r\n" + LAST),
    "chunk size beyond 64 bits": chunks(b"F" * 17 + b"\r\na\r\n" + LAST),
    "chunk longer than its size": chunks(b"1\r\nab\r\n" + LAST),
    "bare LF behind a chunk size": chunks(b"1\na\r\n" + LAST),
    "bare CR behind a chunk size": chunks(b"1\ra\r\n" + LAST),
    "bare LF behind a chunk": chunks(b"1\r\na\n" + LAST),
    "bare LF in a chunk extension": chunks(b"1;a\na\r\n" + LAST),
    "bare CR in a chunk extension": chunks(b"1;a\rb\r\na\r\n" + LAST),
    "NUL in a chunk extension": chunks(b"1;a\0\r\na\r\n" + LAST),
    # --- trailers
    "trailer Content-Length": chunks(b"1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "trailer Transfer-Encoding": chunks(b"1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "trailer Host": chunks(b"1\r\na\r\n0\r\nHost: evil.example\r\n\r\n"),
    "trailer Content-Type": chunks(b"1\r\na\r\n0\r\nContent-Type: application/xml\r\n\r\n"),
    "trailer X-Forwarded-For": chunks(b"1\r\na\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"),
    "trailer with a bad name": chunks(b"1\r\na\r\n0\r\nbad name: 1\r\n\r\n"),
    "folded trailer": chunks(b"1\r\na\r\n0\r\nX: 1\r\n 2\r\n\r\n"),
    "trailer with a bare LF": chunks(b"1\r\na\r\n0\r\nX: 1\n\r\n"),
    "bare LFs at the end": chunks(b"1\r\na\r\n0\n\n"),
}
BROKEN["good requests behind a broken one"] = lines("Content-Length: x") + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 3
BROKEN["[T9] 30 MB behind an announced KB"] = lines("Content-Length: 1024") + b"x" * 1024 + b"y" * 30 * MEGABYTE

TOO_MUCH = {
    "10,000 headers": lines(*["X: y"] * 10_000, "Content-Length: 0"),
    "101 headers": lines(*["X: y"] * 101, "Content-Length: 0"),
    "a name of 70,000 characters": lines("X" * 70_000 + ": y", "Content-Length: 0"),
    "a value of 70,000 characters": lines("X: " + "y" * 70_000, "Content-Length: 0"),
    "a path of 1,000,000 characters": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a chunk extension of 1,000,000 characters": chunks(b"1;" + b"a" * 1_000_000 + b"\r\na\r\n" + LAST),
    "trailers of 1,000,000 characters": chunks(b"0\r\n" + b"X: y\r\n" * 200_000 + b"\r\n"),
}


def talk(estate: Estate, data: bytes, seconds: float = 10) -> tuple[list[int], float]:
    """Send it; gives the statuses that came back before the server closed, and how long that took. Fails if it does not close."""
    began, back = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", estate.port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            while piece := connection.recv(65536):
                back += piece
        except (ConnectionResetError, BrokenPipeError):
            pass  # it closed while we were still sending
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", back)], time.monotonic() - began


@pytest.mark.parametrize("name", BROKEN)
def test_broken_http_is_refused_and_the_connection_closed(caller: Caller, name: str) -> None:
    statuses, took = talk(caller.estate, BROKEN[name])
    *before, last = statuses or [400]  # the answer may be lost where it closes while we are still sending
    assert last == 400
    assert before == [] or (before == [200] and name == "garbage behind a good request") or (before == [500] and "T9" in name)
    assert statuses or "T9" in name
    assert took < 1, "it is refused at sight, not when patience ends"


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_of_it_is_refused_and_the_connection_closed(caller: Caller, name: str) -> None:
    statuses, took = talk(caller.estate, TOO_MUCH[name])
    assert statuses in ([431], [400], []), statuses  # none: it closed before all was sent
    assert took < 3


def test_a_good_call_in_chunks_with_a_harmless_trailer_passes(server: Estate) -> None:
    trader = Caller(server, "trader01")
    call = trader.submission(trader.declare("CHUNKS-1"))
    half = len(call) // 2
    body = b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in (call[:half], call[half:])) + b"0\r\nX-Note: 1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(lines(CHUNKED) + body)
        told = b""
        while b"</soap:Envelope>" not in told:
            told += connection.recv(65536)
    assert told.startswith(b"HTTP/1.1 200")
    (sys_ref,) = re.findall(r"<sysRef>(.*?)</sysRef>", told.decode())
    until(lambda: server.delivered([sys_ref]))


def test_neither_host_nor_an_absolute_address_leads_anywhere_else(caller: Caller) -> None:
    """The path alone decides what is asked, and no answer repeats a name that a caller made up."""
    for target in (f"http://evil.example{SOAP_PATH}?wsdl", f"{SOAP_PATH}?wsdl"):
        with socket.create_connection(("127.0.0.1", caller.estate.port), timeout=10) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
            told = b"".join(iter(lambda: connection.recv(65536), b""))
        assert told.startswith(b"HTTP/1.1 200")
        assert f'location="{caller.estate.url}{SOAP_PATH}"'.encode() in told
        assert b"evil" not in told


def test_a_trailer_changes_no_header(caller: Caller) -> None:
    """In one piece with its head, a trailer could once be taken for a header: here the type would make it a fault in text/xml."""
    body = b"1\r\na\r\n0\r\nAccept: text/xml\r\n\r\n"
    told = lines(CHUNKED).replace(b"text/xml", b"application/json") + body
    with socket.create_connection(("127.0.0.1", caller.estate.port), timeout=10) as connection:
        connection.sendall(told)
        assert connection.recv(65536).startswith(b"HTTP/1.1 415")


# --- slow, endless, many ----------------------------------------------------------------------------------------------------


def drip(estate: Estate, opening: bytes, piece: bytes, pause: float, seconds: float) -> tuple[list[int], float]:
    """Send `piece` again and again until the server closes; fails if it has not after `seconds`."""
    began, back = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", estate.port), timeout=seconds) as connection:
        connection.settimeout(max(pause, 0.001))
        try:
            connection.sendall(opening)
            while time.monotonic() - began < seconds:
                try:
                    if piece:
                        connection.sendall(piece)
                    if not (heard := connection.recv(65536)):
                        break
                    back += heard
                except TimeoutError:
                    continue
            else:
                raise AssertionError(f"still open after {seconds} s")
        except (ConnectionResetError, BrokenPipeError):
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", back)], time.monotonic() - began


SLOW = {
    "nothing at all": (b"", b"", 0.2, {408}),
    "headers a byte at a time": (lines("Content-Length: 0")[:-2] + b"X-Slow: ", b"x", 0.2, {408}),
    "blank lines without end": (b"", b"\r\n", 0.2, {408}),
    "body that never comes": (lines("Content-Length: 5000"), b"", 0.2, {408}),
    "body a byte at a time": (lines("Content-Length: 5000"), b"x", 0.2, {408}),
    "100-continue never followed": (lines("Content-Length: 5000", "Expect: 100-continue"), b"", 0.2, {100, 408}),
    "chunked body without end": (lines(CHUNKED), b"1\r\nx\r\n", 0.05, {408}),
    "headers without end": (lines("Content-Length: 0")[:-2], b"X-Long: " + b"x" * 60_000 + b"\r\n", 0, {400, 431}),
    "chunk extension without end": (lines(CHUNKED) + b"1;", b"x" * 65_536, 0, {431}),
    "trailers without end": (lines(CHUNKED) + b"0\r\n", b"X: y\r\n" * 5_000, 0, {431}),
}


def resident(estate: Estate) -> int:
    """Bytes the server process has in memory now."""
    status = Path(f"/proc/{estate.started['serve'].pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@pytest.mark.parametrize("name", SLOW)
def test_thirty_two_slow_or_endless_senders_at_once(caller: Caller, name: str) -> None:
    opening, piece, pause, statuses = SLOW[name]
    server = caller.estate
    before = resident(server)
    with ThreadPoolExecutor(32) as pool:
        running = [pool.submit(drip, server, opening, piece, pause, 2 * PATIENCE + 4) for _ in range(32)]
        time.sleep(PATIENCE / 2)
        assert post(server.url, "/health/live", b"", {}, "GET").status == 200, "others are served meanwhile"
        during = resident(server)
        told = [future.result() for future in running]
    for heard, took in told:
        assert set(heard) <= statuses
        assert took < 2 * PATIENCE + 3
    assert any(heard for heard, _ in told), "most of them hear why"
    assert max(during, resident(server)) - before < 30 * MEGABYTE


def test_large_bodies_without_end_at_once_cost_bounded_memory(caller: Caller) -> None:
    """32 senders of 1 MB chunks for ever: each is cut at the limit of a body, all together at the limit of the house."""
    server = caller.estate
    chunk = b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"
    with ThreadPoolExecutor(32) as pool:
        told = list(pool.map(lambda _: drip(server, lines(CHUNKED), chunk, 0, 40), range(32)))
    assert {status for heard, _ in told for status in heard} <= {500, 408}, "too large, or busy, or too slow on this machine"
    assert server.peak_memory() < 600 * MEGABYTE


def test_connections_are_bounded_and_the_longest_idle_makes_room(caller: Caller) -> None:
    server = caller.estate
    open_connections = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(CONNECTIONS + 20)]
    try:
        assert post(server.url, "/health/live", b"", {}, "GET").status == 200, "a newcomer is served at once"
        until(lambda: sum(closed(connection) for connection in open_connections) >= 20, 2, "closing the oldest")
        assert not closed(open_connections[-1]), "the newest are let be"
        assert closed(open_connections[0])
    finally:
        for connection in open_connections:
            connection.close()


def closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_all_connections_at_work_leave_a_newcomer_with_503(caller: Caller) -> None:
    server = caller.estate
    at_work = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(CONNECTIONS)]
    try:
        for connection in at_work:
            connection.sendall(lines("Content-Length: 5000"))
        time.sleep(0.3)
        assert talk(server, lines("Content-Length: 0"))[0] in ([503], [])
    finally:
        for connection in at_work:
            connection.close()
    until(server.ready)


def test_an_honest_declaration_after_all_that(server: Estate) -> None:
    honest = Caller(server, "trader02")
    assert honest.post(honest.submission(honest.declare("HONEST-2")), XML).sys_ref
