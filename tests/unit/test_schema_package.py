"""A package loads whole or is refused, naming file and line."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Failed
from schemas import wellknown
from schemas.archive import MAX_ENTRIES, pack, read_files, unpack
from schemas.grammar import compile_grammar
from schemas.package import Package, analyse
from tests.schema_packages import record, text_type, xsd

DS = "http://www.w3.org/2000/09/xmldsig#"


def load(contents: dict[str, bytes], select: tuple[str, ...]) -> None:
    package = analyse(contents, select)
    for number in range(len(package.grammars)):
        compile_grammar(package, number)


def refusal(contents: dict[str, bytes], select: tuple[str, ...] = ()) -> tuple[str, int, str]:
    """File, line and detail with which the package is refused."""
    with pytest.raises(Failed) as caught:
        load(contents, select)
    assert caught.value.code == "schemas.package"
    context = caught.value.context
    return str(context["file"]), int(str(context["line"])), str(context["detail"])


def errors(package: Package, text: str) -> list[str]:
    root = etree.fromstring(text)
    return [error.kind for error in compile_grammar(package, package.roots[str(root.tag)].grammar).errors(root)]


def test_files_that_include_one_another_in_a_ring_load_once() -> None:
    holder = record("A", '<xs:element name="B" type="B"/>')
    package = analyse(
        {
            "a.xsd": xsd(f'<xs:include schemaLocation="b.xsd"/>{holder}'),
            "b.xsd": xsd('<xs:include schemaLocation="a.xsd"/><xs:simpleType name="B"><xs:restriction base="xs:int"/></xs:simpleType>'),
        }
    )
    assert set(package.roots) == {"A"}
    assert len(package.grammars) == 1
    assert errors(package, "<A><B>1</B></A>") == []
    assert errors(package, "<A><B>x</B></A>") != []


@pytest.mark.parametrize("holder", ["a.xsd", "b.xsd"])
def test_in_a_ring_an_element_without_children_is_a_document_too(holder: str) -> None:
    files = {
        "a.xsd": xsd('<xs:include schemaLocation="b.xsd"/><xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>'),
        "b.xsd": xsd('<xs:include schemaLocation="a.xsd"/>'),
    }
    files[holder] = files[holder].replace(b"</xs:schema>", b'<xs:element name="A" type="T"/></xs:schema>')
    package = analyse(files)
    assert set(package.roots) == {"A"}
    assert errors(package, "<A>1</A>") == []
    assert errors(package, "<A>x</A>") != []


def test_a_file_that_includes_itself_loads() -> None:
    package = analyse({"a.xsd": xsd('<xs:include schemaLocation="a.xsd"/><xs:element name="A" type="xs:int"/>')})
    assert errors(package, "<A>1</A>") == []
    assert errors(package, "<A>x</A>") != []


def test_a_package_of_types_only_is_refused() -> None:
    only_types = {"t.xsd": xsd('<xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>')}
    file, line, detail = refusal(only_types)
    assert (file, line) == ("t.xsd", 0)
    assert "only types" in detail


def test_a_refusal_without_a_line_names_none(tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        read_files(tmp_path)
    assert ", line" not in caught.value.text("en")
    assert ", wiersz" not in caught.value.text("pl")


def test_a_file_without_namespace_takes_on_its_includers() -> None:
    package = analyse(
        {
            "a.xsd": xsd('<xs:include schemaLocation="parts/b.xsd"/><xs:element name="A" type="t:B"/>', "urn:a"),
            "parts/b.xsd": xsd('<xs:element name="C" type="B"/><xs:simpleType name="B"><xs:restriction base="xs:int"/></xs:simpleType>'),
        }
    )
    assert set(package.roots) == {"{urn:a}A"}  # C: a helper without children in a shared file
    assert errors(package, '<A xmlns="urn:a">1</A>') == []


def test_a_namespace_in_several_files_is_known_whole_whoever_imports_it() -> None:
    package = analyse(
        {
            "m1.xsd": xsd(
                '<xs:import namespace="urn:p" schemaLocation="p1.xsd"/><xs:element name="M1" xmlns:p="urn:p" type="p:One"/>', "urn:m1"
            ),
            "m2.xsd": xsd(
                '<xs:import namespace="urn:p" schemaLocation="p2.xsd"/><xs:element name="M2" xmlns:p="urn:p" type="p:Two"/>', "urn:m2"
            ),
            "p1.xsd": xsd('<xs:simpleType name="One"><xs:restriction base="xs:int"/></xs:simpleType>', "urn:p"),
            "p2.xsd": xsd('<xs:simpleType name="Two"><xs:restriction base="xs:date"/></xs:simpleType>', "urn:p"),
        }
    )
    assert len(package.grammars) == 1
    assert errors(package, '<M1 xmlns="urn:m1">1</M1>') == []
    assert errors(package, '<M2 xmlns="urn:m2">2026-01-01</M2>') == []
    assert errors(package, '<M2 xmlns="urn:m2">1</M2>') != []


def test_messages_that_share_type_names_get_grammars_of_their_own() -> None:
    head = '<xs:complexType name="Head"><xs:sequence><xs:element name="{0}"/></xs:sequence></xs:complexType>'
    head += '<xs:element name="M{0}" type="Head"/>'
    package = analyse({"a.xsd": xsd(head.format("A")), "b.xsd": xsd(head.format("B"))})
    assert len(package.grammars) == 2
    assert errors(package, "<MA><A/></MA>") == []
    assert errors(package, "<MB><B/></MB>") == []
    assert errors(package, "<MB><A/></MB>") != []


def test_min_version_on_the_root_keeps_everything_and_conditional_parts_follow_1_1() -> None:
    vc = 'xmlns:vc="http://www.w3.org/2007/XMLSchema-versioning"'
    text = xsd('<xs:element name="A" type="xs:int"/>\n<xs:element name="B" vc:maxVersion="1.1" type="xs:int"/>')
    package = analyse({"a.xsd": text.replace(b"<xs:schema", f'<xs:schema {vc} vc:minVersion="1.1"'.encode())})
    assert set(package.roots) == {"A"}


def test_a_root_declared_twice_names_both_files_and_select_takes_one() -> None:
    old, new = xsd('\n<xs:element name="A" type="xs:int"/>'), xsd('<xs:element name="A" type="xs:string"/>')
    file, line, detail = refusal({"msg.xsd": old, "msg-New.xsd": new})
    assert (file, line) == ("msg.xsd", 3)
    assert "msg-New.xsd, line 2" in detail
    assert "--select" in detail
    assert list(analyse({"msg.xsd": old, "msg-New.xsd": new}, ["*-New.xsd"]).contents) == ["msg-New.xsd"]
    assert list(analyse({"msg.xsd": old, "msg-New.xsd": new}, ["!*-New.xsd"]).contents) == ["msg.xsd"]
    assert "no schema file matches" in refusal({"msg.xsd": old}, ("x*",))[2]


def test_select_brings_along_what_the_chosen_files_need() -> None:
    contents = {
        "a.xsd": xsd('<xs:include schemaLocation="t.xsd"/><xs:element name="A" type="T"/>'),
        "b.xsd": xsd('<xs:element name="B"/>'),
        "t.xsd": xsd('<xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>'),
    }
    assert list(analyse(contents, ["a.xsd"]).contents) == ["a.xsd", "t.xsd"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<xs:include schemaLocation="missing.xsd"/>', "not in the package"),
        ('<xs:include schemaLocation="../../etc/passwd"/>', "leads out"),
        ('<xs:include schemaLocation="%2e%2e/%2E%2e/x.xsd"/>', "leads out"),
        ('<xs:include schemaLocation="/etc/passwd"/>', "leads out"),
        ('<xs:include schemaLocation="file:///etc/passwd"/>', "outside the package"),
        ('<xs:import namespace="urn:x" schemaLocation="http://example.com/x.xsd"/>', "outside the package"),
        ('<xs:import namespace="urn:x" schemaLocation="//example.com/x.xsd"/>', "outside the package"),
        ('<xs:include schemaLocation="..\\x.xsd"/>', "leads out"),
        ("<xs:include/>", "without a schemaLocation"),
        ('<xs:element name="B" type="Nowhere"/>', "Nowhere"),
        ('<xs:element name="B" type="xs:nonsense"/>', "nonsense"),
        ("<xs:element name='B'>" + text_type('<xs:pattern value="[\\P{Cc"/>') + "</xs:element>", "no end"),
        ("<xs:element name='B'>" + text_type('<xs:pattern value="(a"/>') + "</xs:element>", "(a"),
        ('<xs:element name="B"><xs:complexType><xs:assert test="@a"/></xs:complexType></xs:element>', "content is not valid"),
    ],
)
def test_what_cannot_load_is_refused_at_its_line(body: str, words: str) -> None:
    annotation = "<xs:annotation>\n\n<xs:documentation>words\n</xs:documentation></xs:annotation>"
    file, line, detail = refusal({"m/a.xsd": xsd(annotation + '\n<xs:element name="A"/>\n' + body), "z.xsd": xsd('<xs:element name="Z"/>')})
    assert file == "m/a.xsd"
    assert line == 7, detail
    assert words in detail


def test_not_a_schema_not_xml_and_doctype() -> None:
    assert refusal({"a.xsd": b"<a>"})[0] == "a.xsd"
    assert "not a schema" in refusal({"a.xsd": b"<a/>"})[2]
    assert "DOCTYPE" in refusal({"a.xsd": b'<!DOCTYPE a [<!ENTITY x "y">]>' + xsd("")})[2]


def test_an_import_of_another_namespace_than_the_files() -> None:
    contents = {"a.xsd": xsd('<xs:import namespace="urn:x" schemaLocation="b.xsd"/>'), "b.xsd": xsd("", "urn:y")}
    assert "'urn:y'" in refusal(contents)[2]


@pytest.mark.parametrize("location", ["http://www.w3.org/TR/xmldsig-core/xmldsig-core-schema.xsd", "xmldsig.xsd", ""])
def test_well_known_namespaces_come_from_us(location: str) -> None:
    attribute = f'schemaLocation="{location}"' if location else ""
    body = (
        f'<xs:import namespace="{DS}" {attribute}/><xs:element name="A" xmlns:ds="{DS}"><xs:complexType><xs:sequence>'
        '<xs:element ref="ds:KeyInfo"/></xs:sequence></xs:complexType></xs:element>'
    )
    package = analyse({"a.xsd": xsd(body), "xmldsig.xsd": f"<!DOCTYPE s []><s targetNamespace='{DS}'/>".encode()})
    assert set(package.roots) == {"A"}
    assert errors(package, f'<A><KeyInfo xmlns="{DS}"><KeyName>k</KeyName></KeyInfo></A>') == []
    assert errors(package, f'<A><KeyInfo xmlns="{DS}"/></A>') != []


@pytest.mark.parametrize("namespace", list(wellknown.FILES))
def test_each_well_known_schema_compiles(namespace: str) -> None:
    package = analyse({"a.xsd": xsd(f'<xs:import namespace="{namespace}"/><xs:element name="A"/>')})
    assert errors(package, "<A/>") == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ('<xs:sequence><xs:element name="B"/><xs:element ref="ds:Signature" minOccurs="0"/></xs:sequence>', True),
        ('<xs:sequence><xs:element name="B"/></xs:sequence>', False),
        ("<xs:sequence>" + record("B", '<xs:element ref="ds:Signature"/>') + "</xs:sequence>", False),
        ('<xs:choice><xs:group ref="G"/></xs:choice>', True),
        ('<xs:complexContent><xs:extension base="Base"><xs:sequence/></xs:extension></xs:complexContent>', True),
        ('<xs:sequence><xs:any namespace="##other" processContents="lax"/></xs:sequence>', True),
        ('<xs:sequence><xs:any namespace="##local"/></xs:sequence>', False),
        ('<xs:sequence><xs:element ref="ds:Signature" maxOccurs="0" minOccurs="0"/></xs:sequence>', False),
    ],
)
def test_whether_a_schema_foresees_a_signature(model: str, expected: bool) -> None:
    body = (
        f'<xs:import namespace="{DS}"/><xs:element name="A" type="Model"/><xs:complexType name="Model">{model}</xs:complexType>'
        '<xs:group name="G"><xs:sequence><xs:element ref="ds:Signature"/></xs:sequence></xs:group>'
        '<xs:complexType name="Base"><xs:sequence><xs:element ref="ds:Signature"/></xs:sequence></xs:complexType>'
    )
    text = xsd(body).replace(b"<xs:schema", f'<xs:schema xmlns:ds="{DS}"'.encode())
    assert analyse({"a.xsd": text}).roots["A"].signature is expected


# --- zips and folders -------------------------------------------------------------------------------------------------------


def archive(path: Path, fill: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        fill(opened)
    return path


def refused_zip(path: Path) -> str:
    with pytest.raises(Failed) as caught:
        read_files(path)
    return str(caught.value.context["detail"])


def test_only_schema_files_are_taken(tmp_path: Path) -> None:
    def fill(opened: zipfile.ZipFile) -> None:
        opened.writestr("spec/readme.pdf", b"%PDF")
        opened.writestr("spec/a.XSD", b"<a/>")

    assert read_files(archive(tmp_path / "p.zip", fill)) == {"spec/a.XSD": b"<a/>"}


@pytest.mark.parametrize("name", ["../a.xsd", "/a.xsd", "x/../../a.xsd", "C:/a.xsd", "..\\a.xsd", "../readme.txt"])
def test_paths_that_lead_out(tmp_path: Path, name: str) -> None:
    assert "leads out" in refused_zip(archive(tmp_path / "p.zip", lambda opened: opened.writestr(name, b"<a/>")))


def test_a_bomb_is_stopped_by_what_comes_out(tmp_path: Path) -> None:
    assert "times its size" in refused_zip(archive(tmp_path / "p.zip", lambda opened: opened.writestr("a.xsd", b" " * 50_000_000)))


def test_too_many_entries(tmp_path: Path) -> None:
    def fill(opened: zipfile.ZipFile) -> None:
        for number in range(MAX_ENTRIES + 1):
            opened.writestr(f"{number}.txt", b"")

    assert "entries" in refused_zip(archive(tmp_path / "p.zip", fill))


def test_two_entries_of_one_name(tmp_path: Path) -> None:
    def fill(opened: zipfile.ZipFile) -> None:
        opened.writestr("a.xsd", b"<a/>")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a.xsd", b"<b/>")

    assert "two entries" in refused_zip(archive(tmp_path / "p.zip", fill))


def test_encrypted_entries(tmp_path: Path) -> None:
    path = archive(tmp_path / "p.zip", lambda opened: opened.writestr("a.xsd", b"<a/>"))
    raw = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1
    path.write_bytes(raw)
    assert "encrypted" in refused_zip(path)


@pytest.mark.parametrize("cut", [10, 60, 90])
def test_damaged_zips(tmp_path: Path, cut: int) -> None:
    path = archive(tmp_path / "p.zip", lambda opened: opened.writestr("a.xsd", os.urandom(200)))
    path.write_bytes(path.read_bytes()[:cut])
    assert "not a readable zip" in refused_zip(path)


def test_wrong_checksum(tmp_path: Path) -> None:
    path = archive(tmp_path / "p.zip", lambda opened: opened.writestr("a.xsd", os.urandom(200)))
    raw = bytearray(path.read_bytes())
    raw[60] ^= 255
    path.write_bytes(raw)
    assert "not a readable zip" in refused_zip(path)


def test_links_do_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.xsd").write_bytes(b"<a/>")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.xsd").symlink_to(tmp_path / "secret.xsd")
    assert "leads out" in refused_zip(tmp_path / "package")


def test_nothing_there(tmp_path: Path) -> None:
    assert "no .xsd file" in refused_zip(tmp_path)
    assert "no such" in refused_zip(tmp_path / "nowhere")


def test_packing_keeps_every_byte() -> None:
    files = {"a.xsd": b"\xff\x00", "b/c.xsd": b""}
    assert unpack(pack(files)) == files
    assert zipfile.is_zipfile(io.BytesIO(pack(files)))
