"""Profiles: what is read from the TOML, and how each mistake in it is answered."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from lxml import etree

from adapters.profiles import Profiles, read_profile
from gateway.errors import Failed, Rejected
from gateway.message import DocumentType
from tests.corpora import CORPORA
from tests.transit import NAMESPACE, ncts2

GOOD = (files("adapters") / "ncts" / "ncts2.toml").read_text()
XSD = "{http://www.w3.org/2001/XMLSchema}"


def test_ncts2_says_where_the_keys_of_a_declaration_stand() -> None:
    document = ncts2().documents[f"{{{NAMESPACE}}}CC015C"]
    assert document.permission == "NCTS2/CC015C"
    assert document.paths["lrn"] == "TransitOperation/LRN"
    assert document.paths["party"] == "HolderOfTheTransitProcedure/identificationNumber"
    assert document.paths["message_id"] == "messageIdentification"
    assert "mrn" not in document.paths


def test_ncts2_answers_lead_to_states_that_exist() -> None:
    profile = ncts2()
    released = profile.answers[f"{{{NAMESPACE}}}CC029C"]
    assert (released.state, released.final) == ("released", True)
    assert not profile.answers[f"{{{NAMESPACE}}}CC928C"].final
    assert profile.answers[f"{{{NAMESPACE}}}CC182C"].state is None
    assert profile.flow["sent"][0] == "CC928C"
    assert profile.duplicate is not None
    assert profile.duplicate.root == f"{{{NAMESPACE}}}CC906C"


def test_every_moving_answer_can_be_reached_from_sent() -> None:
    profile = ncts2()
    states = {root.rpartition("}")[2]: answer.state for root, answer in profile.answers.items() if answer.state}
    reached, border = {"sent"}, ["sent"]
    while border:
        for name in profile.flow[border.pop()]:
            if states[name] not in reached:
                reached.add(states[name])
                border.append(states[name])
    assert reached == set(profile.flow)


def test_a_document_that_only_the_administration_sends_is_not_taken_from_a_trader() -> None:
    profiles = Profiles.load()
    with pytest.raises(Rejected) as caught:
        profiles.document(DocumentType("NCTS2", "51.8.6", f"{{{NAMESPACE}}}CC029C", "out"))
    assert caught.value.code == "identify.unknown"


def test_an_unknown_system_has_no_route() -> None:
    with pytest.raises(Failed) as caught:
        Profiles.load().system("NOWHERE")
    assert caught.value.code == "route.no_route"


def test_another_folder_adds_systems_and_replaces_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "invented").mkdir()
    (tmp_path / "invented" / "new.toml").write_text(GOOD.replace('system = "NCTS2"', 'system = "INVENTED"'))
    (tmp_path / "invented" / "own.toml").write_text(GOOD.replace('title_en = "Transit', 'title_en = "My transit'))
    profiles = Profiles.load([tmp_path])
    assert {profile.system for profile in profiles} >= {"NCTS2", "INVENTED"}
    assert profiles.system("NCTS2") != Profiles.load().system("NCTS2")


def test_one_folder_may_not_describe_a_system_twice(tmp_path: Path) -> None:
    (tmp_path / "invented").mkdir()
    for name in ("one", "two"):
        (tmp_path / "invented" / f"{name}.toml").write_text(GOOD)
    with pytest.raises(Failed, match="NCTS2 is already described"):
        Profiles.load([tmp_path])


@pytest.mark.parametrize(
    ("before", "after", "table", "key", "says"),
    [
        ('system = "NCTS2"', 'system = "ncts 2"', "", "system", "no system code"),
        ('system = "NCTS2"', "", "", "system", "missing"),
        ('title_pl = "Tranzyt (NCTS, faza 5)"', "title_pl = 5", "", "title_pl", "must be a text"),
        ('namespace = "http', 'names = "http', "", "names", "not known here"),
        ('kind = "http"', 'kind = "pigeon"', "transport", "kind", "no transport"),
        ("timeout = 30 ", 'timeout = "30"', "transport", "timeout", "must be a number"),
        ("timeout = 30 ", "timeout = nan", "transport", "timeout", "must be a number"),
        ("timeout = 30 ", "timeout = true", "transport", "timeout", "must be a number"),
        ("timeout = 30 ", "time_out = 30", "transport", "time_out", "not known here"),
        ('url_setting = "ncts2_url"', "", "transport", "url_setting", "missing"),
        ('kind = "hmac-sha256"', 'kind = "trust"', "proof", "kind", "hmac-sha256"),
        ("window = 300", "window = 0", "proof", "window", "from 1 to 3600"),
        ("delays = [1, 5, 15, 60, 300, 900]", "delays = []", "retry", "delays", "at least one number"),
        ("delays = [1, 5, 15, 60, 300, 900]", "delays = [1, -5]", "retry", "delays", "must be a number"),
        ("deadline = 172800", "", "retry", "deadline", "missing"),
        ("status = 409", "status = 999", "duplicate", "status", "from 200 to 499"),
        ('path = "FunctionalError/errorCode"', 'path = "//errorCode"', "duplicate", "path", "no path"),
        ('message_id = "messageIdentification"', 'messageid = "messageIdentification"', "paths", "messageid", "no business key"),
        ('sender = "messageSender"', 'sender = "../messageSender"', "paths", "sender", "no path"),
        ('sender = "messageSender"', 'sender = "x[1]"', "paths", "sender", "no path"),
        ('message_id = "messageIdentification"', "", "documents.CC015C", "paths", "no message_id"),
        ('permission = "NCTS2/CC015C"', "", "documents.CC015C", "permission", "missing"),
        ('permission = "NCTS2/CC015C"', 'permision = "NCTS2/CC015C"', "documents.CC015C", "permission", "missing"),
        ('permission = "NCTS2/CC015C"', 'permission = "NCTS2/CC015C"\nfinal = true', "documents.CC015C", "final", "not known here"),
        ("[documents.CC015C]", '[documents."CC 015"]', "documents", "CC 015", "no element name"),
        ('state = "released"\nfinal = true', 'state = "released"\nfinal = "yes"', "answers.CC029C", "final", "true or false"),
        ('state = "released"', 'state = "relaesed"', "flow", "relaesed", "is missing though CC029C leads to it"),
        ('control = ["CC055C"', 'control = ["CC999C"', "flow", "control", "CC999C is not described"),
        ("not_released = []", 'not_released = "CC029C"', "flow", "not_released", "list of texts"),
        ("[flow]\nsent", "[flow]\nsend", "flow", "sent", "every flow begins"),
        ("[retry]", "[retries]", "", "retry", "add [retry]"),
    ],
)
def test_a_mistake_is_named_with_file_table_key_and_remedy(before: str, after: str, table: str, key: str, says: str) -> None:
    assert before in GOOD
    with pytest.raises(Failed) as caught:
        read_profile(GOOD.replace(before, after, 1).encode(), "some/where.toml")
    error = caught.value
    assert error.code == "adapter.profile"
    assert (error.context["file"], error.context["table"], error.context["key"]) == ("some/where.toml", table, key)
    assert says in str(error.context["detail"])
    assert "some/where.toml" in error.text("pl")


@pytest.mark.parametrize("content", [b"system = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(Failed, match="is not TOML in UTF-8"):
        read_profile(content, "broken.toml")


@pytest.mark.skipif(not (CORPORA / "ncts-p5-51.8.6").is_dir(), reason="the published NCTS schemas are not on this machine")
def test_every_path_of_ncts2_exists_in_the_published_schemas() -> None:
    folder = CORPORA / "ncts-p5-51.8.6" / "xsd"
    named: dict[tuple[str, str], etree._Element] = {}
    for file in folder.glob("*.xsd"):
        for node in etree.parse(str(file)).getroot().iterchildren(XSD + "element", XSD + "complexType", XSD + "group"):
            named[node.tag, node.get("name")] = node

    def children(type_name: str) -> dict[str, str]:
        found = {}
        for node in named[XSD + "complexType", type_name].iter(XSD + "element", XSD + "group"):
            group = named[XSD + "group", node.get("ref")].iter(XSD + "element") if node.get("ref") else [node]
            found.update({element.get("name"): element.get("type", "") for element in group})
        return found

    profile = ncts2()
    for root, document in {**profile.documents, **profile.answers}.items():
        for path in document.paths.values():
            type_name = named[XSD + "element", root.rpartition("}")[2]].get("type", "")
            for step in path.split("/"):
                assert step in children(type_name), f"{root}: {path}"
                type_name = children(type_name)[step]


def test_a_served_answer_and_a_receipt_by_the_gateway() -> None:
    text = GOOD.replace("[answers.CC060C]", "[answers.CC060C]\nserved = true\n#")
    profile = read_profile(text.replace('receipt = "system"', 'receipt = "gateway"').encode(), "x.toml")
    assert {root.rpartition("}")[2] for root, answer in profile.answers.items() if answer.served} == {"CC060C"}
    assert profile.receipt == "gateway"
    plain = read_profile(GOOD.encode(), "x.toml")
    assert not any(answer.served for answer in plain.answers.values())
    assert plain.receipt == "system"
    with pytest.raises(Failed, match="receipt"):
        read_profile(GOOD.replace('receipt = "system"', 'receipt = "nobody"').encode(), "x.toml")


def test_the_channel_itself_is_no_customs_system() -> None:
    profiles = Profiles.load()
    assert "SEAP" not in {profile.system for profile in profiles}
    assert profiles.system("SEAP").documents
    with pytest.raises(Failed, match="SEAP is the channel itself"):
        read_profile(GOOD.replace('system = "NCTS2"', 'system = "SEAP"').encode(), "x.toml")
