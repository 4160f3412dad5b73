"""`certpipe party`: whom certificates belong to."""

from typing import Annotated
from uuid import UUID

import typer

from certpipe.cli.options import Json, TokenFile, Url
from certpipe.cli.resources import list_them, put_one, show_one
from certpipe.core.ports.directory import PartyKind

app = typer.Typer(no_args_is_help=True, help="Parties: whom certificates belong to.")

Party = Annotated[UUID, typer.Argument(metavar="ID", help="The party; a UUID of your choice.")]


@app.command()
def put(
    party_id: Party,
    *,
    organization: Annotated[UUID, typer.Option("--organization", metavar="ID", help="Whose party it is.")],
    kind: Annotated[PartyKind, typer.Option("--kind", help="What it is called where it comes from.")],
    rfc: Annotated[str, typer.Option("--rfc", help="Its RFC: certificates must be of that RFC.")],
    name: Annotated[str, typer.Option("--name", help="Its name.")],
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Create a party or change it."""
    document = {"organization_id": str(organization), "kind": kind.value, "rfc": rfc, "name": name}
    put_one(f"/v1/parties/{party_id}", document, url, token_file, as_json=as_json)


@app.command()
def show(party_id: Party, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Show one party."""
    show_one(f"/v1/parties/{party_id}", url, token_file, as_json=as_json)


@app.command("list")
def list_parties(
    *,
    organization: Annotated[UUID | None, typer.Option("--organization", metavar="ID", help="Only of that one.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List the parties of your organizations."""
    path = f"/v1/parties?organization_id={organization}" if organization else "/v1/parties"
    list_them(path, ("id", "kind", "rfc", "name"), url, token_file, as_json=as_json)
