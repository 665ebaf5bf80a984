"""Issue sentence: safe under threads (a compiled schema shared by threads hands out another thread's errors)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.caller import Caller, unsigned
from tests.acceptance.estate import Estate


def test_every_sender_gets_his_own_errors(house: Estate, another: Callable[[], Caller]) -> None:
    """Large documents are judged by threads beside the event loop, small ones in it: all at the same time."""
    trader = another()
    wrong = {}
    for number in range(24):
        document = unsigned(f"OWN-{number}", items=154 if number % 2 else 1)
        assert number % 2 == 0 or len(document) > 100_000
        wrong[number] = trader.sign(document.replace(b"<declarationType>", f"<declarationType>OWN-ERROR-{number}-".encode()))
    calls = {number: trader.submission(document) for number, document in wrong.items()}
    with ThreadPoolExecutor(len(calls)) as pool:
        sys_refs = dict(zip(calls, (reply.sys_ref for reply in pool.map(trader.post, calls.values())), strict=True))
    receipts = {mail.information("idDokumentuSEAP")[0]: mail for mail in trader.drain()}
    assert receipts.keys() == set(sys_refs.values())
    for number, sys_ref in sys_refs.items():
        reasons = " ".join(receipts[sys_ref].information("PrzyczynaOdmowy"))
        told = {other for other in sys_refs if f"OWN-ERROR-{other}-" in reasons}
        assert told == {number}
