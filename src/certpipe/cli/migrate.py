"""`certpipe migrate`: the database's schema."""

from collections.abc import Sequence
from typing import Annotated

import typer

from certpipe.cli.connection import redact
from certpipe.cli.environment import database_url
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.options import Json, run
from certpipe.cli.show import show_json
from certpipe.core.errors import Unavailable
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
    try:
        applied: Sequence[str] = run(look(url)) if check else run(apply(url))
    except DatabaseRefusedError as error:
        raise CommandError(f"{redact(url)}: {error}", exit_code=ExitCode.NO if check else ExitCode.WRONG_USE) from error
    except Unavailable as error:
        raise CommandError(
            f"the database at {redact(url)} cannot be reached.",
            hint="is PostgreSQL running there? certpipe doctor looks further.",
            exit_code=ExitCode.UNREACHABLE,
        ) from error
    if as_json:
        show_json({"database": redact(url), "current": True, "applied": list(applied)})
        return
    for name in applied:
        typer.echo(f"applied {name}")
    typer.echo(f"{redact(url)} has this version's schema.")


async def look(url: str) -> Sequence[str]:
    """Nothing, when the schema is this version's. Raises `DatabaseRefusedError` or `Unavailable`."""
    with unavailable():
        connection = await connect(url)
        try:
            await require_current(connection)
        finally:
            await connection.close(timeout=5)
    return ()
