"""Reading what was sent, and really checking it: JSON, fields, base64."""

import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from certpipe.simulators.sw import envelopes


class RefusedError(Exception):
    """The request is answered with this 400."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(detail)
        self.response = envelopes.error(400, title, detail)


@dataclass(frozen=True, slots=True)
class Sent:
    """The three parts as they arrived."""

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    password: str = field(repr=False)


async def json_object(request: web.Request, title: str) -> dict[str, Any]:
    """The JSON object in the body. Raises `RefusedError`."""
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RefusedError(title, envelopes.NOT_JSON)
    return found


def parts(body: dict[str, Any], *, certificate: str, private_key: str, title: str) -> Sent:
    """The parts under these field names. Raises `RefusedError`."""
    values = body.get(certificate), body.get(private_key), body.get("password")
    if not all(isinstance(value, str) and value for value in values):
        raise RefusedError(title, envelopes.FILES_MISSING)
    return Sent(
        certificate=_decoded(str(values[0]), title, envelopes.CERTIFICATE_NOT_BASE64),
        private_key=_decoded(str(values[1]), title, envelopes.KEY_NOT_BASE64),
        password=str(values[2]),
    )


def _decoded(text: str, title: str, complaint: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise RefusedError(title, complaint) from None
