"""Write the pages of docs/reference that follow from the code: codes.md, cli.md, faults.md, settings.md.

    python docs/make_reference.py [FOLDER]

`tests/unit/test_docs.py` fails when a page is not what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from gateway.cli import main
from gateway.cli.codes import page as codes_page
from gateway.codes import CODES
from gateway.errors import GatewayError
from gateway.faults import SOAP_ENVELOPE, SoapFault, soap_fault
from gateway.settings import Settings

REFERENCE = Path(__file__).resolve().parent / "reference"

CLI_PREFACE = """\
# The command `brama`

After `make setup` it stands at `.venv/bin/brama`. Every command takes `-h`; settings come from
[variables or a file](settings.md). People get tables, programs get JSON with `--json`.

| exit code | meaning |
| --- | --- |
| 0 | done; everything looked at is well |
| 1 | done, and the answer is no: not valid, denied, left alone, something to mend, a claim of the demo did not hold |
| 2 | could not do or judge it: wrong options, an unreadable file, a setting, the database; one sentence on stderr says what to change \
(after wrong options the usage line stands above it) |

`brama registry import` ends with 1 when the file is refused (nothing is written then), `brama serve` with 1 when it cannot
listen on its address. `serve`, `worker`, `simulate` and `demo --stay` run until SIGTERM or Ctrl-C.

This page is made by `docs/make_reference.py`.
"""

SETTINGS_PREFACE = """\
# Settings

A variable `BRAMA_<NAME>` wins over the file `brama.toml` in the data folder (`BRAMA_HOME`), and the file over the default.
In the file the names are lower case without prefix. Sizes are bytes, times seconds. Unknown names in the file are refused.
`brama doctor` looks at all of them.

"""

SETTINGS_MORE = """
## Systems

`BRAMA_SYSTEMS__<NAME>` gives the addresses and secret files of customs systems, by the names that their profiles use
(`url_setting`, `secret_setting`). For NCTS2:

| variable | meaning |
| --- | --- |
| `BRAMA_SYSTEMS__NCTS2_URL` | where declarations are posted |
| `BRAMA_SYSTEMS__NCTS2_SECRET_FILE` | file with one shared secret a line, 32 characters or more; the first signs, all are accepted |

A system without an address has no route: what is accepted for it becomes a dead letter (`route.no_route`). An address without
a secret file stops server and worker at their start.

## The file

```toml
# var/brama.toml
listen = "0.0.0.0:8080"
public_url = "https://brama.example.pl"

[systems]
ncts2_url = "https://ncts.example.pl/messages"
ncts2_secret_file = "/etc/brama/ncts2.secret"
```

## The seal's passphrase

`BRAMA_SEAL_PASSPHRASE`, or `BRAMA_SEAL_PASSPHRASE_FILE` with the name of a file, opens an encrypted `keys/seal.key`. They are read by
the key store alone and are no part of the settings, so they never reach a log.

## The data folder

| in `BRAMA_HOME` | what |
| --- | --- |
| `brama.db` (with `-wal`, `-shm`, `.lock`) | [the database](data.md) |
| `keys/seal.key`, `keys/seal.pem` | the gateway's seal on receipts and on what it serves; server and worker read it |
| `keys/trust/*.pem` | the authorities whose certificates may sign declarations |
| `keys/secrets.key` | encrypts channel passwords in the database; lose it and every account needs a new password |
| `brama.toml` | settings, if wanted |

This page is made by `docs/make_reference.py`.
"""


FAULTS_PREFACE = """\
# Faults of the SOAP channel

Każdy błąd, jaki może zwrócić kanał, z przyczyną i sposobem naprawy. *Every fault the channel can answer with, its cause and its
cure.* Where nothing else is said a fault comes with HTTP 500 and `text/xml`, as SOAP 1.1 asks (section 6.2), also to a request in
SOAP 1.2.

What comes first is told, in this order: HTTP, the envelope, its addressing headers, the policy, the token, emergency mode, the limits
of the account, the operation, the document. Texts in `this type` are the channel's contract and never change. Our own sentences (below,
Polish and English) stand in `errorDesc`, in `faultstring` where a fault has no detail, and where the contract prescribes both texts in
a SOAP header beside the fault that no client has to understand:

```xml
<Reason xmlns="urn:brama:seap:reason:1" code="parse.malformed"><pl>...</pl><en>...</en></Reason>
```

`plain`: a fault without detail. `tech`: detail `techErrorFault`. `business`: detail `businessErrorFault`. `ns1` stands for the namespace
`http://www.w3.org/2005/08/addressing` (addressing) or `http://ws.apache.org/wss4j` (security). `{...}` is filled in when it happens.
After a fault nothing was taken, whatever the reason, except where the text says otherwise.

"""

FAULTS_MORE = """
## Texts without a detail of ours

Faults about addressing, policy and token say what the channel always said and no more. Whoever is not known is not told whether the
login, the digest, the account or the time was wrong, nor that he is held back after too many wrong tokens (10 of one login from one
address in 5 minutes, 50 from one address; [settings](settings.md)).

## HTTP without a fault

