"""Following an upload by long polling until it ends."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from certpipe.cli.client import Answer
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.show import read
from certpipe.cli.stageline import Watcher
from certpipe.core.clock import Clock, SystemClock
from schemas.status import UploadStatus

LONG_POLL = 20
MOST_FAILURES = 5


class Asking(Protocol):
    """The one thing of a client that following needs."""

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, etag: str | None = None, patience: float = ...
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Follower:
    """Asks again and again, each time for as long as the server will wait; bears a server that restarts."""

    client: Asking
    clock: Clock

    async def follow(self, upload_id: UUID, watcher: Watcher, *, seconds: float | None) -> UploadStatus:
        """The final status. Exit code 4 when it has not ended in `seconds` (None: however long it takes)."""
        try:
            async with asyncio.timeout(seconds):
                return await self._until_ended(upload_id, watcher)
        except TimeoutError as error:
            raise CommandError(
                f"no end after {seconds or 0:g} seconds; the upload goes on.",
                hint=f"certpipe watch {upload_id}",
                exit_code=ExitCode.TIMED_OUT,
            ) from error

    async def _until_ended(self, upload_id: UUID, watcher: Watcher) -> UploadStatus:
        path, etag, failures = f"/v1/uploads/{upload_id}", None, 0
        while True:
            params = {"wait": str(LONG_POLL)} if etag else None
            try:
                answer = await self.client.get(path, params, etag=etag, patience=LONG_POLL + 15)
            except CommandError as error:
                failures += 1
                if error.exit_code is not ExitCode.UNREACHABLE or failures > MOST_FAILURES:
                    raise
                await self.clock.wait(min(0.25 * 2**failures, 5))
                continue
            failures = 0
            if answer.document is None:
                continue
            upload = read(UploadStatus, answer.document)
            watcher(upload)
            if upload.ended:
                return upload
            if answer.headers.get("ETag") in {etag, None}:  # a server that did not wait is not asked in a tight loop
                await self.clock.wait(0.5)
            etag = answer.headers.get("ETag")


def follower(client: Asking) -> Follower:
    """A follower on the machine's clock."""
    return Follower(client, SystemClock())
