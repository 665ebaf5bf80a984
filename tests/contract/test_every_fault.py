"""Every fault the door can tell: its bytes in a golden file of our own, its validity by our XSD, its line in the documentation.

`BRAMA_GOLDEN=write` writes the golden files anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from lxml import etree

from gateway.codes import CODES
from gateway.endpoints.soap import reply
from gateway.endpoints.soap.addressing import Addressing
from gateway.errors import GatewayError
from gateway.faults import soap_fault
from tests.contract.test_soap_replies import schema
from tests.soap_requests import SOAP, WSA

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden" / "faults"
PAGE = (ROOT / "docs/reference/faults.md").read_text("utf-8")
TOLD = [code for code, entry in CODES.items() if entry.verdict == "fault" and not code.startswith("reply.")] + ["unexpected"]
REQUEST = Addressing(WSA, "AcceptDocument", "urn:uuid:11111111-2222-4333-8444-555555555555", "http://x/")
#: what the texts are filled with; a `?` in a golden file means that a name is missing here
SAMPLE = {
    **{
        "size": 15728641,
        "limit": 15728640,
        "count": 2,
        "line": 3,
        "column": 14,
        "seconds": 2,
        "value": "> 64",
        "what": "depth of elements",
    },
    **{"detail": "it is cut off", "detail_pl": "jest ucięta", "header": "Vital", "mime": "application/pdf", "operation": "GetDocuments"},
    **{"root": "CC015C", "namespace": "urn:x", "edition": "P5", "date": "2026-03-01", "current": "P6", "systems": "NCTS2, AIS"},
    **{"encoding": "utf-7", "reason_pl": "Awaria sieci.", "reason_en": "Network down.", "name": "pobrany", "system": "X", "known": "NCTS2"},
    **{"kind": "KeyError"},
}


def fault(code: str) -> bytes:
    """As it goes out, but for its own MessageID."""
    error = RuntimeError("secret") if code == "unexpected" else GatewayError(code, **SAMPLE)
    body = reply.fault(None if code.startswith("addressing") else REQUEST, "AcceptDocument", soap_fault(error))
    return re.sub(rb"(<MessageID[^>]*>urn:uuid:)[0-9a-f-]{36}", rb"\g<1>NEW", body)


@pytest.mark.parametrize("code", TOLD)
def test_golden(code: str) -> None:
    path = GOLDEN / f"{code}.xml"
    if os.environ.get("BRAMA_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fault(code) + b"\n")
    assert fault(code) + b"\n" == path.read_bytes()
    assert b">?" not in fault(code)
    assert b" ? " not in fault(code), "give SAMPLE what the text asks for"


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(TOLD)


@pytest.mark.parametrize("code", TOLD)
def test_every_fault_is_a_fault_of_soap_1_1_and_of_the_contract(code: str) -> None:
    (told,) = etree.fromstring(fault(code)).findall(f"{{{SOAP}}}Body/{{{SOAP}}}Fault")
    assert [child.tag for child in told] in (["faultcode", "faultstring"], ["faultcode", "faultstring", "detail"])
    prefix, _, local = (told[0].text or "").partition(":")
    assert told[0].nsmap[prefix]
    assert local
    assert told[1].text
    for edition in ("wsdl", "wsdl=2014"):
        for entry in told.iterfind("detail/*"):
            assert schema(edition).validate(entry)


@pytest.mark.parametrize("code", TOLD)
def test_every_fault_is_documented_with_cause_and_cure_in_two_languages(code: str) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(code)}` \| (.*) \|$", PAGE, re.MULTILINE)
    polish, english = row.split(" | ")
    if code != "unexpected":
        assert polish == CODES[code].pl
        assert english == CODES[code].en
    section = next(part for part in PAGE.split("\n## ") if f"| `{code}` |" in part)
    told = soap_fault(RuntimeError() if code == "unexpected" else GatewayError(code))
    assert told.code[1] in section
    assert "HTTP 500" in section
    assert f"errorCode `{told.error_code}`" in section or told.kind == "plain"
    assert ("`Retry-After`" in section) == bool(told.retry_after)


RAISED = re.compile(r"\b(?:Rejected|Deferred|Failed)\(\s*\"([a-z_]+\.[a-z_]+)\"")


@pytest.mark.parametrize(
    "file",
    [
        *sorted((ROOT / "gateway/endpoints/soap").glob("*.py")),
        *(
            ROOT / "gateway" / name
            for name in ("asgi.py", "steps/receive.py", "reading.py", "storage/polling.py", "storage/search.py", "storage/emergency.py")
        ),
    ],
    ids=lambda file: file.name,
)
def test_whatever_the_door_raises_has_words_of_its_own(file: Path) -> None:
    """None of it may end as `unexpected`."""
    for code in RAISED.findall(file.read_text("utf-8")):
        assert code in TOLD, f"{file.name}: {code} is no fault by the catalogue"
        assert soap_fault(GatewayError(code)) != soap_fault(RuntimeError()), f"{code} has no row in gateway/faults.py"


def test_the_pattern_above_still_finds_them() -> None:
    found = {code for file in (ROOT / "gateway/endpoints/soap").glob("*.py") for code in RAISED.findall(file.read_text("utf-8"))}
    assert len(found) > 10
    assert {"addressing.missing", "policy.no_token", "token.refused", "receive.too_many_calls", "receive.no_content"} <= found
