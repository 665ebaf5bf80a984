"""Small schema packages made up for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.archive import pack
from schemas.catalogue import ALWAYS, NEVER, Edition
from schemas.package import Package, analyse
from schemas.shipped import documents

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def text_type(facets: str) -> str:
    """The inside of an element that holds text with these facets."""
    return f'<xs:simpleType><xs:restriction base="xs:string">{facets}</xs:restriction></xs:simpleType>'


def record(name: str, children: str) -> str:
    """An element with these children in sequence."""
    return f'<xs:element name="{name}"><xs:complexType><xs:sequence>{children}</xs:sequence></xs:complexType></xs:element>'


def xsd(body: str, namespace: str = "") -> bytes:
    """A schema file; the prefix `t` is its target namespace."""
    target = f'targetNamespace="{namespace}" xmlns:t="{namespace}"' if namespace else ""
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {target}>\n{body}\n</xs:schema>'.encode()


def with_pattern(pattern: str) -> Package:
    """A package whose root A holds text of this pattern."""
    pattern = f'<xs:pattern value="{pattern}"/>'
    body = f'<xs:element name="A">{text_type(pattern)}</xs:element>'
    return analyse({"a.xsd": xsd(body)})


def edition(
    name: str,
    package: Package,
    system: str = "TEST",
    starts_at: datetime = ALWAYS,
    ends_at: datetime = NEVER,
    default: bool = False,
    shipped: bool = False,
    direction: str = "in",
) -> Edition:
    return Edition(
        system,
        name,
        starts_at,
        ends_at,
        default,
        shipped,
        documents(package, lambda _: (direction, "")),
        package.digest,
        pack(package.contents),
    )


def ping(text: str = "xs:string") -> Package:
    """A package with one root, Ping, of a simple type."""
    return analyse({"ping.xsd": xsd(f'<xs:element name="Ping" type="{text}"/>')})
