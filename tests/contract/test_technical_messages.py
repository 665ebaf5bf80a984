"""Every technical message is valid by our schema, carries a seal that others verify, and names the trader's message."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import xmlsec
from lxml import etree

from gateway.channels.lapses import GRACE
from gateway.database import Database
from gateway.legal_time import end_of_period, local
from gateway.security.keys import load_trust
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Verifier
from gateway.security.xml import parse
from gateway.technical import CRD, SERVING, UPO
from tests.serving import House, informations

DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[House]:
    """A house in which every technical message was made once. Its UPO is the gateway's."""
    folder = tmp_path_factory.mktemp("technical")
    shutil.copy(migrated, folder / "brama.db")
    database = Database(f"sqlite:///{folder / 'brama.db'}")
    house = House(folder / "house", database, "CC060C", receipt="gateway")
    house.declare("L1")
    (job,) = house.channel.claim(1, house.clock.at)
    house.channel.delivered(job, house.clock.at, "HTTP 202", ())
    house.answer(house.decision("L1"))
    issued = house.clock.at
    house.scheduler().run(end_of_period(issued, 7))
    house.scheduler().run(end_of_period(issued, 14) + GRACE)
    house.clock.pass_(hours=1)
    house.declare("L2")
    house.answer(house.decision("L2", "D-2"))
    house.send(house.sign(house.last("UPD")))
    house.send(house.last("UPD"))  # not signed by anybody but us: refused
    yield house
    database.engine.dispose()


KINDS = {
    "UPP": f"{{{CRD}}}Dokument",
    "NPP": f"{{{CRD}}}Dokument",
    "UPD": f"{{{CRD}}}Dokument",
    "Zawiadomienie": f"{{{CRD}}}Dokument",
    "PND": f"{{{CRD}}}Dokument",
    "UPO": f"{{{UPO}}}UPO",
}


def test_every_kind_was_made(house: House) -> None:
    assert set(KINDS) <= set(house.kinds())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_valid_by_our_schema(house: House, kind: str) -> None:
    root = parse(house.last(kind))
    assert root.tag == KINDS[kind]
    found = house.schemas.catalogue.find(str(root.tag), house.clock.at, "SEAP")
    assert house.schemas.validate(found, root) == ()
    broken = parse(house.last(kind))
    first = broken[0] if root.tag.endswith("Dokument") else broken
    first.remove(first[1])
    assert house.schemas.validate(found, broken), "the schema looks at what is inside"


@pytest.mark.parametrize("kind", KINDS)
def test_its_seal_verifies_with_our_own_verifier(house: House, kind: str) -> None:
    verifier = Verifier(load_trust(house.settings.keys), NoRevocation())
    _, report = verifier.verify(verifier.set_aside(parse(house.last(kind))), house.clock.at)
    assert (report.form, report.signer.subject) == ("XAdES-BES", "CN=Brama seal,O=Brama,C=PL")


def verified_by_libxmlsec(house: House, root: etree._Element, signature: etree._Element) -> None:
    """Raises xmlsec.Error."""
    xmlsec.tree.add_ids(root, ["Id"])
    manager = xmlsec.KeysManager()
    for anchor in (house.settings.keys / "trust").glob("*.pem"):
        manager.load_cert(str(anchor), xmlsec.constants.KeyDataFormatPem, xmlsec.constants.KeyDataTypeTrusted)
    xmlsec.SignatureContext(manager).verify(signature)


@pytest.mark.parametrize("kind", KINDS)
def test_its_seal_verifies_with_libxmlsec(house: House, kind: str) -> None:
    content = house.last(kind)
    root = etree.fromstring(content)
    verified_by_libxmlsec(house, root, root[-1])
    spoilt = etree.fromstring(content.replace(b"Brama</", b"Drama</", 1))
    with pytest.raises(xmlsec.Error):
        verified_by_libxmlsec(house, spoilt, spoilt[-1])


def test_both_signatures_of_the_returned_upd_verify_with_libxmlsec(house: House) -> None:
    """The trader's as it stands; the office's when his is taken away, as it was made before."""
    root = etree.fromstring(house.sign(house.last("UPD")))
    office, trader = root.findall(f"{DS}Signature")
    verified_by_libxmlsec(house, root, trader)
    root.remove(trader)
    verified_by_libxmlsec(house, root, office)


def sys_refs(house: House) -> set[str]:
    return {found for name, content in house.mail() if name == "UPP.xml" for found in informations(content, "idDokumentuSEAP")}


@pytest.mark.parametrize("kind", ["UPD", "Zawiadomienie", "PND"])
def test_it_names_the_message_it_belongs_to_and_the_held_document(house: House, kind: str) -> None:
    content = house.last(kind)
    assert set(informations(content, "KorelacjaSysref")) < sys_refs(house)
    assert len(informations(content, "idDokumentuSEAP")) == len(informations(content, "SkrotSHA256")) == 1
    assert etree.fromstring(content).findtext(".//{*}IdentyfikatorDokumentu", "").startswith("CC060C_D-")


def test_the_dates_of_the_pnd_are_legal_time(house: House) -> None:
    root = etree.fromstring(house.last("PND"))[0]
    given = {name: root.findtext(f"{{{SERVING}}}{name}") for name in ("DataUdostepnienia", "TerminOdbioru", "DataUtworzeniaPoswiadczenia")}
    issued = house.clock.at - timedelta(hours=1)
    due = end_of_period(issued, 14)
    assert given == {
        "DataUdostepnienia": local(issued),
        "TerminOdbioru": local(due),
        "DataUtworzeniaPoswiadczenia": local(due + GRACE),
    }


def test_the_upo_says_what_was_taken_and_when(house: House) -> None:
    """Fields of facts 2.2."""
    root = etree.fromstring(next(content for name, content in house.mail() if name.startswith("UPO_")))
    texts = {etree.QName(e).localname: e.text for e in root.iter() if len(e) == 0 and etree.QName(e).namespace == UPO}
    assert texts["NumerIdentyfikacyjny"] == f"UPO-{texts['IdentyfikatorECIPSEAP']}"
    assert texts["IdentyfikatorECIPSEAP"] in sys_refs(house)
    assert (texts["NazwaPodmiotuWydajacego"], texts["NazwaSystemuWydajacego"]) == ("Brama", "NCTS2")
    assert texts["NrWlasny"] == "M-L1"
    assert [e.get("Jezyk") for e in root.iter(f"{{{UPO}}}Tekst")] == ["PL", "ENG"]
    assert root.findtext(f".//{{{UPO}}}Rodzaj") == "INFO"
