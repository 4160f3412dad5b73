"""`multipart/form-data`, streamed into memory with caps: no temporary file, and no more held than SAT's files need."""

import warnings
from dataclasses import replace

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from certpipe.core.problems import Problem
from certpipe.ingress.envelope import EMPTY_FILE, FILE_TOO_LARGE
from certpipe.ingress.fields import FILES, PASSWORD
from certpipe.ingress.form import (
    MOST_FILE_BYTES,
    MOST_PASSWORD_CHARACTERS,
    MOST_WIRE_FILE_BYTES,
    Form,
    echo,
)
from certpipe.ingress.problems import (
    ENCODED_BODY,
    FILE_NAME,
    INVALID_FIELD,
    MALFORMED_MULTIPART,
    TOO_MANY_PARTS,
    WRONG_FILE_TYPE,
)
from certpipe.ingress.refusal import RefusedError

MOST_PARTS = 16
MOST_TEXT_BYTES = 4 * MOST_PASSWORD_CHARACTERS
MOST_FILE_NAME = 255
CHUNK = 64 * 1024
NOT_SATS = replace(FILE_TOO_LARGE, hint="A .cer or .key of SAT is smaller than 3 KB: this is another file")
TOO_LARGE_FOR_THE_WIRE = replace(FILE_TOO_LARGE, hint="At most 10 MB per file are read at all", status=413)
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


async def read_multipart(request: web.Request, form: Form) -> None:
    """Read every part into `form`. Raises `RefusedError` when the body cannot be followed any further."""
    parts = 0
    try:
        reader = await request.multipart()
        while part := await reader.next():
            parts += 1
            if parts > MOST_PARTS:
                raise RefusedError(_too_many(form))
            if isinstance(part, MultipartReader):
                raise RefusedError(replace(MALFORMED_MULTIPART, hint="Parts must not be multipart themselves"))
            await _read_part(part, form)
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError, RuntimeWarning):
        # What the reader of aiohttp raises at damaged bodies; its texts quote the body.
        raise RefusedError(MALFORMED_MULTIPART) from None


async def _read_part(part: BodyPartReader, form: Form) -> None:
    if part.headers.get("Content-Transfer-Encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise RefusedError(ENCODED_BODY)
    if part.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedError(ENCODED_BODY)
    wire, file_name = _names(part)
    name = form.expects(wire)
    fault = None if name is None else _fault(form, name, file_name)
    if name is None:
        await _drain(part)
    elif fault is not None:
        form.refuse(name, fault)
        await _drain(part)
    elif name in FILES:
        await _read_file(part, name, form)
    else:
        await _read_text(part, name, form)


def _names(part: BodyPartReader) -> tuple[str, str | None]:
    """The field and the file name; a disposition that cannot be read is an error, not a line on stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return part.name or "", part.filename


def _too_many(form: Form) -> Problem:
    return replace(TOO_MANY_PARTS, hint=f"At most {MOST_PARTS} parts; known are: {', '.join(form.fields.names)}")


def _fault(form: Form, name: str, file_name: str | None) -> Problem | None:
    """What is wrong with the name of a file, or with there being none."""
    if file_name is not None and not _is_plain(file_name):
        return FILE_NAME
    extension = form.fields.extension(name)
    if extension is not None and not (file_name or "").lower().endswith(extension):
        return replace(WRONG_FILE_TYPE, hint=f"The name of this file must end in `{extension}`")
    return None


def _is_plain(file_name: str) -> bool:
    return (
        len(file_name) <= MOST_FILE_NAME
        and file_name.isprintable()
        and file_name not in {".", ".."}
        and not {"/", "\\"} & set(file_name)
    )


async def _read_file(part: BodyPartReader, name: str, form: Form) -> None:
    content = await _capped(part, MOST_FILE_BYTES)
    if content is None:
        form.refuse(name, NOT_SATS)
    elif content:
        form.files[name] = content
    else:
        form.refuse(name, EMPTY_FILE)


async def _read_text(part: BodyPartReader, name: str, form: Form) -> None:
    content = await _capped(part, MOST_TEXT_BYTES)
    text = None if content is None else _decoded(content, legacy=name == PASSWORD)
    if text is None:
        form.refuse(name, INVALID_FIELD)
    else:
        form.put_text(name, text)


def _decoded(content: bytes, *, legacy: bool) -> str | None:
    """UTF-8; a password also in windows-1252, in which SAT's own programs wrote it for years."""
    for encoding in ("utf-8", "windows-1252") if legacy else ("utf-8",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


async def _capped(part: BodyPartReader, most: int) -> bytes | None:
    """The content, or None when it is longer than `most`: then the rest was read and dropped."""
    content = bytearray()
    while not part.at_eof():
        content += await part.read_chunk(CHUNK)
        if len(content) > most:
            await _drain(part, already=len(content))
            return None
    return bytes(content)


async def _drain(part: BodyPartReader, *, already: int = 0) -> None:
    while not part.at_eof():
        already += len(await part.read_chunk(CHUNK))
        if already > MOST_WIRE_FILE_BYTES:
            raise RefusedError(TOO_LARGE_FOR_THE_WIRE.about(echo(part.name or "")))
