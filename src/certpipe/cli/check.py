"""`certpipe check`: prove a bundle here and now, or at any date. Nothing leaves the machine."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.files import read_bytes, read_password
from certpipe.cli.options import Json, PasswordFile, PasswordStdin, parse_instant
from certpipe.cli.problems import fault_lines
from certpipe.cli.show import show_facts, show_json
from certpipe.core.bundle import Bundle
from certpipe.core.clock import SystemClock
from certpipe.core.hygiene import leave_no_core
from certpipe.core.problems import Problem
from certpipe.sat import rfc as rfcs
from certpipe.sat.check import Verdict
from certpipe.sat.check import check as prove
from certpipe.sat.forms import LARGEST_FILE
from certpipe.sat.trust import Anchors, AnchorsError, Environment
from schemas.base import Kind

_TOLD = ("code", "field", "message_es", "message_en", "hint")
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


def _rfc(text: str) -> str:
    normal = rfcs.normal(text)
    if not rfcs.is_rfc(normal):
        raise typer.BadParameter("that is not an RFC; it has 12 or 13 characters, like EKU9003173C9")
    return normal


def check(
    certificate: Annotated[Path, typer.Argument(metavar="CER", help="The certificate (.cer).")],
    private_key: Annotated[Path, typer.Argument(metavar="KEY", help="The private key (.key).")],
    *,
    kind: Annotated[Kind | None, typer.Option("--kind", help="What it must be; else either will do.")] = None,
    rfc: Annotated[
        str | None, typer.Option("--rfc", metavar="RFC", parser=_rfc, help="Whose it must be; else anybody's will do.")
    ] = None,
    environment: Annotated[
        Environment,
        typer.Option("--environment", envvar="CERTPIPE_SAT_ENVIRONMENT", help="SAT's real ones, or its test ones."),
    ] = Environment.PRODUCTION,
    at: Annotated[
        datetime | None,
        typer.Option("--at", metavar="DATE", parser=parse_instant, help="A date or an instant in UTC; else now."),
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            "--anchors", metavar="FILE", envvar="CERTPIPE_EXTRA_ANCHORS", help="More issuing authorities (JSON)."
        ),
    ] = None,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Prove a certificate and its private key; nothing leaves the machine.

    Every fault is told at once, in Spanish and English. Exit code: 0 valid, 1 rejected, 2 wrong use.
    The password is asked for, or comes by --password-stdin or --password-file; it is never an argument.

    Example: certpipe check firma.cer firma.key --kind fiel --at 2024-01-31
    """
    leave_no_core()
    trusted = _anchors(anchors)
    cer, key = _file(certificate, "certificate"), _file(private_key, "private key")
    bundle = Bundle(
        certificate=cer, private_key=key, password=read_password(from_stdin=password_stdin, file=password_file)
    )
    instant = at or SystemClock().now()
    verdict = prove(bundle, anchors=trusted, environment=environment, at=instant, kind=kind, rfc=rfc)
    if as_json:
        show_json(_document(verdict))
    else:
        _show(verdict, instant)
    raise typer.Exit(ExitCode.FINE if verdict.valid else ExitCode.NO)


def _file(path: Path, what: str) -> bytes:
    """The file, or one byte more than the limit of it: that it is empty or too large is for the check to say."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except (OSError, ValueError):
        return read_bytes(path, what)  # it fails again, and says why


def _anchors(extra: Path | None) -> Anchors:
    packaged = Anchors.packaged()
    if extra is None:
        return packaged
    text = read_bytes(extra, "anchors file", most=16 * LARGEST_FILE)
    try:
        return packaged.with_extra(text.decode("utf-8"))
    except (AnchorsError, UnicodeDecodeError) as error:
        why = error if isinstance(error, AnchorsError) else "it is not UTF-8"
        raise CommandError(
            f"the anchors file {extra} cannot be used: {why}.", hint='it is JSON like {"anchors": [{…}, …]}.'
        ) from error


def _document(verdict: Verdict) -> dict[str, Any]:
    facts = verdict.facts
    return {
        "verdict": "valid" if verdict.valid else "rejected",
        "problems": [_told(problem) for problem in verdict.problems],
        "warnings": [_told(problem) for problem in verdict.warnings],
        "certificate": facts.model_dump()
        | {name: time and time.strftime(_INSTANT) for name, time in _validity(verdict).items()},
    }


def _told(problem: Problem) -> dict[str, str | None]:
    return {name: getattr(problem, name) for name in _TOLD}


def _validity(verdict: Verdict) -> dict[str, datetime | None]:
    return {"valid_from": verdict.facts.valid_from, "valid_to": verdict.facts.valid_to}


def _show(verdict: Verdict, at: datetime) -> None:
    facts = verdict.facts
    kind = {Kind.FIEL: "e.firma (FIEL)", Kind.CSD: "CSD", None: ""}[facts.kind]
    head = "✓ Válido / valid" if verdict.valid else "✗ Rechazado / rejected"
    typer.echo("  ".join(part for part in (head, kind, facts.rfc) if part))
    show_facts(
        {
            "titular / holder": facts.legal_name,
            "representante / representative": facts.representative_rfc,
            "sucursal / branch": facts.branch,
            "número / number": facts.number,
            "vigencia / validity": facts.valid_from
            and facts.valid_to
            and f"{facts.valid_from:{_INSTANT}} a / to {facts.valid_to:{_INSTANT}}",
            "emisor / issuer": facts.issuer and f"{facts.issuer} ({facts.environment or 'no es del SAT / not SAT'})",
            "SHA-256": facts.sha256,
            "revisado al / checked at": f"{at:{_INSTANT}}",
        }
    )
    for title, mark, faults in (
        ("problemas / problems", "✗", verdict.problems),
        ("avisos / warnings", "!", verdict.warnings),
    ):
        if faults:
            typer.echo(f"  {title}:")
            for line in fault_lines([_told(fault) for fault in faults]):
                typer.echo(f"  {line.replace('✗', mark, 1)}")
