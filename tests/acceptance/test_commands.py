"""Issue section *What must be there*: the commands, their JSON shapes and exit codes, run as an operator runs them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.caller import Caller, unsigned
from tests.acceptance.estate import Estate, password, until


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, spare: Callable[[], Caller], house: Estate) -> Path:
    good = Caller(house, "trader00").declare("CLI-1")
    (tmp_path / "good.xml").write_bytes(good)
    (tmp_path / "bad.xml").write_bytes(good.replace(b"<declarationType>", b"<declarationType>NOT-A-TYPE-"))
    (tmp_path / "broken.xml").write_bytes(good[:-5])
    (tmp_path / "unsigned.xml").write_bytes(unsigned("CLI-2"))
    return tmp_path


def test_schemas_validate(house: Estate, folder: Path) -> None:
    good = house.brama("schemas", "validate", str(folder / "good.xml"), "--system", "NCTS2", "--json")
    assert good.returncode == 0, good.stderr
    (verdict,) = lines(good)
    assert {"file", "root", "edition", "valid", "errors"} <= verdict.keys()
    assert (verdict["file"], verdict["valid"], verdict["errors"]) == (str(folder / "good.xml"), True, [])
    assert verdict["root"].endswith("CC015C")
    whole = house.brama("schemas", "validate", str(folder), "--system", "NCTS2", "--json")
    assert whole.returncode == 1
    verdicts = {Path(v["file"]).name: v for v in lines(whole)}
    assert {name: v["valid"] for name, v in verdicts.items()} == {
        "good.xml": True,
        "bad.xml": False,
        "broken.xml": False,
        "unsigned.xml": True,
    }
    (error,) = verdicts["bad.xml"]["errors"]
    assert {"line", "column", "path", "code", "pl", "en"} <= error.keys()
    assert error["line"] > 1
    assert "declarationType" in error["path"]
    assert error["pl"] != error["en"]
    assert house.brama("schemas", "validate", str(folder / "good.xml"), "--system", "NIC", "--json").returncode == 2
    missing = house.brama("schemas", "validate", str(folder / "none.xml"), "--system", "NCTS2", "--json")
    assert missing.returncode == 2
    assert "none.xml" in missing.stdout + missing.stderr


def test_schemas_list_shows_memory(house: Estate) -> None:
    editions = lines(house.brama("schemas", "list", "--json"))
    p5 = next(e for e in editions if (e["system"], e["edition"]) == ("NCTS2", "P5"))
    assert p5["memory"] > 0
    assert p5["grammars"] == 1, "one grammar per edition and namespace, never one per root"
    roots = {d["root"].rpartition("}")[2] for d in p5["documents"]}
    assert {"CC015C", "CC013C", "CC014C", "CC928C", "CC028C", "CC029C", "CC056C", "CC060C", "CC906C", "CC917C"} <= roots


def test_signatures_verify(house: Estate, folder: Path) -> None:
    trust = ["--trust", str(house.home / "keys" / "trust"), "--json"]
    good = house.brama("signatures", "verify", str(folder / "good.xml"), *trust)
    assert good.returncode == 0, good.stderr
    (verdict,) = lines(good)
    assert (verdict["file"], verdict["valid"], verdict["signed"]) == (str(folder / "good.xml"), True, verdict["signed"])
    assert "CC015C" in verdict["signed"]
    assert "trader00" in verdict["signer"]
    assert verdict["revocation"] == "not checked (policy none)"
    both = house.brama("signatures", "verify", str(folder / "good.xml"), str(folder / "unsigned.xml"), *trust)
    assert both.returncode == 1
    assert [v["valid"] for v in lines(both)] == [True, False]
    refused = lines(both)[1]
    assert refused["code"] == "signature.missing"
    assert len(refused["reason"]) > 20
    tampered = folder / "tampered.xml"
    tampered.write_bytes((folder / "good.xml").read_bytes().replace(b"CLI-1", b"CLI-X"))
    assert lines(house.brama("signatures", "verify", str(tampered), *trust))[0]["code"] == "signature.digest"
    assert house.brama("signatures", "verify", str(folder / "none.xml"), *trust).returncode == 2
    assert house.brama("signatures", "verify", str(folder / "good.xml"), "--trust", str(folder / "none.pem")).returncode == 2
    later = house.brama("signatures", "verify", str(folder / "good.xml"), *trust, "--at", "2099-01-01T00:00:00Z")
    assert later.returncode == 1
    assert lines(later)[0]["code"] == "certificate.expired"


def test_a_receipt_verifies_by_the_command(house: Estate, trader: Caller, tmp_path: Path) -> None:
    trader.submit(trader.declare("SILENT-CLI-UPP"))
    (receipt,) = trader.drain()
    (tmp_path / "upp.xml").write_bytes(receipt.content)
    done = house.brama("signatures", "verify", str(tmp_path / "upp.xml"), "--trust", str(house.home / "keys" / "trust"), "--json")
    assert done.returncode == 0
    assert "Brama seal" in lines(done)[0]["signer"]


def test_messages_list_and_show(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("CLI-MESSAGES"))
    refused = trader.submit(unsigned("CLI-REFUSED"))
    listed = {m["sys_ref"]: m for m in house.brama_json("messages", "list", "--limit", "5")}
    assert {"sys_ref", "received_at", "system", "edition", "document", "lrn", "state", "code", "delivery"} <= listed[sys_ref].keys()
    assert (listed[sys_ref]["state"], listed[sys_ref]["document"], listed[sys_ref]["lrn"]) == ("accepted", "CC015C", "CLI-MESSAGES")
    assert (listed[refused]["state"], listed[refused]["code"]) == ("refused", "signature.missing")
    assert {m["state"] for m in house.brama_json("messages", "list", "--state", "refused")} == {"refused"}
    unknown = house.brama("messages", "show", "00000000-0000-0000-0000-000000000000")
    assert unknown.returncode == 1
    assert "messages list" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_dead_letters_list_show_retry(house: Estate, trader: Caller) -> None:
    sys_ref = trader.submit(trader.declare("CLI-REFUSE"))

    def letter() -> dict[str, Any] | None:
        return next((d for d in house.brama_json("dead-letters", "list", "--system", "NCTS2") if d["sys_ref"] == sys_ref), None)

    found = until(letter, what="the dead letter")
    shown = house.brama_json("dead-letters", "show", str(found["id"]))
    assert {"code", "stage", "attempts", "first_error", "last_error", "fingerprint"} <= shown.keys()
    assert (shown["code"], shown["stage"], shown["attempts"]) == ("deliver.refused", "deliver", 1)
    retried = house.brama("dead-letters", "retry", str(found["id"]), "--json")
    assert (retried.returncode, json.loads(retried.stdout)) == (0, {"retried": [found["id"]], "left": []})
    again = until(lambda: (new := letter()) and new["id"] != found["id"] and new, what="the second refusal")
    assert again["fingerprint"] == found["fingerprint"], "the same trouble has the same fingerprint"
    assert {e["sha256"] for e in house.at_authority("arrivals", sys_ref)} == {house.at_authority("arrivals", sys_ref)[0]["sha256"]}
    closed = house.brama("dead-letters", "retry", str(found["id"]), "--json")
    assert (closed.returncode, json.loads(closed.stdout)) == (1, {"retried": [], "left": [found["id"]]})
    assert house.brama("dead-letters", "show", "999999").returncode == 1
    assert house.brama("dead-letters", "retry").returncode == 2
    unexplained = house.brama("dead-letters", "discard", str(again["id"]))
    assert unexplained.returncode == 2
    assert "--why" in unexplained.stderr


def test_a_wrong_setting_is_one_plain_sentence(own: Callable[..., Estate]) -> None:
    estate = own(broker_url="amqp://nowhere")
    for command in (["messages", "list"], ["serve"], ["worker"]):
        done = estate.brama(*command)
        assert done.returncode == 2
        assert "BRAMA_BROKER_URL" in done.stderr
        assert "Traceback" not in done.stderr


def test_neither_secrets_nor_documents_are_in_logs_or_output(house: Estate, another: Callable[[], Caller]) -> None:
    """After whatever the tests before have done to the same processes, and a few of every kind here."""
    trader = another()
    accepted = trader.submit(trader.declare("LOGS-1"))
    trader.collect("CC029C")
    trader.submit(trader.declare("LOGS-REFUSE-2"))
    trader.submit(unsigned("LOGS-3").replace(b"<declarationType>", b"<declarationType>NOT-A-TYPE-"))
    trader.send(b"<x>Wytw\xc3\xb3rnia Pr\xc3\xb3bna</x>")
    trader.send(trader.declare("LOGS-4"), token=trader.token(password="inne-tajne-haslo"))
    until(lambda: "deliver.refused" in house.log("worker"))
    texts = {name: house.log(name) for name in ("serve", "worker", "authority")}
    texts["messages show"] = house.brama("messages", "show", accepted).stdout
    texts["messages list"] = house.brama("messages", "list", "--json").stdout
    texts["dead letters"] = house.brama("dead-letters", "list", "--all", "--json").stdout
    assert "soap.refused" in texts["serve"]
    assert "delivered" in texts["worker"]
    secret = (house.home / "authority.secret").read_text()
    forbidden = [*(password(f"trader{n:02}") for n in range(house.persons)), "inne-tajne-haslo", secret, "PRIVATE KEY"]
    forbidden += ["<TransitOperation", "Wytwórnia Próbna", "Łożyska kulkowe", "PasswordDigest", "<wsse:"]
    assert {name: [word for word in forbidden if word in text] for name, text in texts.items()} == {name: [] for name in texts}
    for line in texts["serve"].splitlines() + texts["worker"].splitlines():
        assert json.loads(line)["event"], "one JSON object a line, with one event name"