| status | przyczyna i naprawa | cause and cure |
| --- | --- | --- |
| 400, connection closed | Żądanie HTTP jest niejednoznaczne lub błędne (Content-Length razem z Transfer-Encoding, dwa nagłówki Host, \
zawijane nagłówki, złe fragmenty). Użyj zwykłej biblioteki HTTP. | The HTTP request is ambiguous or broken (Content-Length with \
Transfer-Encoding, two Host headers, folded headers, bad chunks). Use an ordinary HTTP library. |
| 404 | Pod tym adresem nic nie ma. Użyj ścieżki z WSDL. | There is nothing at this address. Use the path of the WSDL. |
| 405 | Pod tym adresem nie ma usługi (także przy ukośniku na końcu ścieżki) albo metoda nie jest obsługiwana. Wyślij POST na adres z \
WSDL, co do znaku. | There is no service at this address (a slash at the end is enough), or the method is not supported. POST to the \
address in the WSDL, to the letter. |
| 408 | Żądanie nie nadeszło w całości na czas. Wyślij je szybciej. | The request did not arrive in time. Send it faster. |
| 415 | Zły Content-Type albo żądanie skompresowane. Użyj `text/xml; charset=utf-8` bez kompresji. | Wrong Content-Type, or a \
compressed request. Use `text/xml; charset=utf-8` without compression. |
| 431 | Nagłówki są za duże (ponad 32 KB lub 100 sztuk). Usuń zbędne. | The headers are too large (over 32 KB, or 100 of them). Leave \
out what is not needed. |
| 503, `Retry-After` | Zbyt wiele otwartych połączeń. Ponów później, zamykaj nieużywane. | Too many open connections. Try again later, \
close those not used. |

## SOAP 1.2

A request in SOAP 1.2 gets `soap:VersionMismatch` in a SOAP 1.1 envelope, with the header `Upgrade` of SOAP 1.2 (part 1, section 5.4.7)
that names the envelope taken here.

This page is made by `docs/make_reference.py`.
"""


def faults_page() -> str:
    """Every code that is told as a fault, grouped by what the sender sees of it."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for code, entry in CODES.items():
        if entry.verdict == "fault" and not code.startswith("reply."):  # `reply` is told to customs systems, as HTTP 403
            groups.setdefault(_seen(soap_fault(GatewayError(code))), []).append(code)
    groups.setdefault(_seen(soap_fault(RuntimeError())), []).append("unexpected")
    return FAULTS_PREFACE + "".join(_fault_rows(groups)) + FAULTS_MORE


def _seen(told: SoapFault) -> tuple[str, ...]:
    """Faultcode, faultstring, kind, errorCode, errorDesc, HTTP status, as far as they are always the same."""
    namespace, local = told.code
    prefix = "soap" if namespace == SOAP_ENVELOPE else "ns1"
    ours = told.kind != "plain" and told.reason is None and told.error_code and told.error_desc
    status = f"{told.status}" + (", `Retry-After`" if told.retry_after else "")
    string = told.string if told.kind != "plain" or not _is_ours(told.string) else ""
    return f"{prefix}:{local}", string, told.kind, told.error_code, "" if ours else told.error_desc, status


def _is_ours(text: str) -> bool:
    return any(entry.en.partition("{")[0] in text for entry in CODES.values() if entry.en.partition("{")[0])


def _fault_rows(groups: dict[tuple[str, ...], list[str]]) -> Iterator[str]:
    for (code, string, kind, error_code, desc, status), codes in groups.items():
        yield f"## {code}{f', {error_code}' if error_code else ''}: {string.splitlines()[0] if string else 'our own text'}\n\n"
        yield f"faultcode `{code}`, {kind}, HTTP {status}"
        yield f", errorCode `{error_code}`, errorDesc {f'`{desc}`' if desc else 'our sentences'}" if error_code else ""
        yield f", faultstring {'`' + ' '.join(string.split()) + '`' if string else 'our sentences'}\n\n"
        yield "| code | przyczyna i naprawa | cause and cure |\n| --- | --- | --- |\n"
        for name in codes:
            pl, en = (_cell(CODES[name].pl), _cell(CODES[name].en)) if name != "unexpected" else (UNEXPECTED_PL, UNEXPECTED_EN)
            yield f"| `{name}` | {pl} | {en} |\n"
        yield "\n"


UNEXPECTED_PL = "Błąd po stronie bramy; niczego nie przyjęto. Ponów później; gdy się powtarza, zgłoś urzędowi."
UNEXPECTED_EN = "An error of the gateway; nothing was accepted. Try again later; if it stays, tell the customs office."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def cli_page() -> str:
    """Every command with its own help text."""
    return CLI_PREFACE + "".join(_sections(main, "brama"))


def _sections(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path, terminal_width=100, help_option_names=["-h", "--help"])
    if path != "brama" and not isinstance(command, click.Group):
        yield f"\n## {path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None  # listed by the group itself
            yield from _sections(found, f"{path} {name}")


def settings_page() -> str:
    """Every field of the settings, with its variable, type and default."""
    rows = ["| variable | default | meaning |\n| --- | --- | --- |\n"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None, {}) else f"`{field.default}`"
        rows.append(f"| `BRAMA_{name.upper()}` | {default or 'empty'} | {field.description} |\n")
    return SETTINGS_PREFACE + "".join(rows) + SETTINGS_MORE


PAGES = {"codes.md": lambda: codes_page(CODES), "cli.md": cli_page, "faults.md": faults_page, "settings.md": settings_page}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")
