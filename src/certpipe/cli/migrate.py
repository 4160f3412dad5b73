"""`certpipe migrate`: the database's schema."""

from collections.abc import Sequence
from typing import Annotated

import typer

from certpipe.cli.connection import redact
from certpipe.cli.environment import database_url
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.options import Json, run
from certpipe.cli.show import show_json
from certpipe.store.failures import unavailable
from certpipe.store.migrate import DatabaseRefusedError, connect, require_current
from certpipe.store.migrate import migrate as apply


def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: exit 1 when the schema is not this one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database at CERTPIPE_DATABASE_URL to this version's schema. Doing it again changes nothing.

    Refuses a database that is somebody else's, and a schema newer than this program.
    """
    url = database_url()
    applied: Sequence[str] = ()
    if check:
        try:
            run(look(url))
        except DatabaseRefusedError as error:
            raise CommandError(str(error), exit_code=ExitCode.NO) from error
    else:
        applied = run(apply(url))
    if as_json:
        show_json({"database": redact(url), "current": True, "applied": list(applied)})
        return
    for name in applied:
        typer.echo(f"applied {name}")
    typer.echo(f"{redact(url)} has this version's schema.")


async def look(url: str) -> None:
    """Raises `DatabaseRefusedError` when the schema is not this version's, `Unavailable` when nobody answers."""
    with unavailable():
        connection = await connect(url)
        try:
            await require_current(connection)
        finally:
            await connection.close(timeout=5)
