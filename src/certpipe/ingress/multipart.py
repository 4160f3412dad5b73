"""`multipart/form-data`, streamed into memory with caps: no temporary file, and no more held than SAT's files need."""

import re
from dataclasses import dataclass, replace

from aiohttp import web
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from certpipe.core.problems import Problem
from certpipe.ingress.disposition import boundary_of, names_of
from certpipe.ingress.envelope import EMPTY_FILE, FILE_TOO_LARGE
from certpipe.ingress.fields import FILES, PASSWORD
from certpipe.ingress.form import (
    MOST_FILE_BYTES,
    MOST_PASSWORD_CHARACTERS,
    MOST_WIRE_BYTES,
    MOST_WIRE_FILE_BYTES,
    Form,
    echo,
)
from certpipe.ingress.problems import (
    BODY_TOO_LARGE,
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
MOST_HEADERS, MOST_HEADER_BYTES = 8, 4_224
NOT_SATS = replace(FILE_TOO_LARGE, hint="A .cer or .key of SAT is smaller than 3 KB: this is another file")
TOO_LARGE_FOR_THE_WIRE = replace(FILE_TOO_LARGE, hint="At most 10 MB per file are read at all", status=413)
NESTED = replace(MALFORMED_MULTIPART, hint="Parts must not be multipart themselves")
_CONTROL = re.compile(r"[\x00\r\n]")
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


async def read_multipart(request: web.Request, form: Form) -> None:
    """Read every part into `form`. Raises `RefusedError` when the body cannot be followed any further."""
    boundary = boundary_of(request.headers.getall("Content-Type"))
    if boundary is None:
        raise RefusedError(MALFORMED_MULTIPART)
    parts, total = Parts(form, boundary), 0
    async for chunk in request.content.iter_any():
        total += len(chunk)
        if total > MOST_WIRE_BYTES:
            raise RefusedError(BODY_TOO_LARGE)
        parts.feed(chunk)
    parts.end()


@dataclass(slots=True)
class _Part:
    """One part as it comes. `name` is ours; without one, its content is only counted."""

    head: MultipartSegment
    wire: str
    name: str | None
    most: int
    content: bytearray


class Parts:
    """Reads a body piece by piece, however it was cut, and keeps what the form wants of it."""

    def __init__(self, form: Form, boundary: str) -> None:
        self._form = form
        self._parser = PushMultipartParser(boundary, max_header_size=MOST_HEADER_BYTES, max_header_count=MOST_HEADERS)
        self._count = 0
        self._part: _Part | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next piece. Raises `RefusedError` when the rest is not worth reading."""
        try:
            for event in self._parser.parse(chunk):
                if event is None:
                    self._finish()
                elif isinstance(event, MultipartSegment):
                    self._begin(event)
                else:
                    self._add(event)
        except MultipartError:
            # Its texts quote the body.
            raise RefusedError(MALFORMED_MULTIPART) from None

    def end(self) -> None:
        """There is no more. Raises `RefusedError` when there should be."""
        try:
            self._parser.close()
        except MultipartError:
            raise RefusedError(MALFORMED_MULTIPART) from None

    def _begin(self, head: MultipartSegment) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            known = ", ".join(self._form.fields.names)
            raise RefusedError(replace(TOO_MANY_PARTS, hint=f"At most {MOST_PARTS} parts; known are: {known}"))
        _check(head)
        names = names_of(head["Content-Disposition"])
        if names is None:
            raise RefusedError(MALFORMED_MULTIPART)
        wire, file_name = names
        name = self._form.expects(wire)
        fault = None if name is None else _fault(self._form, name, file_name)
        if name is not None and fault is not None:
            self._form.refuse(name, fault)
            name = None
        self._part = _Part(head, wire, name, MOST_FILE_BYTES if name in FILES else MOST_TEXT_BYTES, bytearray())

    def _add(self, content: bytes | bytearray) -> None:
        part = self._part
        if part is None:
            return
        if part.head.bytes_received > MOST_WIRE_FILE_BYTES:
            raise RefusedError(TOO_LARGE_FOR_THE_WIRE.about(echo(part.wire)))
        if part.name is not None and part.head.bytes_received <= part.most:
            part.content += content

    def _finish(self) -> None:
        part, self._part = self._part, None
        if part is None or part.name is None:
            return
        if part.name in FILES:
            self._put_file(part.name, part)
        else:
            self._put_text(part.name, part)

    def _put_file(self, name: str, part: _Part) -> None:
        if part.head.bytes_received > part.most:
            self._form.refuse(name, NOT_SATS)
        elif part.content:
            self._form.files[name] = bytes(part.content)
        else:
            self._form.refuse(name, EMPTY_FILE)

    def _put_text(self, name: str, part: _Part) -> None:
        fits = part.head.bytes_received <= part.most
        text = _decoded(bytes(part.content), legacy=name == PASSWORD) if fits else None
        if text is None:
            self._form.refuse(name, INVALID_FIELD)
        else:
            self._form.put_text(name, text)


def _check(head: MultipartSegment) -> None:
    """Each header once and in one line, and the content as it is."""
    # The parser sees a lone line feed or not by how the network happened to cut the body.
    if any(_CONTROL.search(value) for _, value in head.headerlist):
        raise RefusedError(MALFORMED_MULTIPART)
    if len({name for name, _ in head.headerlist}) != len(head.headerlist):
        raise RefusedError(MALFORMED_MULTIPART)
    if head.header("Content-Transfer-Encoding", "").strip().lower() not in _PLAIN_ENCODINGS:
        raise RefusedError(ENCODED_BODY)
    if head.header("Content-Encoding", "identity").strip().lower() != "identity":
        raise RefusedError(ENCODED_BODY)
    if head.content_type is not None and head.content_type.startswith("multipart/"):
        raise RefusedError(NESTED)


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


def _decoded(content: bytes, *, legacy: bool) -> str | None:
    """UTF-8; a password also in windows-1252, in which SAT's own programs wrote it for years."""
    for encoding in ("utf-8", "windows-1252") if legacy else ("utf-8",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
