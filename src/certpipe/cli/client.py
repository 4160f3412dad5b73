"""A small client of the HTTP API: one session, no proxy from the environment, no redirect followed."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from certpipe.cli.connection import Connection
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.problems import refusal

PATIENCE = 30.0
MOST_ANSWER = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: never an error, that is raised. `document` is None for 204 and 304."""

    status: int
    headers: Mapping[str, str]
    document: dict[str, Any] | None

    @property
    def body(self) -> dict[str, Any]:
        """The document, which must be there."""
        if self.document is None:
            raise CommandError("the server answered without saying anything.", exit_code=ExitCode.UNREACHABLE)
        return self.document


class Client:
    """Requests as the commands need them. Every failure is a `CommandError`."""

    def __init__(self, session: aiohttp.ClientSession, connection: Connection) -> None:
        self._session = session
        self._url = connection.url

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, etag: str | None = None, patience: float = PATIENCE
    ) -> Answer:
        """GET; with `etag`, the answer 304 (no document) is one too. `patience`: seconds until the server is silent."""
        headers = {"If-None-Match": etag} if etag else {}
        return await self._send("GET", path, params=params, headers=headers, patience=patience)

    async def post(self, path: str, form: aiohttp.FormData, headers: Mapping[str, str]) -> Answer:
        """POST a multipart form."""
        return await self._send("POST", path, data=form, headers=headers)

    async def ask(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Answer:
        """Any other request: with a JSON document, or with none."""
        return await self._send(method, path, json=document)

    async def stream(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], *, patience: float
    ) -> AsyncGenerator[bytes, None]:
        """GET a stream of events, as its bytes come. `patience`: seconds for which the server may be silent."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=patience)
        wanted = {"Accept": "text/event-stream, application/problem+json", **headers}
        with self._told(patience):
            async with self._session.get(
                self._url + path, params=params, headers=wanted, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != HTTPStatus.OK or response.content_type != "text/event-stream":
                    self._answer(response, await self._content(response))
                    raise self._stranger(response)
                async for chunk in response.content.iter_any():
                    yield chunk

    async def _send(self, method: str, path: str, *, patience: float = PATIENCE, **options: Any) -> Answer:
        timeout = aiohttp.ClientTimeout(total=patience)
        with self._told(patience):
            async with self._session.request(
                method, self._url + path, timeout=timeout, allow_redirects=False, **options
            ) as response:
                return self._answer(response, await self._content(response))

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > MOST_ANSWER:
                raise self._unreachable("its answer does not end")
        return bytes(content)

    @contextmanager
    def _told(self, patience: float) -> Iterator[None]:
        """Turn what the network does into sentences."""
        try:
            yield
        except TimeoutError as error:
            raise self._unreachable(f"it said nothing for {patience:.0f} seconds") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise self._unreachable("it has a TLS certificate that this machine does not trust") from error
        except aiohttp.ClientConnectorError as error:
            raise self._unreachable(error.os_error.strerror or "nobody can connect to it") from error
        except aiohttp.InvalidURL as error:
            raise CommandError("the address is not a URL of a server.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable("the connection broke off") from error

    def _unreachable(self, reason: str) -> CommandError:
        return CommandError(
            f"{self._url} cannot be reached: {reason}.",
            hint="is it running there? `make up` starts one here; `certpipe doctor` looks further.",
            exit_code=ExitCode.UNREACHABLE,
        )

    def _stranger(self, response: aiohttp.ClientResponse) -> CommandError:
        return CommandError(
            f"what answers at {self._url} is not certpipe"
            f" (HTTP {response.status}, {response.content_type or 'no content type'}).",
            hint="look at the address: a proxy, or another server, stands there.",
            exit_code=ExitCode.UNREACHABLE,
        )

    def _answer(self, response: aiohttp.ClientResponse, content: bytes) -> Answer:
        if response.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            return Answer(response.status, response.headers, None)
        document = _document(content) if "json" in response.content_type else None
        if document is None:
            raise self._stranger(response)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise refusal(response.status, document, response.headers.get("Retry-After"))
        return Answer(response.status, response.headers, document)


def _document(content: bytes) -> dict[str, Any] | None:
    """The JSON object, or None when it is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@asynccontextmanager
async def open_client(connection: Connection) -> AsyncIterator[Client]:
    """A client for the time of a `with`."""
    headers = {"Accept": "application/json, application/problem+json"}
    if connection.token:
        headers["Authorization"] = f"Bearer {connection.token}"
    async with aiohttp.ClientSession(headers=headers, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(session, connection)
