"""Changing, enabling, disabling and removing endpoints."""

from typing import Annotated, Any

import typer

from certpipe.cli.failure import CommandError
from certpipe.cli.options import Json, TokenFile, Url
from certpipe.cli.resources import ask
from certpipe.cli.show import show_json
from certpipe.cli.webhooks.options import PATH, Description, Endpoint, EventTypes, HeadersFile, read_headers
from certpipe.cli.webhooks.showing import show_endpoint


def change(
    endpoint_id: Endpoint,
    *,
    address: Annotated[str | None, typer.Option("--address", metavar="ADDRESS", help="Where it gets them.")] = None,
    types: EventTypes = None,
    every_type: Annotated[bool, typer.Option("--every-type", help="Events of every type.")] = False,
    description: Description = None,
    headers_file: HeadersFile = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="No headers of its own any more.")] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Change an endpoint; what is not named stays as it is.

    Example: certpipe webhooks change 0198f4a2-7c1e-7a54-9b0d-3f6f4c1d2e3a --type upload.rejected --type upload.failed
    """
    if (types and every_type) or (headers_file and no_headers):
        raise CommandError("these options contradict one another.", hint="give one of the two.")
    document: dict[str, Any] = {}
    if address is not None:
        document["url"] = address
    if types or every_type:
        document["types"] = types or None
    if description is not None:
        document["description"] = description
    if headers_file or no_headers:
        document["headers"] = read_headers(headers_file) if headers_file else {}
    if not document:
        raise CommandError(
            "nothing is to be changed.", hint="give --address, --type, --every-type, --description or --headers-file."
        )
    show_endpoint(ask("PATCH", f"{PATH}/{endpoint_id}", url, token_file, document).body, as_json=as_json)


def enable(endpoint_id: Endpoint, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Start an endpoint anew.

    Its failures are forgotten, and what waited is sent.
    """
    document = ask("PATCH", f"{PATH}/{endpoint_id}", url, token_file, {"enabled": True}).body
    show_endpoint(document, as_json=as_json)


def disable(endpoint_id: Endpoint, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Send nothing more to an endpoint, until it is enabled."""
    document = ask("PATCH", f"{PATH}/{endpoint_id}", url, token_file, {"enabled": False}).body
    show_endpoint(document, as_json=as_json)


def remove(endpoint_id: Endpoint, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Remove an endpoint, with its log. To pause it, disable it."""
    ask("DELETE", f"{PATH}/{endpoint_id}", url, token_file)
    if as_json:
        show_json({"id": str(endpoint_id), "removed": True})
    else:
        typer.echo(f"{endpoint_id} is removed.")
