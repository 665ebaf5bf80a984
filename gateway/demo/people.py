"""The invented parties of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    given_names: str
    family_name: str
    id_sisc: str
    login: str
    password: str
    key: str

    @property
    def name(self) -> str:
        return f"{self.given_names} {self.family_name}"


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    id_sisc: str
    eori: str


ANNA = Person("Anna", "Przykładowa", "80010112340000000", "anna@agencja.example", "demo-haslo-Anny-2026", "RSA-2048")
JAN = Person("Jan", "Praktykant", "90020212347000000", "jan@agencja.example", "demo-haslo-Jana-2026", "P-256")
PERSONS = (ANNA, JAN)
AGENCY = Entity("Agencja Celna Przykład", "PL700000001500000", "PL700000001500000")
IMPORTER = Entity("Importer Przykład", "PL852963741300000", "PL852963741300000")
