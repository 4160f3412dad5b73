"""`certpipe rebuild`: everything that waits goes to the broker again."""

import typer

from certpipe.cli.connection import redact
from certpipe.cli.environment import database_url
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.options import Json, run
from certpipe.cli.show import show_json
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.store.backlog import StoreBacklog
from certpipe.store.database import Database
from certpipe.store.migrate import DatabaseRefusedError
from certpipe.store.suspects import StoreSuspects


def rebuild(*, as_json: Json = False) -> None:
    """Make every upload at CERTPIPE_DATABASE_URL that has not ended due now, so that the sweeper publishes it again.

    For a broker that lost its disk, after `certpipe topology apply`. Without it they are due within a quarter of an
    hour. Doing it for no reason costs some messages, and changes nothing.
    """
    url = database_url()
    try:
        due = run(_redrive(url))
    except DatabaseRefusedError as error:
        raise CommandError(f"{redact(url)}: {error}") from error
    except Unavailable as error:
        raise CommandError(
            f"the database at {redact(url)} cannot be reached.",
            hint="is PostgreSQL running there? certpipe doctor looks further.",
            exit_code=ExitCode.UNREACHABLE,
        ) from error
    if as_json:
        show_json({"database": redact(url), "due": due})
    else:
        typer.echo(f"{redact(url)}: {due} upload{'' if due == 1 else 's'} due now; the sweeper publishes them.")


async def _redrive(url: str) -> int:
    database = await Database.open(url, connections=1)
    try:
        return await StoreBacklog(database, SystemClock()).redrive() + await StoreSuspects(database).redrive()
    finally:
        await database.close()
