"""The options that several commands share."""

from collections.abc import Coroutine
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
