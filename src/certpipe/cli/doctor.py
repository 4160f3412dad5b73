"""`certpipe doctor`: what is wrong here, and what helps."""

from pathlib import Path

import typer

from certpipe.cli.connection import NO_SERVER, Connection, connect
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.findings import MARKS, Finding, Verdict, wrong
from certpipe.cli.machine import examine
from certpipe.cli.options import Json, TokenFile, Url, run
from certpipe.cli.problems import clean
from certpipe.cli.services import ask
from certpipe.cli.show import show_json
from certpipe.core.clock import SystemClock
from certpipe.settings import Settings


def doctor(*, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Look at this machine, the server, the database and the broker, and say what helps.

    Exit code 1 when something is wrong. No URL is shown with its password.
    """
    settings, clock = Settings(), SystemClock()
    connection, found = _connection(url, token_file)
    findings = [
        *found,
        *examine(settings, connection.token if connection else None, clock.now()),
        *run(ask(settings, connection, clock)),
    ]
    if as_json:
        show_json({"findings": [finding.view() for finding in findings]})
    else:
        for finding in findings:
            _show(finding)
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        raise typer.Exit(ExitCode.NO)


def _connection(url: str | None, token_file: Path | None) -> tuple[Connection | None, list[Finding]]:
    """No server at all is no fault; one that cannot be used is."""
    try:
        return connect(url, token_file), []
    except CommandError as error:
        if error.message == NO_SERVER:
            return None, []
        return None, [wrong("address", error.message, error.hint or "")]


def _show(finding: Finding) -> None:
    first, *more = finding.found.splitlines() or [""]
    typer.echo(f"{MARKS[finding.verdict]} {finding.name:<12}  {clean(first)}")
    for line in more:
        typer.echo(f"  {'':<12}  {clean(line)}")
    if finding.hint:
        typer.echo(f"  {'':<12}  → {finding.hint}")
