"""`certpipe webhooks test`: whether a receiver takes what it must, and refuses what it must."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.files import is_terminal
from certpipe.cli.options import Json, run
from certpipe.cli.receiver import open_receiver, receiver_address
from certpipe.cli.secretfile import LocalSecret, local_secret, new_secret
from certpipe.cli.show import show_json
from certpipe.cli.webhooks.forgeries import fresh_example, trials
from certpipe.core.clock import SystemClock
from certpipe.notify.signing import Signer
from schemas.events import EventType


def trial(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The receiver, like http://127.0.0.1:3000/hooks.")],
    *,
    type_: Annotated[
        EventType, typer.Option("--type", metavar="TYPE", help="What is sent an example of.")
    ] = EventType.STORED,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", metavar="FILE", help="The receiver's secret; made when it is missing."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try a receiver out, from this machine.

    It gets a signed event twice, and four forgeries that it must refuse.

    Without --secret-file, the secret of the data folder is used, the same as for certpipe listen. Exit code 1 when
    one of them did not go as it must.

    Example: certpipe webhooks test http://127.0.0.1:3000/webhooks --secret-file receiver.secret
    """
    address = receiver_address(address)
    secret = local_secret(secret_file)
    if secret.file is None:
        raise CommandError(
            "there is no secret that the receiver could know.",
            hint="give --secret-file FILE: its own secret, or a file that is not there yet and is made.",
        )
    if secret.made:
        _introduce(secret)
    run(_try(address, type_, secret, as_json=as_json))


def _introduce(secret: LocalSecret) -> None:
    """The receiver cannot know yet what was made just now."""
    typer.echo(f"Made {secret.file}. Give this secret to your receiver: {secret.text}", err=True)
    if not is_terminal(sys.stdin):
        raise CommandError(
            "the receiver does not know this secret yet.", hint="give it the secret, and run this again."
        )
    typer.prompt("Press Enter when it has it", default="", show_default=False, prompt_suffix=" ", err=True)


async def _try(address: str, type_: EventType, secret: LocalSecret, *, as_json: bool) -> None:
    now, results = SystemClock().now(), list[dict[str, Any]]()
    signer, foreign = Signer(secret.keys()), Signer(new_secret().keys())
    async with open_receiver(address) as receiver:
        for each in trials(fresh_example(type_, now), signer, foreign, now):
            outcome = await receiver.post(each.headers, each.body)
            if outcome.status is None and not results:
                raise CommandError(
                    f"the receiver cannot be reached: {outcome.error}.",
                    hint="is it running, at this very address?",
                    exit_code=ExitCode.UNREACHABLE,
                )
            passed = each.passed(outcome.status)
            mend = None if passed else each.mend
            results.append({"name": each.name, "passed": passed, **outcome.view(), "hint": mend})
            if not as_json:
                typer.echo(f"{'✓' if passed else '✗'} {each.name:<29}  {outcome.words()}")
                if mend:
                    typer.echo(f"  → {mend}")
    passed = all(result["passed"] for result in results)
    if as_json:
        show_json({"address": address, "type": type_, "passed": passed, "trials": results})
    raise typer.Exit(ExitCode.FINE if passed else ExitCode.NO)
