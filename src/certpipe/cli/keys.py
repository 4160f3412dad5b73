"""`certpipe keys`: make and list the keys of this installation. Never shows key material."""

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from certpipe.crypto.keyfiles import (
    KEY_BYTES,
    PUBLIC_DOCUMENTS,
    KeyFile,
    KeyFolderError,
    fault,
    key_files,
    wrong_length,
)
from certpipe.crypto.keymaking import init_keys
from certpipe.settings import Settings

app = typer.Typer(help="Make and list the keys of this installation.", no_args_is_help=True)

KeysDir = Annotated[
    Path | None, typer.Option("--keys-dir", help="The key folder (CERTPIPE_KEYS_DIR, or keys/ in the data folder).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("init")
def init(keys_dir: KeysDir = None, *, as_json: AsJson = False) -> None:
    """Make the keys that are missing. Never overwrites one; doing it again changes nothing.

    Exits 1 when the folder cannot be used.
    """
    folder = keys_dir or Settings().keys
    try:
        made = init_keys(folder)
    except KeyFolderError as error:
        raise _refused(error) from None
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "made": [path.name for path in made]}))
        return
    for path in made:
        typer.echo(f"made {path}")
    typer.echo("Back this folder up apart from the database." if made else f"{folder}: nothing is missing")


@app.command("list")
def list_keys(keys_dir: KeysDir = None, *, as_json: AsJson = False) -> None:
    """List the keys and what is wrong with their files. Opens none of them.

    Exits 1 when something is wrong.
    """
    folder = keys_dir or Settings().keys
    try:
        rows = [_row(file) for file in key_files(folder)]
    except KeyFolderError as error:
        raise _refused(error) from None
    problems = [*_folder_problems(folder), *(row["problem"] for row in rows if row["problem"])]
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "keys": rows, "problems": problems}))
    else:
        _print_table(rows)
        for problem in problems:
            typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)


def _row(file: KeyFile) -> dict[str, Any]:
    status = file.path.stat()
    problem = fault(file.path, status, forbidden=0o077, remedy="chmod 600")
    if problem is None and status.st_size != KEY_BYTES:
        problem = wrong_length(file.path)
    return {
        "kid": file.kid,
        "kind": file.kind,
        "version": file.version,
        "created": datetime.fromtimestamp(int(status.st_mtime), UTC).isoformat().replace("+00:00", "Z"),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "problem": problem,
    }


def _folder_problems(folder: Path) -> Iterator[str]:
    status = folder.stat()
    if status.st_mode & 0o022 or status.st_uid not in {0, os.geteuid()}:
        yield f"{folder}: others may put files there; close it with: chmod 700 {folder}"
    for public in (folder / document for document in PUBLIC_DOCUMENTS.values()):
        if not public.exists():
            yield f"{public}: missing; make it with: certpipe keys init"
        elif problem := fault(public, public.stat(), forbidden=0o022, remedy="chmod 644"):
            yield problem


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("kid", "kind", "version", "created", "mode", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row[column]) for column in ("kid", "kind", "version", "created", "mode")))
    Console().print(table)


def _refused(error: KeyFolderError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(2)
