"""Adding endpoints, and looking at them."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.options import Json, TokenFile, Url
from certpipe.cli.problems import clean
from certpipe.cli.resources import ask
from certpipe.cli.secretfile import new_file
from certpipe.cli.show import read, show_json
from certpipe.cli.webhooks.options import PATH, Description, Endpoint, EventTypes, HeadersFile, SecretFile, read_headers
from certpipe.cli.webhooks.showing import mark, show_endpoint, standing
from schemas.webhooks import WebhookList

Organization = Annotated[
    UUID | None, typer.Option("--organization", metavar="ID", help="Whose events; else your only organization.")
]


def add(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where it gets its events: https.")],
    *,
    organization: Organization = None,
    types: EventTypes = None,
    description: Description = None,
    headers_file: HeadersFile = None,
    secret_file: SecretFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Add an endpoint. Its secret is told once, here.

    Example: certpipe webhooks add https://erp.example.com/certpipe --type certificate.stored --secret-file erp.secret
    """
    document: dict[str, Any] = {"url": address, "types": types or None, "description": description or ""}
    if headers_file:
        document["headers"] = read_headers(headers_file)
    document["organization_id"] = str(organization or _only_organization(url, token_file))
    tell_once(lambda: ask("POST", PATH, url, token_file, document).body, secret_file, as_json=as_json)


def tell_once(work: Callable[[], dict[str, Any]], file: Path | None, *, as_json: bool) -> None:
    """Do what makes a secret, and give it to the caller: into the file, which is made before, or printed."""
    with new_file(file) if file else nullcontext() as write:
        document = work()
        secret = str(document.get("secret") or "")
        if not secret:
            raise CommandError("the server told no secret.", exit_code=ExitCode.UNREACHABLE)
        if write:
            write(secret)
    if as_json:
        show_json({**document, "secret": None} if file else document)
        return
    show_endpoint(document, as_json=False)
    typer.echo(f"The secret stands in {file}." if file else f"The secret, which is told only now: {clean(secret)}")


def _only_organization(url: str | None, token_file: Path | None) -> str:
    items = ask("GET", "/v1/organizations", url, token_file).body.get("items")
    ids = [clean(item.get("id")) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if len(ids) == 1:
        return ids[0]
    raise CommandError(
        f"you have {len(ids) or 'no'} organizations.",
        hint=f"give --organization ID: {', '.join(ids)}" if ids else "certpipe org put makes one, for operators.",
    )


def show(endpoint_id: Endpoint, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Show one endpoint, and how it stands."""
    show_endpoint(ask("GET", f"{PATH}/{endpoint_id}", url, token_file).body, as_json=as_json)


def list_endpoints(
    *,
    organization: Annotated[UUID | None, typer.Option("--organization", metavar="ID", help="Only of that one.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List the endpoints of your organizations."""
    path = f"{PATH}?organization_id={organization}" if organization else PATH
    document = ask("GET", path, url, token_file).body
    if as_json:
        show_json(document)
        return
    items = read(WebhookList, document).items
    if not items:
        typer.echo("none.")
    for item in items:
        types = ", ".join(item.types) if item.types else "every event"
        typer.echo(f"{item.id}  {mark(item)} {standing(item):<18}  {clean(item.url)}  {types}")
