"""Putting, showing and listing what the directory holds: the same for organizations and parties."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

from certpipe.cli.client import Answer, open_client
from certpipe.cli.connection import connect
from certpipe.cli.failure import CommandError
from certpipe.cli.options import run
from certpipe.cli.problems import clean
from certpipe.cli.show import show_facts, show_json


def put_one(path: str, document: Mapping[str, Any], url: str | None, token_file: Path | None, *, as_json: bool) -> None:
    """PUT it and print what the server made of it."""
    answer = ask("PUT", path, url, token_file, document)
    _show(answer.document or dict(document), as_json=as_json)


def show_one(path: str, url: str | None, token_file: Path | None, *, as_json: bool) -> None:
    """GET it and print it."""
    _show(ask("GET", path, url, token_file).body, as_json=as_json)


def list_them(path: str, columns: Sequence[str], url: str | None, token_file: Path | None, *, as_json: bool) -> None:
    """GET the list and print one thing a line."""
    document = ask("GET", path, url, token_file).body
    if as_json:
        show_json(document)
        return
    items = document.get("items")
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not rows:
        typer.echo("none.")
    for row in rows:
        typer.echo("  ".join(clean(row.get(column) or "-") for column in columns))


def ask(
    method: str, path: str, url: str | None, token_file: Path | None, document: Mapping[str, Any] | None = None
) -> Answer:
    """One request to the server, and its answer."""

    async def work() -> Answer:
        async with open_client(connect(url, token_file)) as client:
            return await client.ask(method, path, document)

    return run(work())


def segment(text: str, what: str) -> str:
    """One segment of a path, escaped."""
    if not text or len(text) > 255 or text in {".", ".."} or not text.isprintable():  # noqa: PLR2004 - said below
        raise CommandError(f"that {what} cannot be.", hint=f"a {what} has 1 to 255 printable characters.")
    return quote(text, safe="")


def _show(document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(document)
    else:
        show_facts({name: value for name, value in document.items() if isinstance(value, str | int | bool)})
