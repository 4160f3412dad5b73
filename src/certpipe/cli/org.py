"""`certpipe org`: organizations, and the AMQP users that publish for them."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer

from certpipe.cli.options import Json, TokenFile, Url
from certpipe.cli.resources import list_them, put_one, segment, show_one

app = typer.Typer(no_args_is_help=True, help="Organizations and their AMQP producers.")

Organization = Annotated[UUID, typer.Argument(metavar="ID", help="The organization; a UUID of your choice.")]


@app.command()
def put(
    organization_id: Organization,
    *,
    rfc: Annotated[str, typer.Option("--rfc", help="Its RFC.")],
    name: Annotated[str, typer.Option("--name", help="Its name.")],
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Create an organization or change it; for operators. Whoever creates it owns it."""
    document: Mapping[str, Any] = {"rfc": rfc, "name": name}
    put_one(f"/v1/organizations/{organization_id}", document, url, token_file, as_json=as_json)


@app.command()
def show(
    organization_id: Organization, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Show one organization."""
    show_one(f"/v1/organizations/{organization_id}", url, token_file, as_json=as_json)


@app.command("list")
def list_organizations(*, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List your organizations."""
    list_them("/v1/organizations", ("id", "rfc", "name"), url, token_file, as_json=as_json)


@app.command()
def producer(
    organization_id: Organization,
    user: Annotated[str, typer.Argument(metavar="USER", help="The broker's user name.")],
    *,
    clear: Annotated[
        bool, typer.Option("--clear/--no-clear", help="Whether it may publish bundles that are not sealed.")
    ] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Let a broker's user publish uploads for this organization; for operators."""
    path = f"/v1/organizations/{organization_id}/producers/{segment(user, 'user')}"
    put_one(path, {"may_send_clear": clear}, url, token_file, as_json=as_json)
