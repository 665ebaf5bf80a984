"""The simulated transit authority as a real process, with a small gateway that takes its answers."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from lxml import etree

from adapters.ncts.adapter import NctsAdapter
from adapters.ncts.samples import cc015c, check_digit
from adapters.ncts.scenarios import SCENARIOS
from adapters.proof import Secrets
from gateway.errors import Deferred, Failed, GatewayError, Rejected
from gateway.message import Answer, Taken
from tests.corpora import CORPORA
from tests.transit import SECRET, SECRETS, SENDER, StrictParser, declaration, job, ncts2

Outcome = Taken | GatewayError
XSD = CORPORA / "ncts-p5-51.8.6" / "xsd"


class Gateway:
    """Takes `POST /systems/NCTS2/answers`, proves the caller as the gateway would, and keeps the answers in order."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.garbage: list[bytes] = []
        self.forged = 0
        self.refuse_next = 0
        self._adapter = NctsAdapter(ncts2(), "http://127.0.0.1:9", SECRETS, StrictParser())
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(gateway.take(self.path, headers, body))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if path != "/systems/NCTS2/answers":
            return 404
        if self.refuse_next:
            self.refuse_next -= 1
            return 503
        try:
            self._adapter.authenticate(headers, body, datetime.now(UTC))
            self.answers.append(self._adapter.read_answer(body))
        except Rejected:
            self.forged += 1
            return 401
        except Failed:
            self.garbage.append(body)
            return 422
        return 200

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def roots(self, count: int) -> list[str]:
        until(lambda: len(self.answers) >= count)
        return [answer.root for answer in self.answers]


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


