"""The official receipt (UPO): of the target system as an answer, or of the gateway for a system that gives none; once a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.answers import read_answer
from adapters.profiles import read_profile
from gateway.channels.answers import AnswerDesk
from gateway.database import Database
from gateway.errors import Deferred, Failed
from gateway.message import Answer, BusinessKeys
from tests.serving import House
from tests.transit import StrictParser
from tests.walk import AT, FixedProfiles, put

#: What AES and AIS send by facts 2.2.
PROFILE = """
system = "AES"
title_pl = "Wywóz"
title_en = "Export"
[transport]
kind = "http"
url_setting = "aes_url"
[proof]
kind = "hmac-sha256"
secret_setting = "aes_secret_file"
window = 300
[retry]
delays = [1]
deadline = 60
[documents.CC515C]
permission = "AES/CC515C"
paths.message_id = "messageIdentification"
[answers.UPO]
paths.message_id = "NumerIdentyfikacyjny"
paths.sys_ref = "IdentyfikatorECIPSEAP"
[answers.OdrzucenieKomunikatu]
state = "rejected"
final = true
paths.message_id = "NumerIdentyfikacyjny"
paths.sys_ref = "IdentyfikatorECIPSEAP"
[flow]
sent = ["OdrzucenieKomunikatu"]
rejected = []
"""


def of_the_system(root: str, sys_ref: str) -> Answer:
    content = (
        f"<{root}><NumerIdentyfikacyjny>26{root}-P00001</NumerIdentyfikacyjny>"
        f"<IdentyfikatorECIPSEAP>{sys_ref}</IdentyfikatorECIPSEAP></{root}>"
    ).encode()
    return read_answer(read_profile(PROFILE.encode(), "aes.toml"), StrictParser(), content)


@pytest.mark.parametrize("root", ["UPO", "OdrzucenieKomunikatu"])
def test_the_systems_own_receipt_goes_to_the_message_whose_sys_ref_it_names(database: Database, root: str) -> None:
    first, second = put(database, b"<a/>", b"<b/>")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE messages SET system = 'AES'")
    replied = AnswerDesk(database, FixedProfiles()).attach(of_the_system(root, first), AT)
    assert replied.sys_ref == first != second
    with database.reading() as connection:
        filed = connection.exec_driver_sql("SELECT filename FROM mailbox WHERE message = 1 ORDER BY id").scalars().all()
    assert filed == ["UPP.xml", f"{root}_26{root}-P00001.xml"]


def test_a_sys_ref_of_another_system_or_of_nobody_is_given_to_nobody(database: Database) -> None:
    (ours,) = put(database, b"<a/>")  # of NCTS2
    desk = AnswerDesk(database, FixedProfiles())
    for sys_ref, code in ((ours, "reply.other_system"), ("0b5c", "reply.unknown_correlation")):
        with pytest.raises(Failed) as failure:
            desk.attach(of_the_system("UPO", sys_ref), AT)
        assert failure.value.code == code


def test_a_sys_ref_counts_before_any_other_key(database: Database) -> None:
    """Nobody but us makes a sysRef up; an LRN may be another's too."""
    (ours,) = put(database, b"<a/>")
    answer = Answer("NCTS2", "UPO", b"<x/>", BusinessKeys(message_id="1", sys_ref=ours, lrn="OTHER", recipient="OTHER"))
    assert AnswerDesk(database, FixedProfiles()).attach(answer, AT).sys_ref == ours


@pytest.fixture
def house(tmp_path: Path, database: Database) -> House:
    return House(tmp_path / "house", database, receipt="gateway")


def test_the_gateways_receipt_comes_when_the_target_has_the_message(house: House) -> None:
    sys_ref = house.declare("L1")
    (job,) = house.channel.claim(1, house.clock.at)
    assert house.kinds() == ["UPP"]
    house.channel.delivered(job, house.clock.at, "HTTP 202", ())
    assert [name for name, _ in house.mail()] == ["UPP.xml", f"UPO_{sys_ref}.xml"]
    house.answer(house.allocation("L1"))
    assert house.kinds() == ["UPP", "UPO", "CC028C"]


def test_an_answer_that_proves_a_delivery_in_doubt_comes_behind_the_receipt(house: House) -> None:
    house.declare("L1")
    (job,) = house.channel.claim(1, house.clock.at)
    error = Deferred("deliver.in_doubt", system="NCTS2", detail="reset")
    house.channel.later(job, error, house.profiles.system("NCTS2").retry, house.clock.at, ())
    assert house.kinds() == ["UPP"]
    house.answer(house.allocation("L1"))
    house.answer(house.decision("L1"))
    assert house.kinds() == ["UPP", "UPO", "CC028C", "CC060C"]


def test_a_system_that_gives_its_own_gets_none_from_us(house: House) -> None:
    house.reprofile()
    house.declare("L1")
    (job,) = house.channel.claim(1, house.clock.at)
    house.channel.delivered(job, house.clock.at, "HTTP 202", ())
    house.answer(house.allocation("L1"))
    assert house.kinds() == ["UPP", "CC028C"]
