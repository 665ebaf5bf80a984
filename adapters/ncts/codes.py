"""What only NCTS says: the functional error codes of phase 5 and their names.

Source: the code list of functional errors of NCTS phase 5; 50 to 52 come from the converter between phases, so a
message can be refused because it cannot be said in the older phase.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FunctionalError:
    """One functional error code, in the words of both languages."""

    pl: str
    en: str


DUPLICATE = "26"
SEQUENCE = "92"

FUNCTIONAL_ERRORS: dict[str, FunctionalError] = {
    "12": FunctionalError("wartość spoza listy kodów", "value is not in the code list"),
    "13": FunctionalError("brak danych wymaganych warunkiem", "data required by a condition are missing"),
    "14": FunctionalError("naruszona reguła", "rule violated"),
    "15": FunctionalError("dane niedozwolone przez warunek", "data not allowed by a condition"),
    "26": FunctionalError("powtórzony identyfikator komunikatu", "duplicate message identification"),
    "50": FunctionalError("naruszone ograniczenie okresu przejściowego", "transitional constraint violated"),
    "51": FunctionalError("błąd składni po przekształceniu do starszej fazy", "syntax error after conversion to the older phase"),
    "52": FunctionalError("błąd funkcjonalny po przekształceniu do starszej fazy", "functional error after conversion to the older phase"),
    "90": FunctionalError("nieznany numer MRN", "unknown MRN"),
    "92": FunctionalError("komunikat poza kolejnością", "message out of sequence"),
    "93": FunctionalError("błędny numer MRN", "invalid MRN"),
}


def describe(code: str) -> str:
    """`14 rule violated`; an unknown code stands for itself."""
    known = FUNCTIONAL_ERRORS.get(code)
    return f"{code} {known.en}" if known else code