class Simulator:
    """The process, and its control."""

    def __init__(self, gateway: str, secret: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "adapters.ncts.simulator",
            "--gateway",
            gateway,
            "--secret-file",
            str(secret),
            "--speed",
            "20",
            *options,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        assert ready["event"] == "ready"
        self.url: str = ready["address"]

    def log(self) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = httpx.get(f"{self.url}/control/log").json()
        return found

    def outcomes(self) -> list[object]:
        return [arrival["outcome"] for arrival in self.log()["arrivals"]]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(10)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    return file


@pytest.fixture
def simulator(gateway: Gateway, secret: Path) -> Iterator[Simulator]:
    simulator = Simulator(gateway.url, secret)
    yield simulator
    simulator.stop()
    assert simulator.process.returncode in (0, -signal.SIGTERM)


def send(simulator: Simulator, sys_ref: str, content: bytes, times: int = 1, secrets: Secrets = SECRETS) -> list[Outcome]:
    async def run() -> list[Outcome]:
        adapter = NctsAdapter(ncts2(), f"{simulator.url}/messages", secrets, StrictParser())
        outcomes: list[Outcome] = []
        for _ in range(times):
            try:
                outcomes.append(await adapter.deliver(adapter.request(job(sys_ref, content))))
            except GatewayError as error:
                outcomes.append(error)
        await adapter.close()
        return outcomes

    return asyncio.run(run())


def code(outcome: Outcome) -> str:
    return outcome.code if isinstance(outcome, GatewayError) else "duplicate" if outcome.duplicate else "taken"


def test_a_declaration_is_acknowledged_numbered_and_released(simulator: Simulator, gateway: Gateway) -> None:
    assert [code(outcome) for outcome in send(simulator, "SR1", declaration("L1"))] == ["taken"]
    assert gateway.roots(3) == ["CC928C", "CC028C", "CC029C"]
    for answer in gateway.answers:
        assert answer.keys.correlation_id == "M-L1"
        assert answer.keys.recipient == SENDER
        assert answer.keys.lrn == "L1"
    numbers = {answer.keys.mrn for answer in gateway.answers[1:]}
    assert len(numbers) == 1
    number = numbers.pop() or ""
    assert len(number) == 18
    assert number[-1] == str(check_digit(number[:-1]))
    assert len({answer.keys.message_id for answer in gateway.answers}) == 3
    assert gateway.forged == 0


@pytest.mark.skipif(not XSD.is_dir(), reason="the published NCTS schemas are not on this machine")
def test_every_answer_conforms_to_the_published_schemas(simulator: Simulator, gateway: Gateway) -> None:
    for lrn in ("L1", "L2CTL", "L3REJ"):
        send(simulator, f"SR-{lrn}", cc015c(lrn, f"M-{lrn}", SENDER))
    send(simulator, "SR-A", declaration("L1", "amend", "CC013C"))
    send(simulator, "SR-I", declaration("L1", "annul", "CC014C"))
    assert set(gateway.roots(11)) == {"CC928C", "CC028C", "CC029C", "CC060C", "CC056C", "CC004C", "CC009C"}
    parser = etree.XMLParser()
    for answer in gateway.answers:
        schema = etree.XMLSchema(etree.parse(str(XSD / f"{answer.root.lower()}.xsd"), parser))
        schema.assertValid(etree.fromstring(answer.content))


def test_a_second_arrival_is_a_duplicate_and_has_no_second_effect(simulator: Simulator, gateway: Gateway) -> None:
    assert [code(outcome) for outcome in send(simulator, "SR1", declaration("L1"), times=3)] == ["taken", "duplicate", "duplicate"]
    gateway.roots(3)
    time.sleep(0.1)
    log = simulator.log()
    assert len(log["arrivals"]) == 3
    assert [effect["request_id"] for effect in log["effects"]] == ["SR1"]
    assert len(gateway.answers) == 3


def test_other_bytes_under_a_used_id_are_refused(simulator: Simulator) -> None:
    send(simulator, "SR1", declaration("L1"))
    assert code(send(simulator, "SR1", declaration("L1", "other"))[0]) == "deliver.refused"
    assert code(send(simulator, "SR2", declaration("L9", "M-L1"))[0]) == "deliver.refused"
    assert len(simulator.log()["effects"]) == 1


def test_a_lost_reply_leaves_doubt_and_the_retry_finds_it_done(simulator: Simulator, gateway: Gateway) -> None:
    assert [code(outcome) for outcome in send(simulator, "SR1", declaration("L1LOST"), times=2)] == ["deliver.in_doubt", "duplicate"]
    assert simulator.outcomes() == ["lost", "duplicate"]
    assert len(simulator.log()["effects"]) == 1
    assert gateway.roots(3) == ["CC928C", "CC028C", "CC029C"]


def test_twice_gives_the_same_bytes_again(simulator: Simulator, gateway: Gateway) -> None:
    send(simulator, "SR1", declaration("L1TWICE"))
    assert gateway.roots(6) == ["CC928C", "CC928C", "CC028C", "CC028C", "CC029C", "CC029C"]
    assert gateway.answers[0].content == gateway.answers[1].content


def test_order_gives_the_release_first(simulator: Simulator, gateway: Gateway) -> None:
    send(simulator, "SR1", declaration("L1ORDER"))
    assert gateway.roots(3) == ["CC029C", "CC028C", "CC928C"]


def test_rejection_and_control(simulator: Simulator, gateway: Gateway) -> None:
    send(simulator, "SR1", declaration("L1REJ"))
    assert gateway.roots(2) == ["CC928C", "CC056C"]
    send(simulator, "SR2", declaration("L2CTL"))
    assert gateway.roots(6)[2:] == ["CC928C", "CC028C", "CC060C", "CC029C"]


def test_silence_and_garbage(simulator: Simulator, gateway: Gateway) -> None:
    send(simulator, "SR1", declaration("L1SILENT"))
    send(simulator, "SR2", declaration("L2GARBAGE"))
    assert gateway.roots(3) == ["CC928C", "CC028C", "CC029C"]
    assert {answer.keys.lrn for answer in gateway.answers} == {"L2GARBAGE"}
    assert len(gateway.garbage) == 1
    assert [answer["state"] for answer in simulator.log()["answers"]] == ["refused", "given", "given", "given"]


def test_slow_answers_the_call_late(simulator: Simulator) -> None:
    before = time.monotonic()
    assert code(send(simulator, "SR1", declaration("L1SLOW"))[0]) == "taken"
    assert time.monotonic() - before >= 2.0 / 20


def test_down_until_repaired(simulator: Simulator, gateway: Gateway) -> None:
    assert code(send(simulator, "SR1", declaration("L1DOWN"))[0]) == "deliver.unavailable"
    assert code(send(simulator, "SR2", declaration("L2"))[0]) == "taken"
    httpx.post(f"{simulator.url}/control/down")
    assert code(send(simulator, "SR3", declaration("L3"))[0]) == "deliver.unavailable"
    assert httpx.get(f"{simulator.url}/health").json()["down"] is True
    httpx.post(f"{simulator.url}/control/up")
    assert code(send(simulator, "SR1", declaration("L1DOWN"))[0]) == "taken"
    assert code(send(simulator, "SR3", declaration("L3"))[0]) == "taken"
    assert simulator.outcomes() == ["unavailable", "taken", "unavailable", "taken", "taken"]
    assert [effect["request_id"] for effect in simulator.log()["effects"]] == ["SR2", "SR1", "SR3"]


def test_refusals_say_why(simulator: Simulator) -> None:
    refused = send(simulator, "SR1", declaration("L1REFUSE"))[0]
    assert code(refused) == "deliver.refused"
    assert "14 rule violated" in str(refused)
    assert code(send(simulator, "SR2", b"no xml")[0]) == "deliver.refused"
    assert code(send(simulator, "SR3", b"<unknown/>")[0]) == "deliver.refused"
    assert simulator.log()["effects"] == []


def test_a_request_without_the_right_secret_has_no_effect(simulator: Simulator) -> None:
    assert code(send(simulator, "SR1", declaration("L1"), secrets=Secrets((b"w" * 32,)))[0]) == "deliver.misconfigured"
    assert simulator.outcomes() == ["unauthenticated"]
    assert simulator.log()["effects"] == []


def test_answers_are_repeated_until_the_gateway_takes_them(simulator: Simulator, gateway: Gateway) -> None:
    gateway.refuse_next = 3
    send(simulator, "SR1", declaration("L1"))
    assert gateway.roots(3) == ["CC928C", "CC028C", "CC029C"]
    until(lambda: simulator.log()["answers"][0]["attempts"] == 4)


def test_a_killed_simulator_goes_on_with_its_answers(gateway: Gateway, secret: Path, tmp_path: Path) -> None:
    state = str(tmp_path / "simulator.db")
    gateway.refuse_next = 1_000_000
    first = Simulator(gateway.url, secret, "--state", state)
    assert code(send(first, "SR1", declaration("L1"))[0]) == "taken"
    first.stop(signal.SIGKILL)
    gateway.refuse_next = 0
    second = Simulator(gateway.url, secret, "--state", state)
    try:
        assert gateway.roots(3) == ["CC928C", "CC028C", "CC029C"]
        assert code(send(second, "SR1", declaration("L1"))[0]) == "duplicate"
        assert len(second.log()["effects"]) == 1
    finally:
        second.stop()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--speed", "0"], "greater than 0"),
        (["--listen", "nowhere"], "--listen HOST:PORT"),
        (["--secret-file", "/nonexistent"], "Put one random secret"),
        (["--state", "/nonexistent/x.db"], "--state FILE"),
    ],
)
def test_wrong_options_are_one_plain_sentence(options: list[str], says: str, secret: Path) -> None:
    command = [sys.executable, "-m", "adapters.ncts.simulator", "--gateway", "http://127.0.0.1:9", "--secret-file", str(secret), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_readme_shows_every_scenario() -> None:
    readme = (Path(__file__).parents[2] / "adapters" / "ncts" / "README.md").read_text()
    for scenario in SCENARIOS:
        assert f"| `{scenario.marker}` |" in readme


def test_a_retry_with_the_same_request_is_what_the_wire_saw(simulator: Simulator) -> None:
    send(simulator, "SR1", declaration("L1LOST"), times=2)
    first, second = simulator.log()["arrivals"]
    assert first["sha256"] == second["sha256"]
    assert first["request_id"] == second["request_id"] == "SR1"
    assert isinstance(send(simulator, "SR2", declaration("L2DOWN"))[0], Deferred)
