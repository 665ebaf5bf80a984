"""An official document's way to its addressee, with a clock of the test's: held, signed for, or deemed served."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from lxml import etree

from adapters.ncts.samples import cc015c
from gateway.channels.answers import AnswerDesk
from gateway.database import Database
from gateway.demo.people import AGENCY, ANNA, IMPORTER, JAN
from gateway.errors import Failed, Rejected
from gateway.legal_time import end_of_period
from gateway.steps.receive import receive
from tests.serving import CRD, House, held, informations, message, refused, serving


@pytest.fixture
def house(tmp_path: Path, database: Database) -> House:
    return House(tmp_path / "house", database, "CC060C")


# --- held ---------------------------------------------------------------------------------------------------------------


def test_a_served_answer_is_held_and_its_upd_lies_in_its_place(house: House) -> None:
    sys_ref = house.declare("L1")
    house.answer(house.allocation("L1"))
    decision = house.decision("L1")
    replied = house.answer(decision)
    assert (replied.sys_ref, replied.repeat) == (sys_ref, False)
    assert house.kinds() == ["UPP", "CC028C", "UPD"]
    row, upd = serving(house), house.last("UPD")
    assert (row.state, row.addressee, row.permission) == ("held", "PL852963741300000", "NCTS2/CC060C")
    assert row.due_at == end_of_period(house.clock.at, 14)
    assert informations(upd, "KorelacjaSysref") == [sys_ref]
    assert informations(upd, "idDokumentuSEAP") == [row.document_id] == [replied.document_id]
    assert informations(upd, "SkrotSHA256") == [hashlib.sha256(decision).hexdigest()]
    assert all(decision not in content for _, content in house.mail())


def test_the_same_answer_twice_is_held_once_also_after_it_was_released(house: House) -> None:
    decision = held(house)
    assert house.answer(decision).repeat is True
    house.send(house.sign(house.last("UPD")))
    assert house.answer(decision).repeat is True
    assert house.kinds() == ["UPP", "UPD", "UPP", "CC060C"]


def test_what_is_held_is_not_given_when_the_profile_changes_its_mind(house: House) -> None:
    decision = held(house)
    house.reprofile()
    assert house.answer(decision).repeat is True
    assert house.kinds() == ["UPP", "UPD"]


def test_without_a_seal_a_served_answer_is_refused_and_not_given(house: House) -> None:
    house.declare("L1")
    house.desk = AnswerDesk(house.database, house.profiles)
    with pytest.raises(Failed) as failure:
        house.answer(house.decision("L1"))
    assert failure.value.code == "reply.not_servable"
    assert house.kinds() == ["UPP"]


# --- signed -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False], ids=["behind the office's seal", "without the office's seal"])
def test_the_signed_upd_releases_the_document(house: House, whole: bool) -> None:
    decision = held(house)
    upd = house.last("UPD")
    if not whole:  # "UPD has one signature (party) or two (office, then party)"
        root = etree.fromstring(upd)
        root.remove(root[-1])
        upd = etree.tostring(root)
    house.clock.pass_(days=3)
    signed = house.sign(upd)
    proof = house.send(signed)
    assert house.kinds() == ["UPP", "UPD", "UPP", "CC060C"]
    assert house.last("CC060C") == decision
    row = serving(house)
    assert (row.state, row.closed_at, row.next_at) == ("signed", house.clock.at, None)
    assert row.proof == message(house, proof).id
    assert informations(house.last("UPP"), "idDokumentuSEAP") == [proof]


def test_a_line_break_before_the_second_signature_alters_nothing(house: House) -> None:
    held(house)
    house.send(house.sign(house.last("UPD").replace(b"</ds:Signature>", b"</ds:Signature>\n  ")))
    assert serving(house).state == "signed"


def test_the_same_signed_upd_again_is_the_same_message(house: House) -> None:
    held(house)
    signed = house.sign(house.last("UPD"))
    first = house.send(signed)
    house.clock.pass_(days=20)
    assert house.send(signed) == first
    assert house.kinds() == ["UPP", "UPD", "UPP", "CC060C"]


def test_a_second_signature_over_the_same_upd_is_told_that_it_was_signed(house: House) -> None:
    held(house)
    first = house.send(house.sign(house.last("UPD")))
    house.clock.pass_(minutes=1)
    npp = refused(house, house.sign(house.last("UPD")), "confirm.repeated")
    assert first in informations(npp, "PrzyczynaOdmowyEN")[0]
    assert house.kinds().count("CC060C") == 1


def test_two_at_once_release_it_once(house: House) -> None:
    """Judged before either is recorded: the recording transaction decides, as it does between processes."""
    held(house)
    signed = [house.sign(house.last("UPD")), house.sign(house.last("UPD").replace(b"<ds:Signature", b" <ds:Signature", 1))]
    accepting = house.accepting()
    calls = [receive(s, caller=house.caller(ANNA), door="soap", received_at=house.clock.at, limit=10**6) for s in signed]

    async def both() -> list[str]:
        return [r.sys_ref for r in await asyncio.gather(*(accepting.accept(call) for call in calls))]

    first, second = (message(house, sys_ref) for sys_ref in asyncio.run(both()))
    assert sorted((first.state, second.state)) == ["accepted", "refused"]
    assert {first.code, second.code} == {None, "confirm.repeated"}
    assert house.kinds().count("CC060C") == 1


# --- refused ------------------------------------------------------------------------------------------------------------


def changed(upd: bytes, name: str, value: str) -> bytes:
    root = etree.fromstring(upd)
    root.find(f".//{CRD}{name}").text = value  # type: ignore[union-attr]
    return etree.tostring(root)


def other_id(upd: bytes) -> bytes:
    """One attribute of the seal is another."""
    root = etree.fromstring(upd)
    root[1].set("Id", "another")
    return etree.tostring(root)


def test_an_altered_upd_releases_nothing(house: House) -> None:
    held(house)
    upd = house.last("UPD")
    for name in ("DataOdbioru", "DataUtworzeniaPoswiadczenia"):
        refused(house, house.sign(changed(upd, name, "2020-01-01T00:00:00Z")), "confirm.altered")
    refused(house, house.sign(changed(upd, "IdentyfikatorDokumentu", "harmless.xml")), "confirm.altered")
    refused(house, house.sign(other_id(upd)), "confirm.altered")
    assert serving(house).state == "held"
    assert "CC060C" not in house.kinds()


def test_another_seal_in_place_of_ours_releases_nothing(house: House) -> None:
    held(house)
    root = etree.fromstring(house.last("UPD"))
    root.remove(root[-1])
    twice = house.sign(house.sign(etree.tostring(root)))  # the trader's own signature where the office's belongs
    refused(house, twice, "confirm.altered")
    assert serving(house).state == "held"


def test_the_office_seal_alone_is_no_signature_of_the_addressee(house: House) -> None:
    held(house)
    refused(house, house.last("UPD"), "authorize.certificate_unknown")
    assert serving(house).state == "held"


def test_a_signature_over_the_upd_before_the_seal_was_there_does_not_cover_the_seal(house: House) -> None:
    """Taking the trader's signature of the bare UPD and putting the office's seal in front of it changes what is signed."""
    held(house)
    root = etree.fromstring(house.last("UPD"))
    seal = root[-1]
    root.remove(seal)
    signed = etree.fromstring(house.sign(etree.tostring(root)))
    signed.insert(1, seal)
    refused(house, etree.tostring(signed), "signature.digest")


def test_three_signatures_are_too_many(house: House) -> None:
    held(house)
    refused(house, house.sign(house.sign(house.last("UPD"))), "signature.multiple")


def test_two_signatures_stay_refused_on_every_other_document(house: House) -> None:
    twice = house.sign(house.sign(cc015c("L9", "M-L9", sender=AGENCY.eori, holder_eori=IMPORTER.eori)))
    refused(house, twice, "signature.multiple")


def test_an_upd_that_we_never_issued(house: House) -> None:
    held(house)
    refused(house, house.sign(changed(house.last("UPD"), "IdentyfikatorPoswiadczenia", "UPD-unknown")), "confirm.unknown")


def test_the_upd_of_one_document_releases_no_other(house: House) -> None:
    """The identifier of one, the content of another."""
    held(house, "L1")
    first = house.last("UPD")
    held(house, "L2")
    name = etree.fromstring(house.last("UPD")).findtext(f".//{CRD}IdentyfikatorPoswiadczenia")
    refused(house, house.sign(changed(first, "IdentyfikatorPoswiadczenia", name or "")), "confirm.altered")
    assert "CC060C" not in house.kinds()


def test_who_may_not_receive_for_the_addressee_releases_nothing(house: House) -> None:
    held(house)
    upd = house.last("UPD")
    refused(house, house.sign(upd, JAN), "authorize.link_lacks_permission", JAN)
    assert serving(house).state == "held"
    assert house.kinds(JAN) == ["NPP"]


def test_any_other_receipt_of_ours_is_for_the_administration_only(house: House) -> None:
    held(house)
    house.scheduler().run(house.clock.pass_(days=8))
    for kind in ("UPP", "Zawiadomienie"):
        with pytest.raises(Rejected) as refusal:
            house.send(house.sign(house.last(kind)))
        assert refusal.value.code == "identify.administration_only"
