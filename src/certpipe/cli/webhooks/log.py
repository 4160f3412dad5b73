"""What was sent to an endpoint, and what came of it."""

from typing import Annotated
from uuid import UUID

import typer

from certpipe.cli.client import Client, open_client
from certpipe.cli.connection import Connection, connect
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.options import Json, TokenFile, Url, run
from certpipe.cli.problems import clean
from certpipe.cli.resources import ask
from certpipe.cli.show import read, show_json
from certpipe.cli.webhooks.advice import advice
from certpipe.cli.webhooks.options import PATH, Endpoint
from certpipe.core.clock import SystemClock
from schemas.webhooks import AttemptView, DeliveryPage, DeliveryState, DeliveryView, PingView, WebhookView

MARKS = {DeliveryState.DELIVERED: "✓", DeliveryState.PENDING: "…", DeliveryState.FAILED: "✗"}
LOOK_AGAIN = 0.2
MOST_EXCERPT = 200


def deliveries(
    endpoint_id: Endpoint,
    *,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="Only in that state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many of them.")] = 20,
    cursor: Annotated[int | None, typer.Option("--cursor", min=1, metavar="NUMBER", help="Go on after it.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List what was sent to an endpoint, newest first.

    Of each: the last status, its latency, and what was answered.

    Example: certpipe webhooks deliveries 0198f4a2-7c1e-7a54-9b0d-3f6f4c1d2e3a --state failed
    """
    wanted = {"state": state, "limit": limit, "cursor": cursor}
    query = "&".join(f"{name}={value}" for name, value in wanted.items() if value)
    document = ask("GET", f"{PATH}/{endpoint_id}/deliveries?{query}", url, token_file).body
    page = read(DeliveryPage, document)
    if as_json:
        show_json(document)
        return
    if not page.items:
        typer.echo("no deliveries.")
    for delivery in page.items:
        show_delivery(delivery)
    if page.next:
        typer.echo(f"more: add --cursor {page.next}")


def show_delivery(delivery: DeliveryView) -> None:
    """One delivery on a line; on a second what the receiver said, where it did not take it."""
    last, count = (delivery.attempts or (None,))[-1], len(delivery.attempts)
    attempts = f"{count} attempt{'' if count == 1 else 's'}"
    line = (
        f"{delivery.id:>8}  {MARKS[delivery.state]} {delivery.state:<9}  {delivery.type:<23}  "
        f"{delivery.created_at:%Y-%m-%d %H:%M:%S}  {attempts:<11}"
    )
    if last:
        line += f"  {outcome(last)}"
    if delivery.next_attempt_at and delivery.state is DeliveryState.PENDING:
        is_due = delivery.next_attempt_at <= SystemClock().now()
        line += "  due" if is_due else f"  next {delivery.next_attempt_at:%Y-%m-%d %H:%M:%S}"
    typer.echo(line.rstrip())
    if last and last.excerpt and delivery.state is not DeliveryState.DELIVERED:
        typer.echo(f"{'':>8}    {clean(last.excerpt)[:MOST_EXCERPT]}")


def outcome(attempt: AttemptView) -> str:
    """Status, why it did not count, and the latency."""
    words = [str(attempt.status) if attempt.status else "", clean(attempt.error or "")]
    return "  ".join([*filter(None, words), f"{attempt.milliseconds} ms"])


def ping(
    endpoint_id: Endpoint,
    *,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Give up waiting for the outcome after that.")
    ] = 30,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Send a test event, and tell what came of it.

    Exit code 1 when it was not taken.
    """
    run(_ping(connect(url, token_file), endpoint_id, wait, as_json=as_json))


async def _ping(connection: Connection, endpoint_id: UUID, seconds: float, *, as_json: bool) -> None:
    import asyncio  # noqa: PLC0415 - the other commands here leave it to `run`

    async with open_client(connection) as client:
        event_id = read(PingView, (await client.ask("POST", f"{PATH}/{endpoint_id}/ping")).body).event_id
        try:
            async with asyncio.timeout(seconds):
                delivery = await _attempted(client, endpoint_id, event_id)
        except TimeoutError as error:
            raise await _unknown(client, endpoint_id, seconds) from error
    taken = delivery.state is DeliveryState.DELIVERED
    if as_json:
        show_json(delivery.model_dump(mode="json"))
    else:
        last = delivery.attempts[-1]
        typer.echo(f"{'✓ taken' if taken else '✗ not taken'}  {outcome(last)}")
        if last.excerpt and not taken:
            typer.echo(f"  {clean(last.excerpt)[:MOST_EXCERPT]}")
        if hint := advice(last):
            typer.echo(f"  → {hint}")
    raise typer.Exit(ExitCode.FINE if taken else ExitCode.NO)


async def _unknown(client: Client, endpoint_id: UUID, seconds: float) -> CommandError:
    """Nobody has tried yet: an endpoint that fails is left in peace for a while."""
    endpoint = read(WebhookView, (await client.get(f"{PATH}/{endpoint_id}")).body)
    if endpoint.paused_until:
        return CommandError(
            f"the endpoint failed {endpoint.failures} times on end, and is paused until "
            f"{endpoint.paused_until:%Y-%m-%d %H:%M:%S} UTC; then the ping goes on.",
            hint=f"certpipe webhooks enable {endpoint_id} ends the pause.",
            exit_code=ExitCode.TIMED_OUT,
        )
    return CommandError(
        f"nothing is known of the ping after {seconds:g} seconds; it goes on.",
        hint=f"certpipe webhooks deliveries {endpoint_id}",
        exit_code=ExitCode.TIMED_OUT,
    )


async def _attempted(client: Client, endpoint_id: UUID, event_id: str) -> DeliveryView:
    """The delivery of that event, once it was attempted."""
    clock = SystemClock()
    while True:
        document = (await client.get(f"{PATH}/{endpoint_id}/deliveries", {"event_id": event_id})).body
        for delivery in read(DeliveryPage, document).items:
            if delivery.attempts:
                return delivery
        await clock.wait(LOOK_AGAIN)
