"""The catalogue of codes: every reason Brama can give, in Polish and English.

A code is `stage.reason` and never changes its meaning. `verdict` says how the sender of a message hears of it
(the one table of docs/architecture.md): `fault` at once and nothing stored, `npp` a signed refusal with a sysRef,
`none` for what the sender never sees because it happens after acceptance. Texts name what to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["fault", "npp", "none"]


class _Blank(dict[str, object]):
    """Leaves a visible mark where a text asks for something the error did not carry, instead of failing in the error path."""

    def __missing__(self, key: str) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the catalogue; `pl` and `en` are `str.format` templates over the error's context."""

    verdict: Verdict
    pl: str
    en: str

    def text(self, language: str, context: Mapping[str, object]) -> str:
        template = self.pl if language == "pl" else self.en
        return template.format_map(_Blank(context))


CODES: dict[str, Code] = {
    # --- receive: the call itself -------------------------------------------------------------------------------
    "receive.too_large": Code(
        "fault",
        "Dokument ma {size} bajtów, dozwolone jest {limit}. Podziel go albo usuń załączniki.",
        "The document has {size} bytes, {limit} are allowed. Split it or remove attachments.",
    ),
    "receive.base64": Code(
        "fault",
        "Treść dokumentu nie jest poprawnym zapisem Base64: {detail_pl}. Zakoduj dokument raz, bez innych znaków.",
        "The document's content is not valid Base64: {detail}. Encode the document once, without other characters.",
    ),
    "receive.no_content": Code(
        "fault",
        "Brak treści dokumentu (element content). Dołącz dokument zakodowany w Base64.",
        "There is no document content (element content). Put the Base64 of the document there.",
    ),
    "receive.request": Code(
        "fault",
        "Żądanie nie jest poprawnym komunikatem usługi: {detail_pl}. Porównaj je z WSDL.",
        "The request is not a valid message of this service: {detail}. Compare it with the WSDL.",
    ),
    "receive.too_many_attachments": Code(
        "fault",
        "Załączników jest {count}, dozwolone: {limit}. Wyślij pozostałe osobno.",
        "There are {count} attachments, {limit} allowed. Send the others separately.",
    ),
    "receive.message_id_reused": Code(
        "fault",
        "Identyfikator MessageID był już użyty dla innej treści. Nadaj nowy MessageID.",
        "This MessageID was already used for other content. Give the message a new MessageID.",
    ),
    "receive.busy": Code(
        "fault",
        "Zbyt wiele jednoczesnych połączeń. Ponów za {seconds} s; niczego nie przyjęto.",
        "Too many simultaneous connections. Try again in {seconds} s; nothing was accepted.",
    ),
    "receive.too_many_calls": Code(
        "fault",
        "To konto wysyła zbyt wiele żądań naraz. Ponów za {seconds} s; niczego nie przyjęto.",
        "This account sends too many requests at once. Try again in {seconds} s; nothing was accepted.",
    ),
    "receive.too_long": Code(
        "fault",
        "Operacja trwała dłużej niż {seconds} s i została przerwana. Wyślij to samo jeszcze raz: co przyjęto, nie przepadło.",
        "The operation took longer than {seconds} s and was given up. Send the same once more: what was taken is not lost.",
    ),
    "receive.emergency": Code(
        "fault",
        "Kanał działa w trybie awaryjnym; niczego nie przyjęto. {reason_pl}",
        "The channel is in emergency mode; nothing was accepted. {reason_en}",
    ),
    "receive.soap_version": Code(
        "fault",
        "Usługa przyjmuje tylko SOAP 1.1 (przestrzeń nazw http://schemas.xmlsoap.org/soap/envelope/). Zmień wersję koperty.",
        "The service takes SOAP 1.1 only (namespace http://schemas.xmlsoap.org/soap/envelope/). Change the envelope's version.",
    ),
    "receive.must_understand": Code(
        "fault",
        "Nagłówek {header} ma mustUnderstand, a usługa go nie obsługuje. Usuń nagłówek albo ten atrybut.",
        "Header {header} has mustUnderstand but the service does not know it. Remove the header or that attribute.",
    ),
    "receive.mime": Code(
        "fault",
        "Treść nie jest tym, co podaje atrybut mime ({mime}). Popraw atrybut albo dołącz właściwy plik.",
        "The content is not what its attribute mime says ({mime}). Correct the attribute or enclose the right file.",
    ),
    # --- addressing, policy, token: before anything else ----------------------------------------------------------
    "addressing.missing": Code(
        "fault",
        "Brak wymaganego nagłówka WS-Addressing (Action, MessageID, To). Dodaj go.",
        "A required WS-Addressing header (Action, MessageID, To) is missing. Add it.",
    ),
    "addressing.invalid": Code(
        "fault",
        "Nagłówek WS-Addressing {header} występuje dwa razy albo jest za długi. Podaj go raz.",
        "WS-Addressing header {header} stands twice or is too long. Give it once.",
    ),
    "policy.no_token": Code(
        "fault",
        "Brak tokenu UsernameToken ze skrótem hasła. Dodaj nagłówek wsse:Security.",
        "There is no UsernameToken with a password digest. Add a wsse:Security header.",
    ),
    "token.refused": Code(
        "fault",
        "Weryfikacja bezpieczeństwa nie powiodła się. Sprawdź login, skrót hasła, Nonce i czas Created (UTC).",
        "A security error was encountered when verifying the message. Check login, digest, Nonce and Created (UTC).",
    ),
    # --- read: what may be read from the mailbox --------------------------------------------------------------------
    "read.no_permission": Code(
        "fault",
        "Konto nie ma teraz takiego kontekstu albo prawa do dokumentów wszystkich pracowników. Podaj idSISC, w których imieniu działasz.",
        "The account has no such context now, or no right to all employees' documents. Give idSISC that you act for.",
    ),
    "read.period": Code(
        "fault",
        "Podaj dataOd i dataDo, najwyżej 10 dni, albo wskaż dokumenty (korelacjaSysref, sysRef, idWysylki, idSprawy, idDocSysZew).",
        "Give dataOd and dataDo, at most 10 days, or name documents (korelacjaSysref, sysRef, idWysylki, idSprawy, idDocSysZew).",
    ),
    "read.no_sisc": Code(
        "fault",
        "Podaj idSiscROF, idSiscROP albo idSiscP. Bez nich dokumenty pobiera GetNextDocument.",
        "Give idSiscROF, idSiscROP or idSiscP. Without them, documents are collected with GetNextDocument.",
    ),
    "read.criterion": Code(
        "fault",
        "Element {name} ma wartość „{value}”; dozwolone: {detail_pl}.",
        "Element {name} has the value '{value}'; allowed: {detail}.",
    ),
    "read.unknown_system": Code(
        "fault",
        "Nie ma systemu „{system}” (targetSystem). Podaj jeden z: {known}; albo żaden.",
        "There is no system '{system}' (targetSystem). Give one of {known}; or none.",
    ),
    # --- parse ------------------------------------------------------------------------------------------------------
    "parse.malformed": Code(
        "fault",
        "Treść nie jest poprawnym XML (wiersz {line}, kolumna {column}): {detail_pl}. Popraw dokument.",
        "The content is not well-formed XML (line {line}, column {column}): {detail}. Correct the document.",
    ),
    "parse.doctype": Code(
        "fault",
        "Dokument zawiera DOCTYPE albo encje, co jest niedozwolone. Usuń je.",
        "The document has a DOCTYPE or entities, which is not allowed. Remove them.",
    ),
    "parse.encoding": Code(
        "fault",
        "Kodowanie {encoding} nie jest obsługiwane lub nie zgadza się z treścią. Użyj UTF-8.",
        "The encoding {encoding} is not supported or does not match the content. Use UTF-8.",
    ),
    "parse.instruction": Code(
        "fault",
        "Instrukcja przetwarzania wewnątrz dokumentu (wiersz {line}) jest niedozwolona. Usuń ją.",
        "A processing instruction inside the document (line {line}) is not allowed. Remove it.",
    ),
    "parse.inclusion": Code(
        "fault",
        "Element XInclude (wiersz {line}) jest niedozwolony. Wstaw treść wprost do dokumentu.",
        "An XInclude element (line {line}) is not allowed. Put the content into the document itself.",
    ),
    "parse.limit": Code(
        "fault",
        "Dokument przekracza limit: {what} ({value}, dozwolone {limit}). Uprość lub podziel dokument.",
        "The document exceeds a limit: {what} ({value}, {limit} allowed). Simplify or split the document.",
    ),
    # --- identify -----------------------------------------------------------------------------------------------------
    "identify.unknown": Code(
        "fault",
        "Nie ma czynnego schematu dla elementu {root} w przestrzeni nazw „{namespace}”. Sprawdź nazwę i przestrzeń nazw.",
        "There is no active schema for element {root} in namespace '{namespace}'. Check the name and the namespace.",
    ),
    "identify.administration_only": Code(
        "fault",
        "Dokument {root} wysyła tylko administracja; nie można go złożyć.",
        "Document {root} is sent by the administration only; it cannot be submitted.",
    ),
    "identify.edition_retired": Code(
        "fault",
        "Wydanie {edition} dokumentu {root} nie obowiązuje w dniu {date}. Użyj obowiązującego wydania: {current}.",
        "Edition {edition} of document {root} is not in force on {date}. Use the edition in force: {current}.",
    ),
    "identify.ambiguous": Code(
        "fault",
        "Dokument {root} należy do kilku systemów ({systems}) i żaden nie jest domyślny. Skontaktuj się z urzędem.",
        "Document {root} belongs to several systems ({systems}) and none is the default. Contact the customs office.",
    ),
    # --- schemas: importing and looking up editions (for operators) -----------------------------------------------------
    "schemas.package": Code(
        "none",
        "Pakiet schematów odrzucono: {file}{at_pl}: {detail}",
        "The schema package is refused: {file}{at_en}: {detail}.",
    ),
    "schemas.overlap": Code(
        "none",
        "Wydania {edition} i {other} systemu {system} obowiązują jednocześnie od {date} dla {roots}, a żadne nie jest domyślne. "
        "Podaj --from lub --to tak, by się nie nakładały, albo --default.",
        "Editions {edition} and {other} of {system} are both in force from {date} for {roots}, and neither is the default. "
        "Give --from or --to so that they do not overlap, or --default.",
    ),
    "schemas.taken": Code(
        "none",
        "Wydanie {edition} systemu {system} już istnieje z inną treścią. Nadaj inną nazwę albo użyj --replace.",
        "Edition {edition} of {system} exists already with other content. Choose another name, or use --replace.",
    ),
    "schemas.dates": Code(
        "none",
        "Wydanie {edition} kończyłoby się ({end}) nie później, niż się zaczyna ({start}). Popraw daty.",
        "Edition {edition} would end ({end}) no later than it begins ({start}). Correct the dates.",
    ),
    "schemas.manifest": Code(
        "none",
        "Opis wydania {file} jest błędny: {detail}. Popraw plik.",
        "The edition's manifest {file} is wrong: {detail}. Correct the file.",
    ),
    # --- validate -----------------------------------------------------------------------------------------------------
    "validate.schema": Code(
        "npp",
        "Dokument nie jest zgodny ze schematem {edition}, błędów: {count}. {first_pl}",
        "The document does not conform to schema {edition}, errors: {count}. {first_en}",
    ),
    "validate.duplicate_key": Code(
        "npp",
        "Komunikat o identyfikatorze {key} od nadawcy {sender} już przyjęto (sysRef {sys_ref}) z inną treścią. "
        "Nadaj nowy identyfikator komunikatu.",
        "A message with identifier {key} from sender {sender} was already accepted (sysRef {sys_ref}) with other "
        "content. Give the message a new identifier.",
    ),
    # --- signature ----------------------------------------------------------------------------------------------------
    "signature.missing": Code(
        "npp", "Dokument nie jest podpisany. Podpisz go i wyślij ponownie.", "The document is not signed. Sign it and send it again."
    ),
    "signature.multiple": Code(
        "npp",
        "Dokument ma {count} podpisów, dozwolony jest jeden. Usuń pozostałe.",
        "The document has {count} signatures, one is allowed. Remove the others.",
    ),
    "signature.structure": Code(
        "npp",
        "Budowa podpisu jest błędna: {detail}. Podpisz dokument ponownie programem zgodnym z XML-DSig/XAdES.",
        "The signature's structure is wrong: {detail}. Sign again with software that follows XML-DSig/XAdES.",
    ),
    "signature.coverage": Code(
        "npp",
        "Podpis nie obejmuje całego dokumentu: {detail}. Podpisz cały dokument.",
        "The signature does not cover the whole document: {detail}. Sign the whole document.",
    ),
    "signature.algorithm": Code(
        "npp",
        "Algorytm {algorithm} jest niedozwolony. Użyj RSA (od 2048 bitów) lub ECDSA z SHA-256 albo silniejszym.",
        "Algorithm {algorithm} is not allowed. Use RSA (2048 bits or more) or ECDSA with SHA-256 or stronger.",
    ),
    "signature.transform": Code(
        "npp",
        "Przekształcenie {algorithm} jest niedozwolone. Dozwolone: enveloped-signature i kanonizacja.",
        "Transform {algorithm} is not allowed. Allowed: enveloped-signature and canonicalisation.",
    ),
    "signature.reference": Code(
        "npp",
        "Odwołanie podpisu „{uri}” nie wskazuje dokładnie jednego elementu tego dokumentu. Popraw identyfikatory.",
        "The signature's reference '{uri}' does not point at exactly one element of this document. Correct the identifiers.",
    ),
    "signature.digest": Code(
        "npp",
        "Dokument zmieniono po podpisaniu (skrót odwołania „{uri}” się nie zgadza). Podpisz ostateczną treść.",
        "The document was changed after signing (the digest of reference '{uri}' differs). Sign the final content.",
    ),
    "signature.value": Code(
        "npp",
        "Wartość podpisu nie zgadza się z kluczem certyfikatu. Podpisz ponownie właściwym kluczem.",
        "The signature value does not match the certificate's key. Sign again with the right key.",
    ),
    "signature.limit": Code(
        "npp",
        "Podpis przekracza limit: {what} ({value}, dozwolone {limit}).",
        "The signature exceeds a limit: {what} ({value}, {limit} allowed).",
    ),
    "signature.properties": Code(
        "npp",
        "Właściwości podpisu XAdES są błędne: {detail}. Podpisz ponownie.",
        "The XAdES signed properties are wrong: {detail}. Sign again.",
    ),
    # --- certificate --------------------------------------------------------------------------------------------------
    "certificate.missing": Code(
        "npp",
        "Podpis nie zawiera certyfikatu. Dołącz go w KeyInfo/X509Data.",
        "The signature carries no certificate. Put it into KeyInfo/X509Data.",
    ),
    "certificate.untrusted": Code(
        "npp",
        "Certyfikat „{subject}” nie pochodzi od zaufanego wystawcy: {detail}.",
        "Certificate '{subject}' was not issued by a trusted authority: {detail}.",
    ),
    "certificate.expired": Code(
        "npp",
        "Certyfikat „{subject}” stracił ważność {date}. Użyj ważnego certyfikatu.",
        "Certificate '{subject}' expired on {date}. Use a valid certificate.",
    ),
    "certificate.not_yet_valid": Code(
        "npp",
        "Certyfikat „{subject}” będzie ważny dopiero od {date}.",
        "Certificate '{subject}' is valid only from {date}.",
    ),
    "certificate.usage": Code(
        "npp",
        "Certyfikat „{subject}” nie służy do podpisywania dokumentów: {detail}.",
        "Certificate '{subject}' is not meant for signing documents: {detail}.",
    ),
    "certificate.weak": Code(
        "npp",
        "Klucz certyfikatu „{subject}” jest za słaby: {detail}.",
        "The key of certificate '{subject}' is too weak: {detail}.",
    ),
    "certificate.revoked": Code("npp", "Certyfikat „{subject}” unieważniono {date}.", "Certificate '{subject}' was revoked on {date}."),
    # --- keys: the gateway's own key folder and trust anchors --------------------------------------------------------
    "keys.unreadable": Code(
        "none",
        "Nie można odczytać {path}: {detail}. Podaj plik PEM lub DER z certyfikatem (albo kluczem).",
        "Cannot read {path}: {detail}. Name a PEM or DER file with a certificate (or key).",
    ),
    "keys.missing": Code(
        "none",
        "Brak pliku kluczy {path}. Utwórz klucze poleceniem brama init albo wskaż inny folder (BRAMA_HOME).",
        "Key file {path} is missing. Make keys with brama init, or point BRAMA_HOME at another folder.",
    ),
    "keys.readable_by_others": Code(
        "none",
        "Plik {path} mogą czytać inni użytkownicy. Wykonaj: chmod 600 {path}",
        "File {path} can be read by other users. Run: chmod 600 {path}",
    ),
    "keys.mismatch": Code(
        "none",
        "Klucz {path} nie pasuje do certyfikatu pieczęci. Wskaż parę, która do siebie należy.",
        "Key {path} does not belong to the seal's certificate. Use a pair that belongs together.",
    ),
    "keys.secret": Code(
        "none",
        "Nie można odszyfrować zapisanego sekretu: zmieniono go albo klucz secrets.key jest inny. Przywróć właściwy klucz.",
        "A stored secret cannot be decrypted: it was changed or secrets.key is another one. Restore the right key.",
    ),
    # --- confirm: a signed UPD, the confirmation that an official document was served ----------------------------------
    "confirm.unknown": Code(
        "npp",
        "Nie wystawiliśmy UPD o identyfikatorze „{certificate}”. Podpisz UPD, które leży w skrzynce.",
        "We issued no UPD with identifier '{certificate}'. Sign the UPD that lies in your mailbox.",
    ),
    "confirm.altered": Code(
        "npp",
        "Podpisane UPD „{certificate}” różni się od wystawionego. Podpisz je bez żadnych zmian, a podpis dodaj za pieczęcią urzędu.",
        "The signed UPD '{certificate}' differs from the one that was issued. Sign it without any change, behind the office's seal.",
    ),
    "confirm.repeated": Code(
        "npp",
        "UPD „{certificate}” zostało już podpisane i przyjęte (sysRef {sys_ref}); dokument leży w skrzynce. "
        "Nie trzeba go podpisywać ponownie.",
        "UPD '{certificate}' was signed and accepted before (sysRef {sys_ref}); the document lies in the mailbox. "
        "There is no need to sign it again.",
    ),
    "confirm.too_late": Code(
        "npp",
        "Termin odbioru dokumentu z UPD „{certificate}” upłynął {due}; dokument uznano za doręczony i udostępnia się go w skrzynce.",
        "The period to receive the document of UPD '{certificate}' ended at {due}; the document is deemed served and is put into "
        "the mailbox.",
    ),
    # --- authorize ----------------------------------------------------------------------------------------------------
    "authorize.certificate_unknown": Code(
        "npp",
        "Certyfikat podpisu nie jest przypisany do żadnej osoby w rejestrze. Zarejestruj certyfikat.",
        "The signing certificate belongs to no person in the registry. Register the certificate.",
    ),
    "authorize.other_person": Code(
        "npp",
        "Podpisała osoba inna niż właściciel konta. Wyślij z konta osoby podpisującej.",
        "The signer is not the person who owns the account. Send from the signer's own account.",
    ),
    "authorize.account_inactive": Code(
        "npp", "Konto jest nieaktywne. Skontaktuj się z urzędem.", "The account is not active. Contact the customs office."
    ),
    "authorize.account_without_person": Code(
        "npp",
        "Konto nie jest powiązane z żadną osobą w rejestrze. Zarejestruj osobę.",
        "The account is bound to no person in the registry. Register the person.",
    ),
    "authorize.no_party": Code(
        "npp",
        "Dokument nie wskazuje podmiotu, w którego imieniu jest składany. Uzupełnij identyfikator podmiotu.",
        "The document does not name the party on whose behalf it is made. Fill in the party's identifier.",
    ),
    "authorize.unknown_party": Code(
        "npp",
        "Podmiot {party} nie jest zarejestrowany. Zarejestruj podmiot lub popraw identyfikator.",
        "Party {party} is not registered. Register the party or correct the identifier.",
    ),
    "authorize.no_representation": Code(
        "npp",
        "{person} nie reprezentuje podmiotu {party} w chwili {date}. Zgłoś reprezentację.",
        "{person} does not represent party {party} at {date}. Register the representation.",
    ),
    "authorize.representation_ended": Code(
        "npp",
        "{person} nie może działać za podmiot {party} w chwili {date}: ogniwo „{link}” zakończono {ended}. Zgłoś nową reprezentację.",
        "{person} cannot act for party {party} at {date}: link '{link}' was ended at {ended}. Register a new representation.",
    ),
    "authorize.representation_expired": Code(
        "npp",
        "{person} nie może działać za podmiot {party} w chwili {date}: ogniwo „{link}” wygasło {valid_to}. Zgłoś nową reprezentację.",
        "{person} cannot act for party {party} at {date}: link '{link}' expired at {valid_to}. Register a new representation.",
    ),
    "authorize.representation_not_yet_valid": Code(
        "npp",
        "{person} nie może jeszcze działać za podmiot {party} w chwili {date}: ogniwo „{link}” obowiązuje od {valid_from}. "
        "Wyślij dokument po tym terminie.",
        "{person} cannot act for party {party} yet at {date}: link '{link}' holds from {valid_from}. Send the document after that.",
    ),
    "authorize.no_permission": Code(
        "npp",
        "{person} nie ma uprawnienia „{permission}” do podmiotu {party} w chwili {date} („{link}”). Rozszerz pełnomocnictwo.",
        "{person} lacks permission '{permission}' for party {party} at {date} ('{link}'). Extend the power of attorney.",
    ),
    "authorize.link_lacks_permission": Code(
        "npp",
        "{person} nie ma uprawnienia „{permission}” do podmiotu {party} w chwili {date}: brakuje go w ogniwie „{link}”, a przy dwóch "
        "ogniwach liczą się tylko prawa obecne w obu. Uzupełnij je w tym ogniwie.",
        "{person} lacks permission '{permission}' for party {party} at {date}: link '{link}' does not have it, and with two links "
        "only rights present in both count. Add it to that link.",
    ),
    "authorize.other_sender": Code(
        "npp",
        "{person} nie może wysłać dokumentu jako „{sender}” w imieniu podmiotu {party}. Podaj jako nadawcę identyfikator tego podmiotu, "
        "agencji, która go reprezentuje, albo idSISC osoby.",
        "{person} cannot send a document as '{sender}' on behalf of party {party}. Name as sender an identifier of that party, of the "
        "agency that represents it, or the person's idSISC.",
    ),
    "authorize.registry_unavailable": Code(
        "npp",
        "Rejestr uprawnień jest niedostępny, dokumentu nie przyjęto. Wyślij go ponownie później.",
        "The registry of permissions is unavailable, the document was not accepted. Send it again later.",
    ),
    # --- record ---------------------------------------------------------------------------------------------------------
    "record.store_unavailable": Code(
        "fault",
        "Magazyn komunikatów jest chwilowo niedostępny; niczego nie przyjęto. Ponów za chwilę.",
        "The message store is unavailable at the moment; nothing was accepted. Try again shortly.",
    ),
    # --- dispatch: after acceptance -------------------------------------------------------------------------------------
    "route.no_route": Code("none", "Brak trasy dla {system}/{root}. Dodaj trasę.", "There is no route for {system}/{root}. Add a route."),
    "deliver.unavailable": Code("none", "System {system} jest niedostępny: {detail}.", "System {system} is unavailable: {detail}."),
    "deliver.in_doubt": Code(
        "none",
        "Wysłano do {system}, ale odpowiedź nie nadeszła: {detail}. Ponowienie wyśle te same bajty.",
        "Sent to {system}, but its answer was lost: {detail}. A retry sends the same bytes.",
    ),
    "deliver.refused": Code("none", "System {system} odmówił przyjęcia: {detail}.", "System {system} refused the message: {detail}."),
    "deliver.never_sent": Code(
        "none",
        "System {system} twierdzi, że ma już ten komunikat ({detail}), choć wysłano go pierwszy raz. Sprawdź w systemie, co pod tym "
        "identyfikatorem przyjęto, potem ponów albo zamknij.",
        "System {system} says that it has this message already ({detail}), though it was sent for the first time. Find out there "
        "what was taken under its identifier, then retry or discard.",
    ),
    "deliver.abandoned": Code(
        "none",
        "Doręczanie do {system} przerwano {lost} razy z rzędu bez wyniku (proces zakończył się lub stanął). Sprawdź dziennik, potem ponów.",
        "The delivery to {system} was broken off {lost} times in a row without an outcome (its process ended or stood still). See the "
        "log, then retry.",
    ),
    "deliver.misconfigured": Code(
        "none",
        "System {system} nie dopuścił wywołania: {detail}. Sprawdź adres i sekret w ustawieniach ({settings}), potem ponów.",
        "System {system} did not let the call in: {detail}. Check address and secret in the settings ({settings}), then retry.",
    ),
    "reply.garbage": Code(
        "none", "Odpowiedź systemu {system} jest nieczytelna: {detail}.", "The answer of {system} cannot be read: {detail}."
    ),
    "reply.unknown_correlation": Code(
        "none",
        "Odpowiedź {root} systemu {system} nie pasuje do żadnego komunikatu ({correlation}).",
        "Answer {root} of {system} matches no message ({correlation}).",
    ),
    "reply.ambiguous": Code(
        "none",
        "Odpowiedź {root} systemu {system} pasuje do komunikatów różnych kont w imieniu różnych podmiotów ({correlation}).",
        "Answer {root} of {system} matches messages of different accounts for different parties ({correlation}).",
    ),
    "reply.other_system": Code(
        "none",
        "Odpowiedź {root} systemu {system} wskazuje komunikat wysłany do {other}.",
        "Answer {root} of {system} points at a message that was sent to {other}.",
    ),
    "reply.not_servable": Code(
        "none",
        "Odpowiedź {root} systemu {system} trzeba doręczyć za UPD, a ten proces nie ma pieczęci. Ponów poleceniem "
        "brama dead-letters retry tam, gdzie jest folder kluczy.",
        "Answer {root} of {system} must be served against a UPD, and this process has no seal. Retry it with "
        "brama dead-letters retry where the key folder is.",
    ),
    "reply.unauthenticated": Code(
        "fault",
        "Nadawca odpowiedzi nie udowodnił, że jest systemem {system}. Podpisz żądanie kluczem z profilu.",
        "The caller did not prove to be system {system}. Sign the request with the key of the profile.",
    ),
    # --- adapter: what an operator set up wrongly ---------------------------------------------------------------------
    "adapter.profile": Code(
        "none",
        "Profil {file}, miejsce {place}: {detail}.",
        "Profile {file}, at {place}: {detail}.",
    ),
    "adapter.secret": Code(
        "none",
        "Plik z sekretem {file}: {detail}. Zapisz w nim jeden losowy sekret (co najmniej 32 znaki) w wierszu.",
        "Secret file {file}: {detail}. Put one random secret (32 characters or more) on a line of it.",
    ),
    # --- push: handing documents to a trader's own endpoint --------------------------------------------------------------
    "push.url": Code(
        "none",
        "Adres punktu końcowego jest nieprawidłowy: {detail_pl}. Podaj adres taki jak https://edi.firma.example/seap.",
        "The endpoint's address cannot be used: {detail}. Give one like https://edi.company.example/seap.",
    ),
    "push.address": Code(
        "none",
        "Nazwa {host} wskazuje adres {address} ({kind_pl}), z którym brama się nie łączy. Podaj adres publiczny albo dodaj sieć do "
        "BRAMA_PUSH_ALLOW, po czym odblokuj punkt końcowy.",
        "Name {host} stands for {address} ({kind}), which the gateway does not connect to. Give a public address, or add the network to "
        "BRAMA_PUSH_ALLOW, then unblock the endpoint.",
    ),
    "push.unresolved": Code(
        "none",
        "Nie można ustalić adresu nazwy {host}: {detail}. Sprawdź nazwę.",
        "The address of name {host} cannot be found: {detail}. Check the name.",
    ),
    "push.unavailable": Code("none", "Punkt końcowy {host} jest niedostępny: {detail}.", "Endpoint {host} is unavailable: {detail}."),
    "push.in_doubt": Code(
        "none",
        "Wysłano do {host}, ale nie wiadomo, czy dokument przyjęto: {detail}. Ponowienie wyśle ten sam dokument z tym samym dispatchId.",
        "Sent to {host}, but nobody knows whether it was taken: {detail}. A retry sends the same document with the same dispatchId.",
    ),
    "push.misconfigured": Code(
        "none",
        "Punkt końcowy {host} nie wpuszcza bramy: {detail}. Sprawdź adres, login i hasło punktu końcowego.",
        "Endpoint {host} does not let the gateway in: {detail}. Check the endpoint's address, login and password.",
    ),
    "push.later": Code("none", "Punkt końcowy {host} prosi o ponowienie: {detail}.", "Endpoint {host} asks to be called again: {detail}."),
    "push.refused": Code(
        "none",
        "Punkt końcowy {host} odmówił przyjęcia dokumentu: {detail}. Dokument czeka w skrzynce.",
        "Endpoint {host} refused the document: {detail}. It waits in the mailbox.",
    ),
    "unexpected": Code(
        "none",
        "Nieoczekiwany błąd: {kind}. Zobacz dziennik zdarzeń.",
        "Unexpected error: {kind}. See the log.",
    ),
}
