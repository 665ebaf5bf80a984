"""An official document's way to its addressee, with a clock of the test's: held, signed for, or deemed served."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import etree
from sqlalchemy import select

from adapters.ncts.samples import cc015c
from gateway.channels.answers import AnswerDesk
from gateway.channels.lapses import GRACE
from gateway.channels.tables import serving_papers, servings
from gateway.cli import main
from gateway.cli.output import WARSAW
from gateway.database import AnyRow, Database
from gateway.demo.people import AGENCY, ANNA, IMPORTER, JAN, Person
from gateway.errors import Failed, Rejected
from gateway.legal_time import end_of_period
from gateway.settings import Settings
from gateway.steps.receive import receive
from gateway.storage.tables import messages
from tests.serving import CRD, House, informations


@pytest.fixture
def house(tmp_path: Path, database: Database) -> House:
    return House(tmp_path / "house", database, "CC060C")


def serving(house: House) -> AnyRow:
    with house.database.reading() as connection:
        return connection.execute(select(servings)).one()


def message(house: House, sys_ref: str) -> AnyRow:
    with house.database.reading() as connection:
        return connection.execute(select(messages).where(messages.c.sys_ref == sys_ref)).one()


def held(house: House, lrn: str = "L1") -> bytes:
    """A declaration whose decision is held; gives the decision."""
    house.declare(lrn)
    decision = house.decision(lrn)
    house.answer(decision)
    return decision


def refused(house: House, document: bytes, code: str, person: Person = ANNA) -> bytes:
    """Send it; it must be refused, with this code. Gives the NPP."""
    sys_ref = house.send(document, person)
    assert (message(house, sys_ref).state, message(house, sys_ref).code) == ("refused", code)
    npp = house.last("NPP", person)
    assert informations(npp, "KodPrzyczynyOdmowy") == [code]
    return npp


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


# --- reminded, lapsed ---------------------------------------------------------------------------------------------------


def test_reminders_then_the_pnd_with_the_document(house: House) -> None:
    decision = held(house)
    issued, scheduler = house.clock.at, house.scheduler()
    assert scheduler.run(house.clock.at) == 0
    house.clock.at = end_of_period(issued, 7)
    assert [scheduler.run(house.clock.at), scheduler.run(house.clock.at)] == [1, 0]
    house.clock.at = end_of_period(issued, 12)
    assert [scheduler.run(house.clock.at), scheduler.run(house.clock.at)] == [1, 0]
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie", "Zawiadomienie"]
    assert informations(house.last("Zawiadomienie"), "NumerZawiadomienia") == ["2"]
    house.clock.at = end_of_period(issued, 14)
    assert scheduler.run(house.clock.at) == 0, "what was received at the last moment may still be on its way into the store"
    house.clock.at += GRACE
    assert [scheduler.run(house.clock.at), scheduler.run(house.clock.at)] == [1, 0]
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie", "Zawiadomienie", "PND", "CC060C"]
    assert house.last("CC060C") == decision
    row = serving(house)
    assert (row.state, row.notices, row.next_at) == ("lapsed", 2, None)
    with house.database.reading() as connection:
        kept = connection.execute(select(serving_papers.c.paper).order_by(serving_papers.c.paper)).scalars().all()
    assert kept == ["PND", "UPD", "document", "notice 1", "notice 2"]
    assert informations(house.last("PND"), "IdentyfikatorUPD") == [row.certificate_id]


def test_after_a_standstill_one_reminder_and_not_two(house: House) -> None:
    held(house)
    at = house.clock.pass_(days=13)
    assert [house.scheduler().run(at), house.scheduler().run(at)] == [1, 0]
    assert informations(house.last("Zawiadomienie"), "NumerZawiadomienia") == ["2"]


def test_without_notices_the_period_ends_all_the_same(house: House) -> None:
    house.settings = house.settings.model_copy(update={"serving_notices": ()})
    house.reprofile("CC060C")
    held(house)
    due = end_of_period(house.clock.at, 14)
    house.scheduler().run(due)
    assert house.kinds() == ["UPP", "UPD"]
    assert house.scheduler().run(due + GRACE) == 1
    assert house.kinds() == ["UPP", "UPD", "PND", "CC060C"]


def test_after_a_long_standstill_no_reminder_but_the_pnd(house: House) -> None:
    held(house)
    at = house.clock.pass_(days=40)
    assert [house.scheduler().run(at), house.scheduler().run(at)] == [1, 0]
    assert house.kinds() == ["UPP", "UPD", "PND", "CC060C"]


def test_signed_at_the_last_moment_and_too_late_a_moment_later(house: House) -> None:
    held(house, "L1")
    first = house.last("UPD")
    held(house, "L2")
    second = house.last("UPD")
    due = end_of_period(house.clock.at, 14)
    house.clock.at = due
    refused(house, house.sign(second), "confirm.too_late")  # also before the scheduler comes round
    house.clock.pass_(microseconds=-1)
    house.send(house.sign(first))
    house.clock.at = due + GRACE
    assert house.scheduler().run(house.clock.at) == 1
    refused(house, house.sign(second), "confirm.too_late")
    with house.database.reading() as connection:
        assert connection.execute(select(servings.c.state).order_by(servings.c.id)).scalars().all() == ["signed", "lapsed"]
    assert house.kinds().count("CC060C") == 2
    assert house.kinds().count("PND") == 1


def test_once_signed_nobody_is_reminded(house: House) -> None:
    held(house)
    house.send(house.sign(house.last("UPD")))
    assert house.scheduler().run(house.clock.pass_(days=40)) == 0
    assert house.kinds() == ["UPP", "UPD", "UPP", "CC060C"]


def test_other_days_in_the_settings_move_the_next_look_and_not_the_period(house: House) -> None:
    """A serving keeps the end it was issued with; reminders follow the settings of the day."""
    held(house)
    issued = house.clock.at
    house.settings = house.settings.model_copy(update={"serving_notices": (10,)})
    house.scheduler().run(end_of_period(issued, 7))
    assert house.kinds() == ["UPP", "UPD"]
    assert house.scheduler().run(end_of_period(issued, 10) - timedelta(seconds=1)) == 0
    assert house.scheduler().run(end_of_period(issued, 10)) == 1
    assert house.kinds() == ["UPP", "UPD", "Zawiadomienie"]
    assert serving(house).due_at == end_of_period(issued, 14)


# --- commands -----------------------------------------------------------------------------------------------------------


def brama(house: House, *arguments: str) -> Result:
    environment = {
        "BRAMA_HOME": str(house.home),
        "BRAMA_DATABASE_URL": str(house.database.engine.url),
        "BRAMA_PROFILES": str(house.home / "profiles"),
    }
    return CliRunner().invoke(main, arguments, env=environment)


def test_what_is_held_is_listed_and_its_papers_are_shown(house: House) -> None:
    sys_ref = house.declare("L1")
    house.answer(house.decision("L1"))
    certificate = serving(house).certificate_id
    listed = brama(house, "messages", "held")
    assert (listed.exit_code, certificate in listed.output, "PL852963741300000" in listed.output) == (0, True, True)
    shown = brama(house, "messages", "show", sys_ref)
    assert f"held      CC060C_D-1.xml for PL852963741300000 until {serving(house).due_at.astimezone(WARSAW):%Y-%m-%d} 00:00" in shown.output
    assert brama(house, "messages", "papers", certificate, "UPD").stdout_bytes == house.last("UPD")
    house.send(house.sign(house.last("UPD")))
    assert certificate not in brama(house, "messages", "held").output
    (row,) = json.loads(brama(house, "messages", "held", "--all", "--json").stdout)
    assert (row["certificate"], row["state"]) == (certificate, "signed")


def test_a_dead_answer_that_must_be_served_is_held_when_it_is_matched_again(house: House) -> None:
    house.desk.keep("NCTS2", house.decision("L1"), Failed("reply.unknown_correlation", system="NCTS2"), house.clock.at)
    house.declare("L1")
    done = brama(house, "dead-letters", "retry", "1", "--json")
    assert json.loads(done.stdout) == {"retried": [1], "left": []}
    assert house.kinds() == ["UPP", "UPD"]


def test_without_the_seal_a_dead_answer_that_must_be_served_is_left_alone(house: House) -> None:
    house.declare("L1")
    house.desk.keep("NCTS2", house.decision("L1"), Failed("reply.unknown_correlation", system="NCTS2"), house.clock.at)
    (house.home / "keys" / "seal.key").unlink()
    done = brama(house, "dead-letters", "retry", "1", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"retried": [], "left": [1]})
    assert house.kinds() == ["UPP"]


def test_both_signatures_of_the_proof_are_judged_by_the_command(house: House) -> None:
    held(house)
    signed = house.sign(house.last("UPD"))
    root = etree.fromstring(signed)
    root[0][-1].text = "2020-01-01T00:00:00.000Z"  # in the UPD: neither signature holds any more
    root[1][1].text = root[2][1].text  # type: ignore[index]
    stripped = etree.fromstring(signed)
    stripped[1].find("{*}SignatureValue").text = "AAAA"  # type: ignore[union-attr]  # only the office's value is wrong, the trader signs again
    stripped.remove(stripped[2])
    files = {"good": signed, "altered": etree.tostring(root), "wrong seal": house.sign(etree.tostring(stripped))}
    for name, content in files.items():
        (house.home / f"{name}.xml").write_bytes(content)
    arguments = [
        "signatures",
        "verify",
        *(str(house.home / f"{name}.xml") for name in files),
        "--trust",
        str(house.home / "keys" / "trust"),
    ]
    lines = [json.loads(line) for line in brama(house, *arguments, "--countersigned", "--json").stdout.splitlines()]
    assert [line["valid"] for line in lines] == [True, False, False]
    assert (lines[0]["signer"], lines[0]["signed_before_by"]) == ("CN=Anna Przykładowa,C=PL", "CN=Brama seal,O=Brama,C=PL")
    plain = [json.loads(line) for line in brama(house, *arguments, "--json").stdout.splitlines()]
    assert {line["code"] for line in plain} == {"signature.multiple"}


@pytest.mark.parametrize("notices", [(7, 7), (12, 7), (0,), (14,)])
def test_notices_must_lie_in_the_period(tmp_path: Path, notices: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="serving_notices"):
        Settings(home=tmp_path, serving_notices=notices)


def test_no_operation_may_outlast_the_grace_for_what_came_at_the_last_moment(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="operation_seconds"):
        Settings(home=tmp_path, operation_seconds=GRACE.total_seconds())
