"""What is wrong with the syntax of a document, in Polish: libxml2 says it in English only."""

from __future__ import annotations

import re

_OTHER = "błąd składni"
#: libxml2's error numbers (xmlerror.h) -> what its message is searched for, and the words; a group stands for what was found
_WORDS: dict[int, tuple[str, str]] = {
    4: ("", "nie ma elementu głównego, który zaczyna się znakiem <"),
    5: ("", "po końcu elementu głównego coś jeszcze następuje"),
    6: ("", "odwołanie do znaku nie jest liczbą"),
    9: ("", "jest w nim znak, którego XML nie dopuszcza"),
    23: ("", "odwołanie do encji nie kończy się średnikiem (znak & zapisuje się jako &amp;)"),
    26: (r"Entity '(\S+?)'", "encja {0} nie istnieje (znak & zapisuje się jako &amp;)"),
    38: ("", "w wartości atrybutu stoi znak < (zapisuje się go jako &lt;)"),
    39: ("", "wartość atrybutu nie zaczyna się cudzysłowem"),
    40: ("", "wartość atrybutu nie kończy się cudzysłowem"),
    41: (r"attribute (\S+)", "atrybut {0} nie ma wartości"),
    42: (r"Attribute (\S+)", "atrybut {0} występuje dwa razy"),
    45: ("", "komentarz nie jest zakończony"),
    62: ("", "w tekście stoi ]]>"),
    63: ("", "sekcja CDATA nie jest zakończona"),
    64: ("", "deklaracja XML nie stoi na samym początku"),
    65: ("", "między atrybutami brakuje odstępu"),
    68: ("", "w tym miejscu powinna stać nazwa (znak & zapisuje się jako &amp;, znak < jako &lt;)"),
    73: ("", "znacznik nie jest zakończony znakiem >"),
    76: (r"mismatch: (\S+) line (\d+) and (\S+)", "znacznik końcowy {2} nie pasuje do początkowego {0} z wiersza {1}"),
    77: (r"tag (\S+) line (\d+)", "dokument urywa się, zanim skończył się element {0} z wiersza {1}"),
    80: ("", "w komentarzu stoją dwa łączniki obok siebie"),
    201: (r"prefix (\S+)", "przedrostek {0} nie ma zadeklarowanej przestrzeni nazw"),
}


def in_polish(number: int, message: str) -> str:
    """The words for libxml2's error `number`; `message` is its own, from which names are taken."""
    search, words = _WORDS.get(number, ("", _OTHER))
    found = re.search(search, message)
    return words.format(*found.groups()) if found else _OTHER
