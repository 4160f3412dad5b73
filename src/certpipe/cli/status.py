"""`certpipe status` and `certpipe watch`."""

from typing import Annotated
from uuid import UUID

import typer

from certpipe.cli.client import open_client
from certpipe.cli.connection import Connection, connect
from certpipe.cli.failure import CommandError
from certpipe.cli.following import tell_how_it_goes
from certpipe.cli.options import Json, TokenFile, Url, run
from certpipe.cli.problems import clean
from certpipe.cli.show import read, show_json, show_upload, verdict
from schemas.status import State, UploadPage, UploadStatus


def status(
    upload_id: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="One upload; without it, the list.")] = None,
    *,
    party: Annotated[UUID | None, typer.Option("--party", metavar="ID", help="Only of that party.")] = None,
    state: Annotated[State | None, typer.Option("--state", help="Only in that state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many of them.")] = 20,
    cursor: Annotated[UUID | None, typer.Option("--cursor", metavar="ID", help="Go on after that upload.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Show one upload, or list them, newest first.

    Exit code 1 when the upload was rejected, failed or superseded.

    Example: certpipe status --state rejected
    """
    if upload_id and (party or state or cursor):
        raise CommandError("--party, --state and --cursor are for the list.", hint="leave out the id, or them.")
    connection = connect(url, token_file)
    if upload_id:
        run(_one(connection, upload_id, as_json=as_json))
    else:
        wanted = {"party_id": party, "state": state, "cursor": cursor, "limit": limit}
        run(_list(connection, {name: str(value) for name, value in wanted.items() if value}, as_json=as_json))


async def _one(connection: Connection, upload_id: UUID, *, as_json: bool) -> None:
    async with open_client(connection) as client:
        document = (await client.get(f"/v1/uploads/{upload_id}")).body
    upload = read(UploadStatus, document)
    if as_json:
        show_json(document)
    else:
        show_upload(upload)
    raise typer.Exit(verdict(upload.state))


async def _list(connection: Connection, wanted: dict[str, str], *, as_json: bool) -> None:
    async with open_client(connection) as client:
        document = (await client.get("/v1/uploads", wanted)).body
    page = read(UploadPage, document)
    if as_json:
        show_json(document)
        return
    if not page.items:
        typer.echo("no uploads.")
    for upload in page.items:
        rfc = clean(upload.certificate.rfc or "") if upload.certificate else ""
        codes = ", ".join(clean(problem.code) for problem in upload.problems)
        line = f"{upload.id}  {upload.state:<10}  {upload.kind:<4}  {upload.updated_at:%Y-%m-%d %H:%M}  {rfc:<13}"
        typer.echo(f"{line}  {codes}".rstrip())
    if page.next:
        typer.echo(f"more: add --cursor {clean(page.next)}")


def watch(
    upload_id: Annotated[UUID, typer.Argument(metavar="ID", help="The upload.")],
    *,
    wait: Annotated[
        float | None, typer.Option("--wait", metavar="SECONDS", min=0, help="Give up after that; else never.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Follow an upload until it ends. With --json, each change is one line of JSON.

    Example: certpipe watch 0198f4a2-7c1e-7a54-9b0d-3f6f4c1d2e3a
    """
    run(_watch(connect(url, token_file), upload_id, seconds=wait, as_json=as_json))


async def _watch(connection: Connection, upload_id: UUID, *, seconds: float | None, as_json: bool) -> None:
    async with open_client(connection) as client:
        await tell_how_it_goes(client, upload_id, seconds=seconds, as_json=as_json, each=True)
