"""`certpipe topology`: the broker's exchanges and queues."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from certpipe.broker.topology import BINDINGS, EXCHANGES, QUEUES
from certpipe.cli.connection import redact
from certpipe.cli.environment import amqp_url
from certpipe.cli.failure import ExitCode
from certpipe.cli.options import Json, run
from certpipe.cli.show import show_json
from certpipe.core.clock import SystemClock

if TYPE_CHECKING:
    from certpipe.broker.migration import Migrated

app = typer.Typer(no_args_is_help=True, help="The broker's exchanges and queues.")


@app.command()
def apply(*, as_json: Json = False) -> None:
    """Declare everything at CERTPIPE_AMQP_URL. Doing it again changes nothing."""
    from certpipe.broker import declare  # noqa: PLC0415 - `show` need not load the driver

    url = amqp_url()
    run(declare.apply(url))
    _tell(url, "applied", as_json=as_json)


@app.command()
def verify(*, as_json: Json = False) -> None:
    """See whether everything is at CERTPIPE_AMQP_URL as it must be; creates nothing that is missing."""
    from certpipe.broker import declare  # noqa: PLC0415 - likewise

    url = amqp_url()
    run(declare.verify(url))
    _tell(url, "verified", as_json=as_json)


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Move from an older version's queues to this one's, while workers run. Doing it again goes on where it was.

    An old queue goes when nobody has read it, and nothing was in it, for two minutes: so long a worker that is stopping
    may hold messages. Exit code 1 while one is left: stop the workers of the older version, and run it again.
    """
    from certpipe.broker import migration  # noqa: PLC0415 - likewise

    url = amqp_url()
    migrated = run(migration.migrate(url, clock=SystemClock(), tell=lambda line: typer.echo(line, err=True)))
    if as_json:
        show_json({"broker": redact(url), "queues": [asdict(each) for each in migrated]})
    else:
        gone = sum(each.gone for each in migrated)
        told = f"{len(migrated)} older queues, {gone} of them gone" if migrated else "no older queues"
        typer.echo(f"{redact(url)}: everything declared; {told}.")
        for each in migrated:
            typer.echo(line_of(each))
    raise typer.Exit(ExitCode.FINE if all(each.gone for each in migrated) else ExitCode.NO)


def line_of(migrated: "Migrated") -> str:
    """What became of one old queue, and what is to be done about it."""
    told = f"{migrated.queue:<24}  {migrated.moved} messages moved"
    if migrated.gone:
        return f"{told}, gone"
    return (
        f"{told}, {migrated.left} left, {migrated.consumers} consumers: "
        "stop the workers of the older version when it is empty, and run this again"
    )


@app.command()
def show(*, as_json: Json = False) -> None:
    """Print what is declared; asks no server."""
    if as_json:
        show_json(_document())
        return
    for exchange in EXCHANGES:
        typer.echo(f"exchange  {exchange.name:<24}  {exchange.kind}")
    for queue in QUEUES:
        typer.echo(
            f"queue     {queue.name:<24}  {', '.join(f'{key}={value}' for key, value in queue.arguments.items())}"
        )
    for binding in BINDINGS:
        typer.echo(f"binding   {binding.exchange:<24}  {binding.key or '(any)'} → {binding.queue}")


def _document() -> dict[str, Any]:
    return {
        "exchanges": [{"name": each.name, "type": each.kind} for each in EXCHANGES],
        "queues": [{"name": each.name, "arguments": dict(each.arguments)} for each in QUEUES],
        "bindings": [{"exchange": each.exchange, "queue": each.queue, "key": each.key} for each in BINDINGS],
    }


def _tell(url: str, done: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"broker": redact(url), done: True})
    else:
        typer.echo(f"{redact(url)}: {len(EXCHANGES)} exchanges and {len(QUEUES)} queues {done}.")
