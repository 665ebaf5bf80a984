"""Check digits and forms of identifiers, on values whose digits are known from elsewhere."""

from __future__ import annotations

import pytest

from registry.identifiers import is_eori, is_excise, is_id_sisc, is_nip, is_pesel, is_regon, normal, objection


@pytest.mark.parametrize("nip", ["1234563218", "5260250274"])
def test_nip_with_right_check_digit(nip: str) -> None:
    assert is_nip(nip)
    for digit in "0123456789":
        assert is_nip(nip[:9] + digit) == (digit == nip[9])


@pytest.mark.parametrize("text", ["", "0000000000", "123456321", "12345632180", "123456321X", "１２３４５６３２１８"])
def test_not_a_nip(text: str) -> None:
    assert not is_nip(text)


def test_nip_with_remainder_ten_is_never_issued() -> None:
    prefix = next(f"{n:09d}" for n in range(100_000_000, 100_001_000) if _remainder(f"{n:09d}") == 10)
    assert not any(is_nip(prefix + digit) for digit in "0123456789")


def _remainder(digits: str) -> int:
    return sum(int(d) * w for d, w in zip(digits, (6, 5, 7, 2, 3, 4, 5, 6, 7), strict=True)) % 11


@pytest.mark.parametrize("regon", ["123456785", "732065814", "12345678512347", "23511332857188"])
def test_regon_with_right_check_digit(regon: str) -> None:
    assert is_regon(regon)
    wrong = str((int(regon[-1]) + 1) % 10)
    assert not is_regon(regon[:-1] + wrong)


def test_local_unit_needs_a_right_regon_inside() -> None:
    assert not any(is_regon("123456784" + f"{rest:05d}") for rest in range(0, 100_000, 7))


@pytest.mark.parametrize("pesel", ["44051401359", "02070803628", "02221407563"])
def test_pesel_with_right_check_digit(pesel: str) -> None:
    assert is_pesel(pesel)
    assert not is_pesel(pesel[:10] + str((int(pesel[10]) + 1) % 10))


def test_pesel_needs_a_real_date() -> None:
    for impossible in ("0202310000", "9913010000", "0002300000"):
        assert not any(is_pesel(impossible + digit) for digit in "0123456789")


def test_eori() -> None:
    assert is_eori("PL123456321800000")
    assert not is_eori("PL123456321900000"), "wrong check digit of the NIP inside"
    assert is_eori("PL440514013590000")
    assert is_eori("PL12345678901234Z")
    assert is_eori("DE1234567")
    assert not is_eori("DE")
    assert not is_eori("DE1234567890123456")
    assert not is_eori("D11234567")
    assert not is_eori("PL1234567")


def test_id_sisc() -> None:
    assert is_id_sisc("44051401359000000")
    assert not is_id_sisc("44051401358000000")
    assert is_id_sisc("PL123456321856785")
    assert not is_id_sisc("PL123456321956785")
    assert not is_id_sisc("PL12345632185678")
    assert is_id_sisc("DE123456789000000")


def test_excise() -> None:
    assert is_excise("PL0000000001A")
    assert not is_excise("PL0000000001")


def test_normal_form_and_objection() -> None:
    assert normal("NIP", " 123-456-32-18 ") == "1234563218"
    assert normal("EORI", "pl123456321800000") == "PL123456321800000"
    assert objection("NIP", "1234563218") is None
    assert "check digit" in str(objection("NIP", "1234563219"))
