"""Following an upload and telling of it: what `upload` and `watch` have in common."""

from uuid import UUID

import typer

from certpipe.cli.client import Client
from certpipe.cli.follow import follower
from certpipe.cli.show import show_json, show_upload, verdict
from certpipe.cli.stageline import stage_line
from schemas.status import UploadStatus


async def tell_how_it_goes(
    client: Client, upload_id: UUID, *, seconds: float | None, as_json: bool, each: bool
) -> None:
    """Follow it to its end and exit with the verdict. As JSON, print `each` change on a line, or the end only."""
    if as_json:
        final = await follower(client).follow(upload_id, _print_each if each else _say_nothing, seconds=seconds)
        if not each:
            show_json(final.model_dump(mode="json"))
    else:
        with stage_line() as line:
            final = await follower(client).follow(upload_id, line, seconds=seconds)
        show_upload(final)
    raise typer.Exit(verdict(final.state))


def _print_each(upload: UploadStatus, /) -> None:
    show_json(upload.model_dump(mode="json"), indent=None)


def _say_nothing(_upload: UploadStatus, /) -> None:
    return
