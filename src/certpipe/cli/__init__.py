"""The command line. Importing this imports no command: each is loaded when it runs."""

import io
import logging
import os
import sys
from typing import Annotated, Any

import typer

from certpipe.cli.group import CONTEXT, Entry, LazyGroup

COMMANDS = {
    "upload": Entry("certpipe.cli.upload:upload", "Submit a certificate, its key and its password."),
    "status": Entry("certpipe.cli.status:status", "Show one upload, or list them."),
    "watch": Entry("certpipe.cli.status:watch", "Follow an upload until it ends."),
    "check": Entry("certpipe.cli.check:check", "Prove a certificate and its key on this machine."),
    "serve": Entry("certpipe.cli.serve:serve", "Run the doors, with the dialects of these vendors."),
    "org": Entry("certpipe.cli.org:app", "Organizations and their AMQP producers."),
    "party": Entry("certpipe.cli.party:app", "Parties: whom certificates belong to."),
    "webhooks": Entry("certpipe.cli.webhooks:app", "Webhook endpoints, their deliveries, and a trial of a receiver."),
    "listen": Entry("certpipe.cli.listen:listen", "Print events as they happen, and post them to your receiver."),
    "dead": Entry("certpipe.cli.dead:app", "Dead letters: what failed, or could not be delivered. For operators."),
    "services": Entry("certpipe.cli.pacs:app", "The PACs' services: used, or left alone. For operators."),
    "token": Entry("certpipe.cli.token:token", "Issue a development token."),
    "keys": Entry("certpipe.cli.keys:app", "The key files: make them, list them."),
    "migrate": Entry("certpipe.cli.migrate:migrate", "Bring the database's schema up to date."),
    "topology": Entry("certpipe.cli.topology:app", "The broker's exchanges and queues."),
    "rebuild": Entry("certpipe.cli.rebuild:rebuild", "Let everything go on after a broker lost what it held."),
    "simulate": Entry("certpipe.cli.simulate:simulate", "Run a simulated PAC."),
    "doctor": Entry("certpipe.cli.doctor:doctor", "Look for what is wrong, and say what helps."),
}

EPILOG = (
    "Exit codes: 0 fine · 1 the answer is no (rejected, failed, invalid) · 2 wrong use, or refused · "
    "3 the service cannot be reached · 4 timed out waiting · 70 a defect of ours · 130 interrupted. "
    "Address and token: --url and --token-file, else CERTPIPE_URL and CERTPIPE_TOKEN, else dev.json in the data "
    "folder (CERTPIPE_DATA_DIR, .certpipe)."
)


class Commands(LazyGroup):
    """The group of the table above."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.defer(COMMANDS)


app = typer.Typer(
    name="certpipe",
    cls=Commands,
    help="The intake for Mexican tax certificates: proved, locked away, handed to the PAC.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help needs a third of the time, and reads the same in a pipe
    context_settings=CONTEXT,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - the parser calls it with the option's value
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - twenty milliseconds that no other command needs

        typer.echo(f"certpipe {version('certpipe')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Do what every command needs before it runs: nothing."""


def main() -> None:
    """Run the command line; always ends by `SystemExit`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old terminal shows a question mark instead of a tick
    if os.environ.get("CERTPIPE_DEBUG") != "1":
        logging.getLogger().addHandler(logging.NullHandler())  # what a library logs is no answer to the caller
    app()
