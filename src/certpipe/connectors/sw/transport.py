"""One HTTP exchange, and the one thing that matters about its failure: whether the request may have arrived."""

from collections.abc import Mapping
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload
from yarl import URL

from certpipe.connectors.sw import problems
from certpipe.connectors.sw.answers import Answer
from certpipe.core.errors import Unavailable, Uncertain

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of an answer that are read; a page of a hundred certificates is far below."""

_FAILURES = (TimeoutError, aiohttp.ClientError, OSError)


class Transport:
    """Sends, never follows a redirect, never retries what may have changed something.

    Raises `Unavailable` when the request did not go out, `Uncertain` when it may have. No exception carries, or is
    chained to, anything of the request.
    """

    def __init__(self, http: aiohttp.ClientSession, *, timeout: float) -> None:
        self._http = http
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def exchange(self, method: str, url: URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever its status."""
        payload = _Watched(body, content_type="application/json") if body else None
        progress = _Progress(payload)
        try:
            return await self._exchange(method, url, payload, headers, progress)
        except _FAILURES:
            may_have_arrived = progress.may_have_arrived
        # Raised out here, so that not even `__context__` leads to the request.
        raise Uncertain(problems.LOST) if may_have_arrived else Unavailable(problems.AWAY)

    async def read(self, method: str, url: URL, headers: Mapping[str, str]) -> Answer:
        """The same for a request that changes nothing: a lost answer is only `Unavailable`."""
        try:
            return await self.exchange(method, url, b"", headers)
        except Uncertain:
            pass
        raise Unavailable(problems.AWAY)

    async def _exchange(
        self, method: str, url: URL, payload: "_Watched | None", headers: Mapping[str, str], progress: "_Progress"
    ) -> Answer:
        async with self._http.request(
            method, url, data=payload, headers=headers, timeout=self._timeout, allow_redirects=False
        ) as response:
            progress.answered = True
            return Answer(
                status=response.status,
                body=await _bounded(response),
                retry_after=response.headers.get("Retry-After"),
            )


async def _bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """The body, or None when it is too long."""
    if response.status == HTTPStatus.NO_CONTENT:
        return b""
    chunks, length = [], 0
    async for chunk in response.content.iter_any():
        length += len(chunk)
        if length > MOST_BYTES:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


class _Watched(BytesPayload):
    """A body that notes when it is being handed to the connection: from then on it may have arrived."""

    began = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self.began = True
        await super().write_with_length(writer, content_length)


class _Progress:
    """How far a request came. One without a body has no moment to watch, so it may always have arrived."""

    def __init__(self, payload: _Watched | None) -> None:
        self._payload = payload
        self.answered = False

    @property
    def may_have_arrived(self) -> bool:
        return self.answered or self._payload is None or self._payload.began
