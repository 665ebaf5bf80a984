"""Forms and check digits of the identifiers of persons and entities. Pure functions over strings of plain ASCII.

Sources: NIP, the algorithm of the Ministry of Finance (weights 6 5 7 2 3 4 5 6 7, modulo 11); REGON, Regulation of the
Council of Ministers of 30 November 2015 on the REGON register (weights for 9 and 14 digits, modulo 11); PESEL, Act on
Population Register of 24 September 2010, art. 15 (weights 1 3 7 9, modulo 10, month shifted by century); EORI,
Implementing Regulation (EU) 2015/2447 (country and up to 15 characters), its Polish forms as used by PUESC; excise
number, Regulation (EU) 389/2012 and the SEED messages (country and 11 characters).
"""

from __future__ import annotations

import re
from datetime import date

NIP_WEIGHTS = (6, 5, 7, 2, 3, 4, 5, 6, 7)
REGON9_WEIGHTS = (8, 9, 2, 3, 4, 5, 6, 7)
REGON14_WEIGHTS = (2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8)
PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
CENTURIES = {80: 1800, 0: 1900, 20: 2000, 40: 2100, 60: 2200}

ID_SISC_LENGTH = 17
KINDS = ("EORI", "NIP", "REGON", "TC", "EXCISE")


def _sum(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit()


def is_nip(text: str) -> bool:
    """Ten digits with the right check digit; a remainder of 10 is never issued."""
    return _digits(text, 10) and text != "0" * 10 and _sum(text, NIP_WEIGHTS) % 11 == int(text[9])


def is_regon(text: str) -> bool:
    """Nine digits, or fourteen of a local unit whose first nine are a REGON too."""
    if _digits(text, 9):
        return text != "0" * 9 and _sum(text, REGON9_WEIGHTS) % 11 % 10 == int(text[8])
    return _digits(text, 14) and is_regon(text[:9]) and _sum(text, REGON14_WEIGHTS) % 11 % 10 == int(text[13])


def is_pesel(text: str) -> bool:
    """Eleven digits: a real date of birth and the right check digit."""
    if not _digits(text, 11):
        return False
    month = int(text[2:4])
    try:
        date(CENTURIES[month // 20 * 20] + int(text[:2]), month % 20, int(text[4:6]))
    except ValueError:
        return False
    return -_sum(text, PESEL_WEIGHTS) % 10 == int(text[10])


def is_eori(text: str) -> bool:
    """Country and up to 15 characters; a Polish one is PL + NIP + 00000, PL + PESEL + 0000 or PL + 14 digits + Z."""
    if not re.fullmatch(r"[A-Z]{2}[!-~]{1,15}", text):
        return False
    if not text.startswith("PL"):
        return True
    if re.fullmatch(r"PL[0-9]{14}Z", text):
        return True
    return (text.endswith("00000") and is_nip(text[2:-5])) or (text.endswith("0000") and is_pesel(text[2:-4]))


def is_excise(text: str) -> bool:
    """Country and eleven letters or digits."""
    return re.fullmatch(r"[A-Z]{2}[A-Z0-9]{11}", text) is not None


def is_tc(text: str) -> bool:
    """A number given by a third country: up to 35 visible characters; their forms differ too much to say more."""
    return re.fullmatch(r"[!-~]{1,35}", text) is not None


def is_id_sisc(text: str) -> bool:
    """Seventeen letters or digits; where it is built from a PESEL (PESEL + 000000) or a NIP (PL + NIP + 5 digits), that
    one's check digit must be right."""
    if not re.fullmatch(r"[A-Z0-9]{17}", text):
        return False
    if re.fullmatch(r"[0-9]{11}000000", text):
        return is_pesel(text[:11])
    if re.fullmatch(r"PL[0-9]{15}", text):
        return is_nip(text[2:12]) or is_eori(text)
    return True


FORMS = {
    "EORI": (is_eori, "an EORI is a country code and up to 15 characters; a Polish one PL + NIP + 00000 (check digit right)"),
    "NIP": (is_nip, "a NIP has 10 digits, the last one a check digit"),
    "REGON": (is_regon, "a REGON has 9 or 14 digits, the last one a check digit"),
    "TC": (is_tc, "a TC number has up to 35 visible characters"),
    "EXCISE": (is_excise, "an excise number is a country code and 11 letters or digits"),
}


def normal(kind: str, text: str) -> str:
    """The identifier as it is stored and looked up: capital letters; in NIP and REGON without spaces and hyphens."""
    text = text.strip().upper()
    return re.sub(r"[\s-]", "", text) if kind in ("NIP", "REGON") else text


def objection(kind: str, value: str) -> str | None:
    """Why `value` is not an identifier of this kind, or None if it is one."""
    holds, form = FORMS[kind]
    return None if holds(value) else form
