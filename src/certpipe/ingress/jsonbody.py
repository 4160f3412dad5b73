"""A JSON body: an upload with its files in base64, or a small resource."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from certpipe.core.problems import Problem
from certpipe.ingress.base64text import decode_base64
from certpipe.ingress.fields import FILES
from certpipe.ingress.form import MOST_FILE_BYTES, MOST_WIRE_BYTES, Form, echo
from certpipe.ingress.multipart import NOT_SATS
from certpipe.ingress.problems import (
    BODY_TOO_LARGE,
    DUPLICATE_MEMBER,
    ENCODED_BODY,
    INVALID_FIELD,
    JSON_NEEDED,
    MALFORMED_JSON,
    UNKNOWN_FIELD,
)
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.strictjson import DuplicateMemberError, parse_object
from schemas.webhooks import HEADER_NAME_PATTERN, HEADER_VALUE_PATTERN

Model = TypeVar("Model", bound=BaseModel)
MOST_JSON_BYTES = 256 * 1024
MOST_SMALL_BYTES = 16 * 1024
_HINTS: Final = {
    "missing": "This field is needed",
    "extra_forbidden": "Leave it out",
    "uuid_parsing": "This field is a UUID",
    "uuid_type": "This field is a UUID",
    "string_type": "This field is a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "A whole number",
    "int_from_float": "A whole number",
    "tuple_type": "A list",
    "dict_type": "An object",
    "datetime_parsing": "A time as RFC 3339 writes it, like 2026-01-15T16:20:00Z",
    "timezone_aware": "A time with its offset from UTC, like 2026-01-15T16:20:00Z",
}
_ONE_LINE = "One line of printable characters, and not only blanks"
_BY_PATTERN: Final = {
    HEADER_NAME_PATTERN: "The names of headers have letters, digits and ! # $ % & ' * + . ^ _ ` | ~ - alone",
    HEADER_VALUE_PATTERN: "Printable ASCII, without blanks at its ends",
}
_BOUNDED: Final = {"too_short", "too_long", "greater_than_equal", "less_than_equal"}
_BOUNDS: Final = (("At least", "min_length"), ("At least", "ge"), ("At most", "max_length"), ("At most", "le"))
NOT_SATS_SIZE = replace(
    NOT_SATS,
    message_es="El cuerpo es más grande que dos archivos del SAT",
    message_en="The body is larger than two files of SAT",
)


async def read_json(request: web.Request, form: Form) -> None:
    """Read an upload into `form`. Raises `RefusedError` when the body is no JSON object."""
    body = await read_capped(request, MOST_JSON_BYTES, NOT_SATS_SIZE)
    for wire, value in parsed(body).items():
        if value is None and wire in form.fields.names:
            continue
        name = form.expects(wire)
        if name is not None:
            _put(form, name, value)


async def read_model(request: web.Request, model: type[Model], *, most: int = MOST_SMALL_BYTES) -> Model:
    """Read a small resource. Raises `RefusedError` with every fault."""
    refuse_encoded(request)
    if request.content_type != "application/json":
        raise RefusedError(JSON_NEEDED)
    body = await read_capped(request, most, BODY_TOO_LARGE)
    try:
        parsed(body)
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(*faults(error)) from None


def faults(error: ValidationError) -> list[Problem]:
    """What pydantic found, told by place and kind alone: its own texts quote what was sent."""
    found = []
    for fault in error.errors(include_input=False, include_url=False):
        problem = UNKNOWN_FIELD if fault["type"] == "extra_forbidden" else INVALID_FIELD
        where = echo(".".join(map(str, _place(fault["loc"])))) or "body"
        hint = _hint(fault["type"], fault.get("ctx", {})) if fault["loc"] else None
        found.append(replace(problem, field=where, hint=hint))
    return found


def _place(steps: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where it is. A name that is not valid itself is not told back: it may be a value that stands where names do."""
    return steps[:-2] if steps[-1:] == ("[key]",) else steps


def _hint(fault: str, context: Mapping[str, Any]) -> str | None:
    """What the field should be; of the context, only what our own schema says."""
    if fault in {"enum", "literal_error"}:
        return f"One of: {context['expected']}"
    if fault in {"string_too_short", "string_too_long"}:
        return f"{_bound(context)} characters"
    if fault == "string_pattern_mismatch":
        return _BY_PATTERN.get(context["pattern"], _ONE_LINE)
    return _bound(context) if fault in _BOUNDED else _HINTS.get(fault)


def _bound(context: Mapping[str, Any]) -> str:
    """The one bound of our own schema that was passed."""
    ((words, name),) = [each for each in _BOUNDS if each[1] in context]
    return f"{words} {context[name]}"


def parsed(body: bytes) -> dict[str, Any]:
    """The object, or `RefusedError`."""
    try:
        return parse_object(body)
    except DuplicateMemberError:
        raise RefusedError(DUPLICATE_MEMBER) from None
    except ValueError:
        raise RefusedError(MALFORMED_JSON) from None


async def read_capped(request: web.Request, most: int, too_large: Problem) -> bytes:
    """The body. What is longer than `most` is read and dropped, up to 30 MB, and then refused as `too_large`."""
    body = bytearray()
    total = 0
    async for chunk in request.content.iter_any():
        total += len(chunk)
        if total > MOST_WIRE_BYTES:
            raise RefusedError(BODY_TOO_LARGE)
        if total <= most:
            body += chunk
        else:
            body.clear()
    if total > most:
        raise RefusedError(too_large)
    return bytes(body)


def refuse_encoded(request: web.Request) -> None:
    """Compressed bodies could grow without bound; they are not taken. aiohttp expands by the last header of several."""
    if any(encoding.lower() != "identity" for encoding in request.headers.getall("Content-Encoding", ())):
        raise RefusedError(ENCODED_BODY)


def _put(form: Form, name: str, value: object) -> None:
    if not isinstance(value, str):
        form.refuse(name, INVALID_FIELD)
    elif name not in FILES:
        form.put_text(name, value)
    else:
        content = decode_base64(value)
        if isinstance(content, Problem):
            form.refuse(name, content)
        elif len(content) > MOST_FILE_BYTES:
            form.refuse(name, NOT_SATS)
        else:
            form.files[name] = content
