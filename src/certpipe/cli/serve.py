"""`certpipe serve`: becomes the process of the doors, or of everything."""

import os
import sys
from typing import Annotated

import typer

from certpipe.cli.failure import CommandError
from certpipe.dialects import DIALECTS


def serve(
    *,
    dialects: Annotated[
        str | None,
        typer.Option("--dialects", metavar="NAMES", help=f"Of {', '.join(DIALECTS)}: which; all where not given."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every role in one process, as `make up` does; not for production.")
    ] = False,
) -> None:
    """Run the doors, HTTP and AMQP, and speak these vendors' dialects: `--dialects invopop,lummy`, or "" for none.

    It takes its other settings from the environment, and its place: the process is `python -m workers.ingress` then.
    """
    environment = dict(os.environ)
    if dialects is not None:
        for name in filter(None, (word.strip() for word in dialects.split(","))):
            if name not in DIALECTS:
                raise CommandError(f"there is no dialect `{name}`.", hint=f"there are: {', '.join(DIALECTS)}.")
        environment["CERTPIPE_DIALECTS"] = dialects
    sys.stdout.flush()
    # -P: nothing is imported from the folder that this happens to run in.
    arguments = [sys.executable, "-P", "-m", "workers.all" if everything else "workers.ingress"]
    os.execve(sys.executable, arguments, environment)  # noqa: S606 - our own interpreter, without any shell
