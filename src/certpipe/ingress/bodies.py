"""Reading a body: its turn in memory, its time, its type."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from certpipe.core.ports.dialect import BodyForm
from certpipe.core.problems import Problem
from certpipe.ingress.admission import BytesInFlight
from certpipe.ingress.fields import Fields
from certpipe.ingress.form import MOST_WIRE_BYTES, Form
from certpipe.ingress.jsonbody import MOST_SMALL_BYTES, Model, read_json, read_model, refuse_encoded
from certpipe.ingress.multipart import read_multipart
from certpipe.ingress.problems import (
    BODY_TOO_LARGE,
    JSON_NEEDED,
    MULTIPART_NEEDED,
    TIMED_OUT,
    UNSUPPORTED_MEDIA_TYPE,
)
from certpipe.ingress.refusal import RefusedError

Read = TypeVar("Read")
SECONDS_FOR_A_BODY = 60.0
# The most that one body keeps in memory: two files or one JSON text, its parsed form, and aiohttp's buffers.
MOST_HELD_BYTES = 512 * 1024
CUT_SHORT = Problem(
    "body_cut_short", "El cuerpo de la petición llegó incompleto", "The body of the request ended too early"
)

_READERS = {
    "multipart/form-data": (BodyForm.MULTIPART, read_multipart),
    "application/json": (BodyForm.JSON, read_json),
}
_NEEDED = {frozenset({BodyForm.MULTIPART}): MULTIPART_NEEDED, frozenset({BodyForm.JSON}): JSON_NEEDED}


class Bodies:
    """Reads uploads, never more at a time than memory was given for.

    Attributes:
        admission: hands out memory.
        seconds: how long a body may take to arrive.
    """

    def __init__(self, admission: BytesInFlight, *, seconds: float = SECONDS_FOR_A_BODY) -> None:
        self._admission = admission
        self._seconds = seconds

    async def read(self, request: web.Request, fields: Fields) -> Form:
        """An upload in one of the forms of `fields`. Raises `RefusedError`, or `Unavailable` when there was no turn."""
        refuse_encoded(request)
        length = request.content_length
        if length is not None and length > MOST_WIRE_BYTES:
            raise RefusedError(BODY_TOO_LARGE)
        written, reader = _READERS.get(request.content_type, (None, read_json))
        if written not in fields.forms:
            raise RefusedError(_NEEDED.get(fields.forms, UNSUPPORTED_MEDIA_TYPE))
        form = Form(fields)
        held = MOST_HELD_BYTES if length is None else min(length, MOST_HELD_BYTES)
        async with self._admission.turn(held):
            await self._arrived(reader(request, form))
        return form

    async def read_model(self, request: web.Request, model: type[Model], *, most: int = MOST_SMALL_BYTES) -> Model:
        """A small resource of at most `most` bytes. Raises `RefusedError` with every fault."""
        return await self._arrived(read_model(request, model, most=most))

    async def _arrived(self, reading: Awaitable[Read]) -> Read:
        try:
            async with asyncio.timeout(self._seconds):
                return await reading
        except TimeoutError:
            raise RefusedError(TIMED_OUT, headers={"Connection": "close"}) from None
        except (ClientError, HttpProcessingError, ConnectionError):
            raise RefusedError(CUT_SHORT) from None
