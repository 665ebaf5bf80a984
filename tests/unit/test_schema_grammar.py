"""Compiled grammars: as few as can be, kept within a bound, right under threads, quick."""

from __future__ import annotations

import threading
import timeit
from typing import Any

import pytest
from lxml import etree

from gateway.errors import Rejected
from gateway.message import DocumentType
from schemas.catalogue import Catalogue
from schemas.grammar import Grammars, compile_grammar
from schemas.package import analyse
from schemas.reader import SchemaReader
from tests.schema_packages import edition, ping, record, with_pattern, xsd

ROOTS = "".join(record(f"R{n}", f'<xs:element name="E{n}" type="xs:int" maxOccurs="unbounded"/>') for n in range(40))


def type_of(root: str) -> DocumentType:
    return DocumentType("TEST", "1", root, "in")


def test_all_roots_of_a_package_share_one_grammar_compiled_when_first_needed() -> None:
    reader = SchemaReader([edition("1", analyse({"a.xsd": xsd(ROOTS)}))])
    assert len(reader.grammars) == 0
    for number in range(40):
        assert reader.validate(type_of(f"R{number}"), etree.fromstring(f"<R{number}><E{number}>1</E{number}></R{number}>")) == ()
    assert len(reader.grammars) == 1
    assert reader.grammars.memory > 10_000


def test_a_grammar_compiled_while_its_edition_is_replaced_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread compiles a large document's grammar; the event loop learns of the new files meanwhile."""
    old, new = (edition("1", analyse({"a.xsd": xsd(record("R", f'<xs:element name="E" type="xs:{kind}"/>'))})) for kind in ("int", "date"))
    reader = SchemaReader([old])
    compile_ = reader.grammar

    def meanwhile(*arguments: Any) -> Any:
        made = compile_(*arguments)
        monkeypatch.undo()
        reader.catalogue, reader._ready = Catalogue([new]), {}  # as `refresh` does
        return made

    monkeypatch.setattr(reader, "grammar", meanwhile)
    assert reader.validate(type_of("R"), etree.fromstring("<R><E>1</E></R>")) == ()
    assert reader.validate(type_of("R"), etree.fromstring("<R><E>2026-01-01</E></R>")) == ()


def test_the_least_recently_used_grammar_is_dropped() -> None:
    grammars = Grammars(limit=2)
    package = ping()
    made: list[str] = []

    def get(name: str) -> None:
        def make() -> object:
            made.append(name)
            return compile_grammar(package, 0)

        grammars.get((name, 0, False), make)  # type: ignore[arg-type]

    for name in ["a", "b", "a", "c", "a", "b"]:
        get(name)
    assert made == ["a", "b", "c", "b"]
    assert len(grammars) == 2


def test_threads_never_see_each_others_errors() -> None:
    reader = SchemaReader([edition("1", analyse({"a.xsd": xsd(ROOTS)}))])
    wrong: list[str] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        root = etree.fromstring(f"<R{number}>" + f"<E{number}>x{number}</E{number}>" * 30 + f"</R{number}>")
        good = etree.fromstring(f"<R{number}><E{number}>1</E{number}></R{number}>")
        start.wait()
        for _ in range(150):
            found = reader.validate(type_of(f"R{number}"), root)
            if len(found) != 30 or any(f"x{number}" not in violation.en for violation in found):
                wrong.append(f"{number}: {len(found)}")
            if reader.validate(type_of(f"R{number}"), good):
                wrong.append(f"{number}: a good document had errors")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(reader.grammars) == 1


def test_a_pattern_that_takes_too_long_is_a_violation_not_a_pass() -> None:
    reader = SchemaReader([edition("1", with_pattern("((a|aa)+)+b"))])
    (violation,) = reader.validate(type_of("A"), etree.fromstring("<A>" + "a" * 200 + "</A>"))
    assert violation.code == "schema.too_complex"


def test_a_letter_newer_than_the_engines_tables_is_a_letter() -> None:
    reader = SchemaReader([edition("1", with_pattern(r"\p{L}+"))])
    assert reader.validate(type_of("A"), etree.fromstring("<A>abc</A>")) == ()
    assert len(reader.grammars) == 1  # the slow one is made only in doubt
    assert reader.validate(type_of("A"), etree.fromstring("<A>\u1c90\ua7c0</A>")) == ()
    (violation,) = reader.validate(type_of("A"), etree.fromstring("<A>a1</A>"))
    assert r"pattern \p{L}+." in violation.en  # the published pattern, not the one written out


def test_a_type_of_no_edition_is_refused() -> None:
    reader = SchemaReader([edition("1", ping())])
    for document_type in (type_of("Pong"), DocumentType("TEST", "2", "Ping", "in")):
        with pytest.raises(Rejected, match=r"identify\.unknown"):
            reader.validate(document_type, etree.Element(document_type.root))


def test_validating_costs_little_more_than_the_bare_call() -> None:
    reader = SchemaReader([edition("1", analyse({"a.xsd": xsd(ROOTS)}))])
    content = b"<R1>" + b"<E1>123</E1>" * 400 + b"</R1>"
    root = etree.fromstring(content)
    document_type = reader.identify("R1", edition("1", ping()).starts_at)
    bare = reader.grammar(*reader.catalogue.document(document_type)).schema
    floor, ours = [], []
    for _ in range(25):  # interleaved, so that both see the same weather
        floor.append(timeit.timeit(lambda: bare.validate(root), number=40))
        ours.append(timeit.timeit(lambda: reader.validate(document_type, root, content), number=40))
    assert min(ours) / min(floor) < 1.15  # measured 1.02; the bound leaves room for a busy machine
