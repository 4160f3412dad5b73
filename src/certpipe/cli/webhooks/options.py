"""The options that the commands for webhooks share, and reading what they name."""

import re
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from certpipe.cli.failure import CommandError
from certpipe.cli.files import read_text
from schemas.events import EventType

PATH = "/v1/webhooks"

Endpoint = Annotated[UUID, typer.Argument(metavar="ID", help="The endpoint.")]
EventTypes = Annotated[
    list[EventType] | None,
    typer.Option("--type", metavar="TYPE", help="Only events of this type; may be repeated. Else: every one."),
]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
HeadersFile = Annotated[
    Path | None,
    typer.Option("--headers-file", metavar="FILE", help="Headers for each delivery, as lines of 'Name: value'."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option("--secret-file", metavar="FILE", help="Write the secret to this new file, instead of printing it."),
]

_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x20-\x7e]*?)[ \t]*")


def read_headers(file: Path) -> dict[str, str]:
    """The headers in the file. A value may be a secret: no message quotes a line."""
    headers: dict[str, str] = {}
    for number, line in enumerate(read_text(file, "headers file").splitlines(), start=1):
        if not line.strip():
            continue
        found = _HEADER.fullmatch(line)
        if not found or found[1].lower() in {name.lower() for name in headers}:
            fault = "names a header twice" if found else "is not a header"
            raise CommandError(f"line {number} of {file} {fault}.", hint="each line is like X-Api-Key: value")
        headers[found[1]] = found[2]
    return headers
