"""A document that is no XML: where, and what, in Polish and in English."""

from __future__ import annotations

import pytest

from gateway.errors import Rejected
from gateway.security.xml import parse

WORDS = {
    b"": "elementu głównego",
    b"to nie jest XML": "elementu głównego",
    b"<a>": "zanim skończył się element a z wiersza 1",
    b"<a>\n<b>\n</a>": "znacznik końcowy a nie pasuje do początkowego b z wiersza 2",
    b"<a": "nie jest zakończony znakiem >",
    b"<a b></a>": "atrybut b nie ma wartości",
    b"<a b=c/>": "nie zaczyna się cudzysłowem",
    b"<a b='x/>": "nie kończy się cudzysłowem",
    b"<a b='<'/>": "&lt;",
    b"<a b='1' b='2'/>": "atrybut b występuje dwa razy",
    b"<a b='1'c='2'/>": "brakuje odstępu",
    b"<a>&nic;</a>": "encja nic nie istnieje",
    b"<a>&nic</a>": "średnikiem",
    b"<a>Jan & syn</a>": "&amp;",
    b"<x:a/>": "przedrostek x",
    b"<a/><b/>": "po końcu elementu głównego",
    b"<a>\x01</a>": "którego XML nie dopuszcza",
    b"<a>&#xZ;</a>": "nie jest liczbą",
    b"<a><![CDATA[x</a>": "CDATA",
    b"<a><!-- x</a>": "komentarz nie jest zakończony",
    b"<a>]]></a>": "]]>",
    b" <?xml version='1.0'?><a/>": "deklaracja XML",
    b"<?xml version='1.1'?><a/>": "w wersji 1.0",
    b"<a:b:c/>": "błąd składni",
}


@pytest.mark.parametrize("content", WORDS)
def test_what_is_wrong_is_said_in_polish(content: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        parse(content)
    told = refusal.value.text("pl")
    assert refusal.value.code == "parse.malformed"
    assert WORDS[content] in told
    assert refusal.value.context["detail"] not in told, "not the English words"
    assert str(refusal.value.context["detail"]) in refusal.value.text("en")
