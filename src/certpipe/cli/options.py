"""The options that several commands share."""

from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

Result = TypeVar("Result")

Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="The server; else CERTPIPE_URL, else dev.json.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="A file with the token; else CERTPIPE_TOKEN, else dev.json."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the key's password from standard input.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Read the key's password from a file.")
]


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run what talks to the server."""
    import asyncio  # noqa: PLC0415 - commands that stay on the machine need not pay for it

    return asyncio.run(work)


def parse_instant(text: str) -> datetime:
    """A date (its first instant) or an instant of ISO 8601; UTC where it names no offset."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter("give a date or an instant in UTC, like 2024-01-31 or 2024-01-31T18:00:00Z") from error
