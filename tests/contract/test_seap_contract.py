"""The WSDL and XSD we serve against the facts of the channel, name by name, for both editions."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.endpoints.soap.contract import CHANNEL, OPERATIONS, PULL, PUSH, SYSTEMS, served

PUBLIC = "https://brama.example"
ADDRESS = PUBLIC + "/seap_wsChannel/DocumentHandlingPort"
XS = "http://www.w3.org/2001/XMLSchema"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
WSP = "http://www.w3.org/ns/ws-policy"
SP = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
WSAM = "http://www.w3.org/2007/02/addressing/metadata"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

EDITIONS = ("2014", "2022")
WSDLS = {"2014": "wsdl=2014", "2022": "wsdl"}
XSDS = {"2014": "xsd=ws_channel_2014.xsd", "2022": "xsd=ws_channel.xsd"}

Member = tuple[str, str, str, str]  # name or reference, type, minOccurs, maxOccurs


def ch(name: str) -> str:
    return f"{{{CHANNEL}}}{name}"


def xs(name: str) -> str:
    return f"{{{XS}}}{name}"


def some(name: str, type_: str) -> Member:
    return (name, type_, "0", "1")


def one(name: str, type_: str) -> Member:
    return (name, type_, "1", "1")


SYSTEM_VALUES = ["SZPROT", "AIS", "OSOZ2", "NCTS2", "ZEFIR2", "ISZTAR4", "HERMES2", "AES", "EMCSPL2", "INTRASTAT", "EBT", "PODMIOT"]


def channel_types(edition: str) -> dict[str, list[Member]]:
    later = [some("emailReplyList", ch("emailReplyListType"))] if edition == "2022" else []
    types = {
        "documentType": [
            one("content", ch("contentType")),
            some("dispatchId", xs("string")),
            some("caseId", xs("string")),
            some("personSISC", ch("idSISC")),
            some("middleSISC", ch("idSISC")),
            some("endSISC", ch("idSISC")),
            some("attachments", ch("attachmentsType")),
            one("targetSystems", ch("targetSystemsType")),
            *later,
        ],
        "attachmentsType": [("content", ch("contentType"), "0", "unbounded")],
        "targetSystemsType": [("system", ch("systemType"), "0", "unbounded")],
        "resultType": [one("sysRef", xs("string"))],
        "errorType": [one("errorCode", xs("string")), one("errorDesc", xs("string"))],
    }
    if edition == "2022":
        types["emailReplyListType"] = [("email", xs("string"), "0", "unbounded")]
    return types


def pull_elements(edition: str) -> dict[str, list[Member] | None]:
    grades = [some(name, ch("idSISC")) for name in ("idSiscROF", "idSiscROP", "idSiscP")]
    later = [some("allEmployees", xs("boolean")), some("targetSystem", ch("systemType"))] if edition == "2022" else []
    texts = [some(name, xs("string")) for name in ("sysRef", "idWysylki", "idDocSysZew", "idSprawy", "pobrany")]
    dates = [some("dataOd", xs("date")), some("dataDo", xs("date")), some("korelacjaSysref", xs("string"))]
    return {
        "AcceptDocumentRequest": [one(ch("document"), "ref")],
        "AcceptDocumentResponse": [one(ch("result"), "ref")],
        "GetNextDocumentRequest": [some("targetSystem", ch("systemType"))] if edition == "2022" else None,
        "GetNextDocumentResponse": [some(ch("document"), "ref")],
        "GetNextDocumentSiscRequest": [*grades, *later],
        "GetDocumentsRequest": [*grades, *texts, *dates, *later],
        "GetDocumentsResponse": [
            some("documentsCount", xs("long")),
            (ch("document"), "ref", "0", "unbounded"),
            some("documentsInfo", xs("string")),
        ],
        "businessErrorFault": [one("error", ch("businessErrorType"))],
        "techErrorFault": [one("error", ch("techErrorType"))],
    }


def tree(query: str) -> etree._Element:
    return etree.fromstring(served(PUBLIC)[query])


def pull_schema(edition: str) -> etree._Element:
    schema = tree(WSDLS[edition]).find(f"{{{WSDL}}}types/{{{XS}}}schema")
    assert schema is not None
    return schema


def clark(element: etree._Element, value: str) -> str:
    prefix, _, local = value.rpartition(":")
    return f"{{{element.nsmap[prefix or None]}}}{local}"


def members(parent: etree._Element) -> list[Member]:
    """The sequence of a complex type, in order, with occurrence."""
    found = []
    for entry in parent.findall(f".//{{{XS}}}sequence/{{{XS}}}element"):
        reference = entry.get("ref")
        assert entry.get("form") is None
        found.append(
            (
                clark(entry, reference) if reference else entry.get("name", ""),
                "ref" if reference else clark(entry, entry.get("type", "")),
                entry.get("minOccurs", "1"),
                entry.get("maxOccurs", "1"),
            )
        )
    return found


@pytest.mark.parametrize("edition", EDITIONS)
def test_channel_schema_has_exactly_the_types_and_elements(edition: str) -> None:
    schema = tree(XSDS[edition])
    assert schema.get("targetNamespace") == CHANNEL
    assert schema.get("elementFormDefault") == "qualified"
    assert schema.get("attributeFormDefault", "unqualified") == "unqualified"
    assert {(e.get("name"), clark(e, e.get("type", ""))) for e in schema.findall(f"{{{XS}}}element")} == {
        ("document", ch("documentType")),
        ("result", ch("resultType")),
    }
    names = {e.get("name") for e in schema.findall(f"{{{XS}}}complexType")}
    assert names == {*channel_types(edition), "contentType", "businessErrorType", "techErrorType"}
    assert {e.get("name") for e in schema.findall(f"{{{XS}}}simpleType")} == {"mimeType", "systemType", "idSISC"}


@pytest.mark.parametrize(("edition", "name"), [(e, n) for e in EDITIONS for n in channel_types(e)])
def test_channel_type(edition: str, name: str) -> None:
    found = tree(XSDS[edition]).find(f"{{{XS}}}complexType[@name='{name}']")
    assert found is not None
    assert members(found) == channel_types(edition)[name]
    assert found.get("abstract", "false") == ("true" if name == "errorType" else "false")


@pytest.mark.parametrize("edition", EDITIONS)
def test_content_and_its_attributes(edition: str) -> None:
    found = tree(XSDS[edition]).find(f"{{{XS}}}complexType[@name='contentType']/{{{XS}}}simpleContent/{{{XS}}}extension")
    assert found is not None
    assert clark(found, found.get("base", "")) == xs("base64Binary")
    attributes = [(a.get("name"), clark(a, a.get("type", "")), a.get("use", "optional")) for a in found]
    assert attributes == [("filename", xs("string"), "optional"), ("mime", ch("mimeType"), "required")]


@pytest.mark.parametrize("edition", EDITIONS)
def test_simple_types(edition: str) -> None:
    schema = tree(XSDS[edition])

    def facets(name: str) -> list[tuple[str, str]]:
        restriction = schema.find(f"{{{XS}}}simpleType[@name='{name}']/{{{XS}}}restriction")
        assert restriction is not None
        assert clark(restriction, restriction.get("base", "")) == xs("string")
        return [(etree.QName(facet).localname, facet.get("value", "")) for facet in restriction]

    later = ["TAX FREE", "SENT"] if edition == "2022" else []
    assert facets("systemType") == [("enumeration", value) for value in SYSTEM_VALUES + later]
    assert facets("mimeType") == [("enumeration", value) for value in ("application/pdf", "application/xml", "other")]
    assert facets("idSISC") == [("minLength", "10"), ("maxLength", "50")]


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("name", ["businessErrorType", "techErrorType"])
def test_error_types_extend_the_abstract_one(edition: str, name: str) -> None:
    found = tree(XSDS[edition]).find(f"{{{XS}}}complexType[@name='{name}']/{{{XS}}}complexContent/{{{XS}}}extension")
    assert found is not None
    assert clark(found, found.get("base", "")) == ch("errorType")
    assert len(found) == 0


@pytest.mark.parametrize("edition", EDITIONS)
def test_pull_schema_has_exactly_the_elements(edition: str) -> None:
    schema = pull_schema(edition)
    assert schema.get("targetNamespace") == PULL
    assert schema.get("elementFormDefault") == "qualified"
    assert [e.get("name") for e in schema.findall(f"{{{XS}}}element")] == list(pull_elements(edition))
    imported = schema.find(f"{{{XS}}}import")
    assert imported is not None
    assert imported.get("namespace") == CHANNEL
    location = imported.get("schemaLocation", "")
    assert location == ADDRESS + {"2014": "?xsd=WS_CHANNEL_2014.xsd", "2022": "?xsd=WS_CHANNEL.xsd"}[edition]


@pytest.mark.parametrize(("edition", "name"), [(e, n) for e in EDITIONS for n in pull_elements(e)])
def test_pull_element(edition: str, name: str) -> None:
    found = pull_schema(edition).find(f"{{{XS}}}element[@name='{name}']")
    assert found is not None
    expected = pull_elements(edition)[name]
    if expected is None:
        assert len(found) == 0
        assert found.get("type") is None
        return
    assert members(found) == expected
    attributes = [
        (a.get("name"), clark(a, a.get("type", "")), a.get("use", "optional"), a.get("form")) for a in found.iter(xs("attribute"))
    ]
    assert attributes == ([("hasNext", xs("boolean"), "optional", None)] if name == "GetNextDocumentResponse" else [])


MESSAGES = {
    **{name: name for name in pull_elements("2014") if name != "GetNextDocumentSiscRequest"},
    "GetNextDocumentSisc": "GetNextDocumentSiscRequest",
}
# operation -> message in, part in, message out, soapAction
PORT = {
    "AcceptDocument": ("AcceptDocumentRequest", "AcceptDocumentRequest", "AcceptDocumentResponse", "AcceptDocument"),
    "GetNextDocument": ("GetNextDocumentRequest", "GetNextDocumentRequest", "GetNextDocumentResponse", "GetNextDocument"),
    "GetNextDocumentSisc": ("GetNextDocumentSisc", "GetNextDocumentSiscRequest", "GetNextDocumentResponse", "GetNextDocumentSisc"),
    "GetDocuments": ("GetDocumentsRequest", "GetDocumentsRequest", "GetDocumentsResponse", "GetNextDocumentSisc"),
}
FAULTS = ["businessErrorFault", "techErrorFault"]


@pytest.mark.parametrize("edition", EDITIONS)
def test_messages_and_parts(edition: str) -> None:
    wsdl = tree(WSDLS[edition])
    assert wsdl.get("targetNamespace") == PULL
    found = {}
    for message in wsdl.findall(f"{{{WSDL}}}message"):
        (part,) = message
        assert clark(part, part.get("element", "")) == f"{{{PULL}}}{part.get('name')}"
        found[message.get("name")] = part.get("name")
    assert found == MESSAGES


@pytest.mark.parametrize("edition", EDITIONS)
def test_port_type(edition: str) -> None:
    (port,) = tree(WSDLS[edition]).findall(f"{{{WSDL}}}portType")
    assert port.get("name") == "DocumentHandlingPort"
    assert [o.get("name") for o in port] == list(PORT)
    for operation in port:
        request, _, answer, _ = PORT[operation.get("name", "")]
        entries = [(etree.QName(e).localname, e.get("name"), clark(e, e.get("message", ""))) for e in operation]
        assert entries == [
            ("input", None, f"{{{PULL}}}{request}"),
            ("output", None, f"{{{PULL}}}{answer}"),
            *(("fault", name, f"{{{PULL}}}{name}") for name in FAULTS),
        ]
    assert not [e for e in port.iter() for name in e.attrib if name.startswith("{")], "no wsam:Action attributes"


@pytest.mark.parametrize("edition", EDITIONS)
def test_binding(edition: str) -> None:
    (binding,) = tree(WSDLS[edition]).findall(f"{{{WSDL}}}binding")
    assert binding.get("name") == "DocumentHandlingBind"
    assert clark(binding, binding.get("type", "")) == f"{{{PULL}}}DocumentHandlingPort"
    reference = binding.find(f"{{{WSP}}}PolicyReference")
    assert reference is not None
    assert reference.get("URI") == "#ecipseap_policy"
    style = binding.find(f"{{{WSDL_SOAP}}}binding")
    assert style is not None
    assert dict(style.attrib) == {"style": "document", "transport": "http://schemas.xmlsoap.org/soap/http"}
    operations = binding.findall(f"{{{WSDL}}}operation")
    assert [o.get("name") for o in operations] == list(PORT)
    for operation in operations:
        _, part, answer, action = PORT[operation.get("name", "")]
        soap = operation.find(f"{{{WSDL_SOAP}}}operation")
        assert soap is not None
        assert dict(soap.attrib) == {"soapAction": action, "style": "document"}
        bodies = [dict(b.attrib) for b in operation.iter(f"{{{WSDL_SOAP}}}body")]
        assert bodies == [{"parts": part, "use": "literal"}, {"parts": answer, "use": "literal"}]
        faults = [(f.getparent().get("name"), dict(f.attrib)) for f in operation.iter(f"{{{WSDL_SOAP}}}fault")]  # type: ignore[union-attr]
        assert faults == [(name, {"name": name, "use": "literal"}) for name in FAULTS]


@pytest.mark.parametrize("edition", EDITIONS)
def test_service_and_address(edition: str) -> None:
    (service,) = tree(WSDLS[edition]).findall(f"{{{WSDL}}}service")
    assert service.get("name") == "DocumentHandlingSvc"
    (port,) = service
    assert port.get("name") == "DocumentHandlingPort"
    assert clark(port, port.get("binding", "")) == f"{{{PULL}}}DocumentHandlingBind"
    assert [dict(a.attrib) for a in port] == [{"location": ADDRESS}]


@pytest.mark.parametrize("query", ["wsdl", "wsdl=2014", "wsdl=push"])
def test_policy(query: str) -> None:
    (policy,) = tree(query).findall(f"{{{WSP}}}Policy")
    assert policy.get(f"{{{WSU}}}Id") == "ecipseap_policy"
    p = f"{{{WSP}}}Policy"
    (all_,) = policy.findall(f"{{{WSP}}}ExactlyOne/{{{WSP}}}All")
    assert [e.tag for e in all_] == [f"{{{SP}}}SupportingTokens", f"{{{WSAM}}}Addressing"]
    (token,) = all_.findall(f"{{{SP}}}SupportingTokens/{p}/{{{SP}}}UsernameToken")
    assert token.get(f"{{{SP}}}IncludeToken") == f"{SP}/IncludeToken/AlwaysToRecipient"
    assert [e.tag for e in token.findall(f"{p}/*")] == [f"{{{SP}}}WssUsernameToken10", f"{{{SP}}}HashPassword"]
    (addressing,) = all_.findall(f"{{{WSAM}}}Addressing/{p}")
    assert len(addressing) == 0


# --- the push contract: AcceptDocument alone, the same names in a namespace of its own ------------------------------------


def test_namespaces_are_those_of_the_channel() -> None:
    assert PULL == "http://www.mf.gov.pl/uslugiBiznesowe/WsPull/Usluga/2014/01_v2_0"
    assert PUSH == "http://www.mf.gov.pl/uslugiBiznesowe/WsPush/Usluga/2014/01_v2_0"
    assert CHANNEL == "http://www.mf.gov.pl/schematy/SISC/WsChannel/2014/01_v2_0"


PUSH_NAMES = ["AcceptDocumentRequest", "AcceptDocumentResponse", "businessErrorFault", "techErrorFault"]


def test_push_schema() -> None:
    wsdl = tree("wsdl=push")
    schema = wsdl.find(f"{{{WSDL}}}types/{{{XS}}}schema")
    assert schema is not None
    assert wsdl.get("targetNamespace") == schema.get("targetNamespace") == PUSH
    assert schema.get("elementFormDefault") == "qualified"
    assert [(i.get("namespace"), i.get("schemaLocation")) for i in schema.findall(f"{{{XS}}}import")] == [
        (CHANNEL, ADDRESS + "?xsd=WS_CHANNEL.xsd")
    ]
    assert {e.get("name"): members(e) for e in schema.findall(f"{{{XS}}}element")} == {n: pull_elements("2022")[n] for n in PUSH_NAMES}


def test_push_messages_port_binding_and_service() -> None:
    wsdl = tree("wsdl=push")
    parts = {m.get("name"): [(p.get("name"), clark(p, p.get("element", ""))) for p in m] for m in wsdl.findall(f"{{{WSDL}}}message")}
    assert parts == {name: [(name, f"{{{PUSH}}}{name}")] for name in PUSH_NAMES}
    (port,) = wsdl.findall(f"{{{WSDL}}}portType")
    (operation,) = port
    assert (port.get("name"), operation.get("name")) == ("DocumentHandlingPort", "AcceptDocument")
    assert [(etree.QName(e).localname, e.get("name"), clark(e, e.get("message", ""))) for e in operation] == [
        ("input", None, f"{{{PUSH}}}AcceptDocumentRequest"),
        ("output", None, f"{{{PUSH}}}AcceptDocumentResponse"),
        *(("fault", name, f"{{{PUSH}}}{name}") for name in FAULTS),
    ]
    (binding,) = wsdl.findall(f"{{{WSDL}}}binding")
    assert (binding.get("name"), clark(binding, binding.get("type", ""))) == ("DocumentHandlingBind", f"{{{PUSH}}}DocumentHandlingPort")
    assert [r.get("URI") for r in binding.findall(f"{{{WSP}}}PolicyReference")] == ["#ecipseap_policy"]
    assert [o.get("name") for o in binding.findall(f"{{{WSDL}}}operation")] == ["AcceptDocument"]
    assert [dict(o.attrib) for o in binding.iter(f"{{{WSDL_SOAP}}}operation")] == [{"soapAction": "AcceptDocument", "style": "document"}]
    assert [dict(b.attrib) for b in binding.iter(f"{{{WSDL_SOAP}}}body")] == [
        {"parts": "AcceptDocumentRequest", "use": "literal"},
        {"parts": "AcceptDocumentResponse", "use": "literal"},
    ]
    assert [dict(f.attrib) for f in binding.iter(f"{{{WSDL_SOAP}}}fault")] == [{"name": name, "use": "literal"} for name in FAULTS]
    (service,) = wsdl.findall(f"{{{WSDL}}}service")
    (entry,) = service
    assert (service.get("name"), entry.get("name")) == ("DocumentHandlingSvc", "DocumentHandlingPort")
    assert clark(entry, entry.get("binding", "")) == f"{{{PUSH}}}DocumentHandlingBind"
    assert [a.get("location") for a in entry] == ["https://trader.invalid/DocumentHandlingPort"], "the trader's own, not ours"


def test_zeep_reads_the_push_contract() -> None:
    from zeep import Client, Transport

    class Ours(Transport):
        def load(self, url: str) -> bytes:
            return served(PUBLIC)[url.partition("?")[2].lower()]

    client = Client(f"{ADDRESS}?wsdl=push", transport=Ours())
    (service,) = client.wsdl.services.values()
    (port,) = service.ports.values()
    assert list(port.binding._operations) == ["AcceptDocument"]


def test_address_is_escaped_and_never_taken_from_elsewhere() -> None:
    wsdl = etree.fromstring(served('https://brama.example/a&b"c')["wsdl"])
    address = wsdl.find(f".//{{{WSDL_SOAP}}}address")
    assert address is not None
    assert address.get("location") == 'https://brama.example/a&b"c/seap_wsChannel/DocumentHandlingPort'
    assert b"@ADDRESS@" not in served(PUBLIC)["wsdl"]


def test_the_dispatcher_and_the_system_table_cover_the_contract() -> None:
    assert set(OPERATIONS.values()) == set(PORT)
    assert {request: op for op, (_, request, _, _) in PORT.items()} == dict(OPERATIONS)
    assert {*SYSTEMS, "PODMIOT"} == {*SYSTEM_VALUES, "TAX FREE", "SENT"}
    assert SYSTEMS["NCTS2"] == "NCTS2"
