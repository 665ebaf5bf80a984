"""`brama signatures`: verify the signature of any XML document."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.errors import GatewayError, Rejected
from gateway.message import SignatureReport
from gateway.security.certificates import Trust, load_anchors
from gateway.security.revocation import NoRevocation
from gateway.security.signatures import Policy, Verifier
from gateway.security.structure import SIGNATURE
from gateway.security.xml import HardenedParser

#: Larger files are not read: the doors do not take them either.
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Verdict:
    """One document: the report of a good signature, why it is none, or (in words) why it could not be judged. `before`: of the
    signature that stood before it and is covered by it."""

    file: str
    outcome: SignatureReport | Rejected | str
    before: SignatureReport | None = None

    @property
    def valid(self) -> bool | None:
        return None if isinstance(self.outcome, str) else isinstance(self.outcome, SignatureReport)

    def as_json(self) -> dict[str, object]:
        line: dict[str, object] = {"file": self.file, "valid": self.valid}
        line |= dict.fromkeys(("code", "reason", "reason_pl", "signed", "signer"))
        if isinstance(self.outcome, str):
            return line | {"reason": self.outcome}
        if isinstance(self.outcome, Rejected):
            return line | {"code": self.outcome.code, "reason": self.outcome.text("en"), "reason_pl": self.outcome.text("pl")}
        report, signer = self.outcome, self.outcome.signer
        line |= {"signed": report.signed, "signer": signer.subject, "issuer": signer.issuer, "serial": str(signer.serial)}
        line |= {"fingerprint": signer.fingerprint, "algorithm": report.algorithm, "digest": report.digest_algorithm}
        claimed_at = report.claimed_at.isoformat() if report.claimed_at else None
        line |= {"form": report.form, "claimed_at": claimed_at, "revocation": report.revocation}
        return line if self.before is None else line | {"signed_before_by": self.before.signer.subject}

    def for_people(self) -> str:
        if isinstance(self.outcome, str):
            return f"{click.style('unknown', fg='yellow')}  {self.file}: {self.outcome}"
        if isinstance(self.outcome, Rejected):
            return f"{click.style('invalid', fg='red')}  {self.file}: {self.outcome.code}: {self.outcome.text('en')}"
        report = self.outcome
        signer = f"{report.signer.subject} ({report.form}, {report.algorithm}; revocation {report.revocation})"
        before = f", before him by {self.before.signer.subject}" if self.before else ""
        return f"{click.style('valid', fg='green')}    {self.file}: {report.signed} signed by {signer}{before}"


@click.group()
def signatures() -> None:
    """Signatures of XML documents."""


@signatures.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--trust", "trust", multiple=True, required=True, type=click.Path(path_type=Path), help="PEM or DER file, or folder, of trusted CAs"
)
@click.option("--at", "at", help="judge certificates as of this time (ISO 8601; without zone: UTC); default now")
@click.option("--countersigned", is_flag=True, help="one more signature may stand before the last; both must be good (a UPD)")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
def verify(files: tuple[Path, ...], trust: tuple[Path, ...], at: str | None, countersigned: bool, as_json: bool) -> None:
    """Say for each FILE whether its signature is good, what exactly it covers and who signed.

    Nothing is fetched. The signed part must be the root, or stand alone in its parent under a name that occurs once; what
    else the file says is nobody's word. Exit code 0: all valid; 1: some are not; 2: could not judge.
    """
    moment = _moment(at)
    try:
        verifier = Verifier(Trust(load_anchors(trust)), NoRevocation(), Policy(require_root=False))
    except GatewayError as error:
        click.echo(f"Error: {error.text('en')}", err=True)
        sys.exit(2)
    parser = HardenedParser()
    verdicts: list[bool | None] = []
    show_progress = len(files) > 20 and sys.stderr.isatty() and not sys.stdout.isatty()
    with click.progressbar(files, file=sys.stderr, hidden=not show_progress) as progress:
        for file in progress:
            verdict = _judge(file, parser, verifier, moment, countersigned)
            verdicts.append(verdict.valid)
            if verdict.valid is None:
                click.echo(f"Error: {verdict.outcome}", err=True)
            click.echo(json.dumps(verdict.as_json(), ensure_ascii=False) if as_json else verdict.for_people())
    sys.exit(2 if None in verdicts else 0 if all(verdicts) else 1)


def _judge(file: Path, parser: HardenedParser, verifier: Verifier, at: datetime, countersigned: bool) -> _Verdict:
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        return _Verdict(str(file), f"cannot read {file}: {error.strerror or error}. Name a readable XML file.")
    try:
        if size > MAX_BYTES:
            raise Rejected("receive.too_large", size=size, limit=MAX_BYTES)
        rest, report = verifier.verify(verifier.set_aside(parser.parse(content), countersigned), at)
        before = None
        if countersigned and next(rest.iter(SIGNATURE), None) is not None:  # as it was when the first one signed
            _, before = verifier.verify(verifier.set_aside(rest), at)
    except Rejected as defect:
        return _Verdict(str(file), defect)
    return _Verdict(str(file), report, before)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write for example 2026-11-20T12:00:00Z", param_hint="--at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
