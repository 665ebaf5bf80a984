"""The receipts' schema: what a UPP, UPD and NPP hold, in which order and namespace, and that none goes without a signature."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "seap" / "upo"
UPO = "http://crd.gov.pl/xml/schematy/UPO/2008/05/09/"
NPP = "urn:brama:seap:npp:1"
SIGNATURE = (  # whole, because xmlschema checks it by a schema of its own
    '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>'
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
    '<ds:Reference URI=""><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AA==</ds:DigestValue></ds:Reference>'
    "</ds:SignedInfo><ds:SignatureValue>AA==</ds:SignatureValue></ds:Signature>"
)
PARTY = "<Nazwa>Izba Celna w Próbie</Nazwa><IdentyfikatorPodmiotu u:TypIdentyfikatora='{kind}'>PL000000000000001</IdentyfikatorPodmiotu>"
RECEIPT = (
    "<IdentyfikatorPoswiadczenia>P-1</IdentyfikatorPoswiadczenia>"
    f"<Adresat>{PARTY.format(kind='NIP')}</Adresat><Nadawca>{PARTY.format(kind='EORI')}</Nadawca>"
    "<DataDoreczenia>2026-01-02T03:04:05.678Z</DataDoreczenia>"
    "<DataWytworzeniaPoswiadczenia>2026-01-02T03:04:06+01:00</DataWytworzeniaPoswiadczenia>"
    "<IdentyfikatorDokumentu>D-1</IdentyfikatorDokumentu>"
    "<InformacjaUzupelniajaca u:TypInformacjiUzupelniajacej='idDokumentuSEAP'>0b5c</InformacjaUzupelniajaca>"
    "<InformacjaUzupelniajaca u:TypInformacjiUzupelniajacej='PrzyczynaOdmowy'>schema.violation</InformacjaUzupelniajaca>"
)
DELIVERY = (
    "<IdentyfikatorPoswiadczenia>P-1</IdentyfikatorPoswiadczenia>"
    f"<PodmiotWystawiajacyPoswiadczenie>{PARTY.format(kind='NIP')}</PodmiotWystawiajacyPoswiadczenie><Adresat>{PARTY.format(kind='EORI')}</Adresat>"
    "<DataOdbioru>2026-01-02T03:04:05</DataOdbioru><DataUtworzeniaPoswiadczenia>2026-01-02T03:04:06</DataUtworzeniaPoswiadczenia>"
    "<IdentyfikatorSprawy>S-1</IdentyfikatorSprawy><IdentyfikatorDokumentu>D-1</IdentyfikatorDokumentu>"
)


def document(*parts: str) -> str:
    return f'<Dokument xmlns="{UPO}" xmlns:u="{UPO}" xmlns:x="{NPP}">{"".join(parts)}</Dokument>'


UPP_DOCUMENT = document(f"<UPP>{RECEIPT}</UPP>", SIGNATURE)
NPP_DOCUMENT = document(f"<x:NPP>{RECEIPT}</x:NPP>", SIGNATURE)
UPD_DOCUMENT = document(f"<UPD>{DELIVERY}</UPD>", SIGNATURE, SIGNATURE)


@functools.cache
def schemas() -> tuple[etree.XMLSchema, xmlschema.XMLSchema]:
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(FOLDER / name).as_uri()}"/>'
        for namespace, name in ((UPO, "upo.xsd"), (NPP, "npp.xsd"))
    )
    driver = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(driver)), xmlschema.XMLSchema(driver)


def valid(text: str) -> bool:
    tree = etree.fromstring(text)
    first, second = (schema.validate(tree) if isinstance(schema, etree.XMLSchema) else schema.is_valid(tree) for schema in schemas())
    assert first == second, "libxml2 and xmlschema differ"
    return bool(first)


@pytest.mark.parametrize("text", [UPP_DOCUMENT, NPP_DOCUMENT, UPD_DOCUMENT], ids=["UPP", "NPP", "UPD"])
def test_each_kind_of_receipt_is_valid(text: str) -> None:
    assert valid(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(document(f"<UPP>{RECEIPT}</UPP>"), id="no signature"),
        pytest.param(document(SIGNATURE, f"<UPP>{RECEIPT}</UPP>"), id="signature first"),
        pytest.param(document(f"<UPP>{RECEIPT}</UPP><UPP>{RECEIPT}</UPP>", SIGNATURE), id="two receipts"),
        pytest.param(document(SIGNATURE), id="signature alone"),
        pytest.param(document(f"<NPP>{RECEIPT}</NPP>", SIGNATURE), id="NPP in the UPO namespace"),
        pytest.param(document(f"<x:PND>{RECEIPT}</x:PND>", SIGNATURE), id="unknown extension"),
        pytest.param(
            NPP_DOCUMENT.replace("<Nadawca>", "<x:Nadawca>").replace("</Nadawca>", "</x:Nadawca>"), id="NPP child in its own namespace"
        ),
        pytest.param(UPP_DOCUMENT.replace("u:TypIdentyfikatora", "TypIdentyfikatora"), id="unqualified attribute"),
        pytest.param(UPP_DOCUMENT.replace(" u:TypInformacjiUzupelniajacej='idDokumentuSEAP'", ""), id="information without a kind"),
        pytest.param(UPP_DOCUMENT.replace("2026-01-02T03:04:05.678Z", "2026-01-02"), id="day without a time"),
        pytest.param(UPP_DOCUMENT.replace(">P-1<", "> <"), id="empty identifier"),
        pytest.param(
            UPP_DOCUMENT.replace("Adresat>", "X>").replace("Nadawca>", "Adresat>").replace("X>", "Nadawca>"), id="sender before recipient"
        ),
    ],
)
def test_a_malformed_receipt_is_not_valid(text: str) -> None:
    assert not valid(text)
