"""Sending again: one delivery, all that failed, or what happened in a time."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from certpipe.cli.failure import CommandError
from certpipe.cli.options import Json, TokenFile, Url, parse_instant
from certpipe.cli.resources import ask
from certpipe.cli.show import read, show_json
from certpipe.cli.webhooks.log import show_delivery
from certpipe.cli.webhooks.options import PATH, Endpoint
from schemas.webhooks import DeliveryView, ReplayView


def replay(
    endpoint_id: Endpoint,
    delivery: Annotated[
        int | None, typer.Argument(metavar="[DELIVERY]", min=1, help="One delivery, by its number in the log.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="TIME", parser=parse_instant, help="All that happened since then, in UTC."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", metavar="TIME", parser=parse_instant, help="… and before then.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Send deliveries again: one, or many.

    One of the log, all that failed, or all events of a time, those included that were never sent.

    Example: certpipe webhooks replay 0198f4a2-7c1e-7a54-9b0d-3f6f4c1d2e3a --since 2026-11-30T18:00Z
    """
    if [delivery is not None, failed, since is not None].count(True) != 1 or (until and not since):
        raise CommandError("it is not clear what to send again.", hint="give DELIVERY, --failed, or --since (--until).")
    if delivery is not None:
        path = f"{PATH}/{endpoint_id}/deliveries/{delivery}/replay"
        document = ask("POST", path, url, token_file).body
        if as_json:
            show_json(document)
        else:
            show_delivery(read(DeliveryView, document))
        return
    wanted = {"since": since and since.isoformat(), "until": until and until.isoformat(), "failed": failed}
    count = _all(endpoint_id, {name: value for name, value in wanted.items() if value}, url, token_file)
    if as_json:
        show_json({"replayed": count})
    else:
        typer.echo(f"{count} deliver{'y' if count == 1 else 'ies'} will be sent again.")


def _all(endpoint_id: UUID, wanted: dict[str, Any], url: str | None, token_file: Path | None) -> int:
    """Slice after slice, as the server does them."""
    count, after = 0, 0
    while True:
        document = ask("POST", f"{PATH}/{endpoint_id}/replay", url, token_file, {**wanted, "after": after}).body
        slice_ = read(ReplayView, document)
        count += slice_.replayed
        if slice_.next is None or slice_.next <= after:
            return count
        after = slice_.next
