"""`certpipe listen`: events as they happen, on this terminal and at a developer's receiver."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from certpipe.cli.client import open_client
from certpipe.cli.connection import Connection, connect
from certpipe.cli.failure import CommandError
from certpipe.cli.following_events import EventStream
from certpipe.cli.options import Json, TokenFile, Url, run
from certpipe.cli.problems import clean
from certpipe.cli.receiver import Outcome, Receiver, open_receiver, receiver_address
from certpipe.cli.secretfile import LocalSecret, local_secret
from certpipe.cli.show import show_json
from certpipe.cli.sse import Message, NoEventsError
from certpipe.core.clock import Clock, SystemClock
from certpipe.notify.signing import Signer
from schemas.events import EventType


def listen(
    *,
    forward_to: Annotated[
        str | None, typer.Option("--forward-to", metavar="URL", help="Sign each event and post it there, too.")
    ] = None,
    types: Annotated[
        list[EventType] | None, typer.Option("--type", metavar="TYPE", help="Only this type; may be repeated.")
    ] = None,
    organization: Annotated[UUID | None, typer.Option("--organization", metavar="ID", help="Only of that one.")] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", metavar="FILE", help="What to sign with; made when it is missing."),
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Print each event as it happens, from now on, until Ctrl-C. With --json, each is one line of JSON.

    With --forward-to, each is posted to a receiver that you are developing, signed as a webhook is, once: there is
    no second attempt.

    Example: certpipe listen --forward-to http://127.0.0.1:3000/webhooks --type certificate.stored
    """
    if secret_file and not forward_to:
        raise CommandError("--secret-file signs what is forwarded.", hint="give --forward-to URL, too.")
    address = receiver_address(forward_to) if forward_to else None
    connection = connect(url, token_file)
    secret = local_secret(secret_file) if address else None
    if secret:
        _aside(_introduction(secret, shown=secret.made or not secret_file))
    wanted = {"types": ",".join(types or ()), "organization_id": str(organization or "")}
    params = {name: value for name, value in wanted.items() if value}
    run(_listen(connection, params, address, secret, as_json=as_json))


def _introduction(secret: LocalSecret, *, shown: bool) -> str:
    where = f"the secret in {secret.file}" if secret.file else "a secret for this run (--secret-file FILE keeps one)"
    return f"forwarded events are signed with {where}{': ' + secret.text if shown else '.'}"


async def _listen(
    connection: Connection,
    params: Mapping[str, str],
    address: str | None,
    secret: LocalSecret | None,
    *,
    as_json: bool,
) -> None:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(connection))
        forwarder = None
        if address and secret:
            receiver = await stack.enter_async_context(open_receiver(address))
            forwarder = Forwarder(receiver, Signer(secret.keys()), clock)
        teller = Teller(forwarder, as_json=as_json)
        stream = EventStream(
            client,
            clock,
            params,
            teller.tell,
            lambda: _aside(f"listening at {connection.url}; Ctrl-C ends it."),
            _aside,
        )
        await stream.follow()


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Signs the very bytes that came, and posts them."""

    receiver: Receiver
    signer: Signer
    clock: Clock

    async def forward(self, event_id: str, body: bytes) -> Outcome:
        """What the receiver did."""
        return await self.receiver.post(self.signer.headers(event_id, self.clock.now(), body), body)


@dataclass(frozen=True, slots=True)
class Teller:
    """Prints the events, and what became of them at the receiver."""

    forwarder: Forwarder | None
    as_json: bool

    async def tell(self, message: Message) -> None:
        """Raises `NoEventsError` for what is no event of ours. Types that this version does not know are told, too."""
        event = _event(message.data)
        if not self.as_json:
            typer.echo(event_line(event))
        outcome = await self.forwarder.forward(str(event["id"]), message.data.encode()) if self.forwarder else None
        if self.as_json:
            show_json({**event, "forwarded": outcome.view()} if outcome else event, indent=None)
        elif outcome:
            typer.echo(f"  {'✓' if outcome.taken else '✗'} {outcome.words()}")


def event_line(event: Mapping[str, Any]) -> str:
    """Time, type, what it is about, RFC, and code or destination, on one line."""
    data = event["data"]
    certificate = data.get("certificate")
    about = (
        data.get("upload_id") or data.get("endpoint_id") or "",
        certificate.get("rfc") or "" if isinstance(certificate, Mapping) else "",
        data.get("destination") or "",
        data.get("code") or "",
    )
    words = "  ".join(clean(word) for word in about if word)
    return f"{clean(event.get('timestamp') or ''):<27}  {clean(event['type']):<23}  {words}".rstrip()


def _event(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoEventsError from error
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict):
        raise NoEventsError
    for name in ("id", "type"):
        word = found.get(name)
        if not isinstance(word, str) or not (word.isascii() and word.isprintable()):
            raise NoEventsError
    return found


def _aside(words: str) -> None:
    """What is no event: standard output holds events alone."""
    typer.echo(f"certpipe: {words}", err=True)
