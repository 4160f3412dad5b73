"""The first upload of a new installation, by HTTP like anybody's, told step by step."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import aiohttp

from certpipe.starting import RefusedToStart
from schemas.base import Kind
from schemas.status import State, UploadStatus

SECONDS = 30


async def first_upload(
    url: str, token: str, party_id: UUID, pair: tuple[Path, Path, Path], tell: Callable[[str], None]
) -> None:
    """Send the CSD of `pair` and wait for its end. Raises `RefusedToStart` when it does not end as `forwarded`."""
    certificate, private_key, password = (file.read_bytes() for file in pair)
    form = aiohttp.FormData()
    form.add_field("certificate", certificate, filename="demo.cer")
    form.add_field("private_key", private_key, filename="demo.key")
    form.add_field("password", password.decode())
    form.add_field("party_id", str(party_id))
    form.add_field("kind", Kind.CSD.value)
    headers = {"Authorization": f"Bearer {token}", "Prefer": f"wait={SECONDS}"}
    async with (
        aiohttp.ClientSession(trust_env=False) as http,
        http.post(f"{url}/v1/uploads", data=form, headers=headers) as answer,
    ):
        body = await answer.read()
        if not answer.ok:
            raise RefusedToStart(f"the first upload was answered {answer.status}: {body.decode(errors='replace')}")
    status = UploadStatus.model_validate_json(body)
    started = status.created_at
    for entry in status.history:
        whose = f"  {entry.destination}" if entry.destination else ""
        tell(f"  {(entry.at - started).total_seconds() * 1_000:7.1f} ms  {entry.type}{whose}")
    for problem in status.problems:
        tell(f"  {problem.code}: {problem.message_en}")
    tell(f"  upload {status.id}: {status.state}")
    if status.state is not State.FORWARDED:
        raise RefusedToStart("the first upload did not end as `forwarded`; see the lines above")
