"""The story the demonstration tells: each claim is checked as it happens, and a claim that does not hold is named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.ncts.samples import cc015c
from gateway.demo.house import House
from gateway.demo.people import AGENCY, ANNA, IMPORTER, JAN
from gateway.demo.trader import Collected, Trader
from gateway.errors import GatewayError
from gateway.security.keys import load_trust
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Verifier
from gateway.security.xml import HardenedParser

PATIENCE = 20.0  # seconds for anything that has to happen, unless the caller has less


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing the demonstration says of Brama, and whether it happened."""

    text: str
    held: bool
    detail: str


@dataclass
class Story:
    """Plays the scenes one after another. `tell` gets each claim as it is decided."""

    house: House
    tell: Callable[[Claim], None]
    patience: float = PATIENCE
    claims: list[Claim] = field(default_factory=list)
    sys_refs: dict[str, str] = field(default_factory=dict)

    def play(self) -> None:
        people = self.house.home / "people"
        self.anna = Trader(ANNA, self.house.url, people)
        self.jan = Trader(JAN, self.house.url, people)
        self._verifier = Verifier(load_trust(self.house.home / "keys"), NoRevocation())
        self._scene("the main job", self.scene_main_job)
        self._scene("a repeat", self.scene_repeat)
        self._scene("a schema error", self.scene_schema_error)
        self._scene("no permission", self.scene_without_permission)
        self._scene("the target is down", self.scene_target_down)

    def _scene(self, name: str, play: Callable[[], None]) -> None:
        """What breaks a scene is told like any other claim that does not hold, and the next scene is played."""
        try:
            play()
        except Exception as error:
            self.claim(f"the scene '{name}' is played to its end", False, f"{type(error).__name__}: {error}")

    def claim(self, text: str, held: bool, detail: str = "") -> None:
        claim = Claim(text, held, detail)
        self.claims.append(claim)
        self.tell(claim)

    # --- scenes -----------------------------------------------------------------------------------------------------

    def scene_main_job(self) -> None:
        self._declaration = self.anna.sign(self._declare("DEMO-1", "MSG-DEMO-1"))
        sys_ref = self._submit(self.anna, self._declaration, "declaration")
        self.claim("a signed CC015C is accepted and gets a sysRef", bool(sys_ref), sys_ref)
        documents = self._collect(self.anna, lambda got: "CC029C" in [d.kind for d in got])
        kinds = [d.kind for d in documents]
        self.claim("UPP, CC928C, CC028C, CC029C come back in this order", kinds == ["UPP", "CC928C", "CC028C", "CC029C"], ", ".join(kinds))
        receipts = [d for d in documents if d.kind == "UPP"]
        self.claim("the UPP names the sysRef", bool(receipts) and receipts[0].information("idDokumentuSEAP") == [sys_ref], sys_ref)
        self.claim("the UPP carries the gateway's valid XAdES seal", bool(receipts) and self._sealed(receipts[0]), self._seal_detail)
        mrn = next((d.root.findtext("TransitOperation/MRN") or "" for d in documents if d.kind == "CC028C"), "")
        self.claim("the CC028C brings the MRN", len(mrn) == 18, mrn)

    def scene_repeat(self) -> None:
        again = self._submit(self.anna, self._declaration, "")
        first = self.sys_refs["declaration"]
        self.claim("the same bytes again get the same sysRef", again == first, again)
        time.sleep(0.7)
        arrivals = self._at_authority("arrivals", first)
        self.claim("and are not delivered a second time", arrivals == 1, f"arrivals at the authority: {arrivals}")

    def scene_schema_error(self) -> None:
        wrong = self._declare("DEMO-2", "MSG-DEMO-2").replace(b"<declarationType>", b"<declarationType>NOT-A-TYPE-")
        sys_ref = self._submit(self.anna, self.anna.sign(wrong), "schema error")
        self._refusal(self.anna, sys_ref, "validate.schema", "declarationType")

    def scene_without_permission(self) -> None:
        sys_ref = self._submit(self.jan, self.jan.sign(self._declare("DEMO-3", "MSG-DEMO-3")), "no permission")
        self._refusal(self.jan, sys_ref, "authorize.", "NCTS2/CC015C")

    def scene_target_down(self) -> None:
        sys_ref = self._submit(self.anna, self.anna.sign(self._declare("DEMO-DOWN-4", "MSG-DEMO-4")), "target down")
        letter = self._await(lambda: next((d for d in self._json("dead-letters", "list") if d["sys_ref"] == sys_ref), None))
        tries = int(letter["attempts"]) if letter else 0
        self.claim("a declaration whose target is down is retried, then a dead letter", tries > 1, f"attempts: {tries}")
        if letter is None:
            return
        self.claim("`brama dead-letters list` says why", "unavailable" in letter["code"], letter["last_error"])
        self.house.control("up", post=True)
        done = self.house.brama("dead-letters", "retry", str(letter["id"]))
        self.claim(
            f"`brama dead-letters retry {letter['id']}` puts it back", done.returncode == 0, done.stdout.strip() or done.stderr.strip()
        )
        documents = self._collect(self.anna, lambda got: "CC029C" in [d.kind for d in got])
        self.claim("and it is delivered and answered", "CC029C" in [d.kind for d in documents], ", ".join(d.kind for d in documents))
        effects = self._at_authority("effects", sys_ref)
        self.claim("with exactly one effect at the authority", effects == 1, f"effects: {effects}")

    # --- what the scenes share --------------------------------------------------------------------------------------

    def _declare(self, lrn: str, message_id: str) -> bytes:
        return cc015c(lrn, message_id, sender=AGENCY.eori, holder_eori=IMPORTER.eori, at=datetime.now(UTC))

    def _submit(self, trader: Trader, document: bytes, name: str) -> str:
        sys_ref = trader.submit(document, "CC015C.xml")
        if name:
            self.sys_refs[name] = sys_ref
        return sys_ref

    def _collect(self, trader: Trader, enough: Callable[[list[Collected]], bool]) -> list[Collected]:
        documents: list[Collected] = []
        for document in trader.collect(self.patience):
            documents.append(document)
            if enough(documents):
                break
        return documents

    def _refusal(self, trader: Trader, sys_ref: str, code: str, mentions: str) -> None:
        documents = self._collect(trader, lambda got: bool(got))
        npp = documents[0] if documents and documents[0].kind == "NPP" else None
        self.claim(
            "it is answered with an NPP for its sysRef", npp is not None and npp.information("idDokumentuSEAP") == [sys_ref], sys_ref
        )
        if npp is None:
            return
        self.claim("the NPP is sealed like a UPP", self._sealed(npp), self._seal_detail)
        polish, english = npp.information("PrzyczynaOdmowy"), npp.information("PrzyczynaOdmowyEN")
        told = npp.information("KodPrzyczynyOdmowy")
        exact = bool(told) and told[0].startswith(code) and any(mentions in t for t in polish) and any(mentions in t for t in english)
        self.claim(f"it names the exact reason ({told[0] if told else '-'}) in Polish", exact, (polish or ["-"])[0])
        self.claim("and in English", exact and polish != english, (english or ["-"])[0])
        arrivals = self._at_authority("arrivals", sys_ref)
        self.claim("and nothing reached the authority", arrivals == 0, f"arrivals: {arrivals}")

    def _sealed(self, document: Collected) -> bool:
        try:
            candidate = self._verifier.set_aside(HardenedParser().parse(document.content))
            _, report = self._verifier.verify(candidate, datetime.now(UTC))
        except GatewayError as error:
            self._seal_detail = error.code
            return False
        self._seal_detail = f"{report.form}, {report.signer.subject}"
        return True

    _seal_detail = ""

    def _at_authority(self, what: str, sys_ref: str) -> int:
        entries: Any = self.house.control("log")[what]
        return sum(1 for entry in entries if entry["request_id"] == sys_ref)

    def _json(self, *arguments: str) -> Any:
        done = self.house.brama(*arguments, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else []

    def _await(self, look: Callable[[], Any]) -> Any:
        give_up = time.monotonic() + self.patience
        while time.monotonic() < give_up:
            if (found := look()) is not None:
                return found
            time.sleep(0.3)
        return None
