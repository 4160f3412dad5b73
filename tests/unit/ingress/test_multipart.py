"""Multipart bodies, in any pieces: what is kept of them, and what is refused."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certpipe.core.ports.dialect import BodyForm, BodyShape
from certpipe.ingress.fields import FILES, Fields
from certpipe.ingress.form import Form
from certpipe.ingress.multipart import MOST_PARTS, Parts
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.submission import UPLOAD_FIELDS, bundle_of

VENDOR = Fields.of(
    BodyShape("cerFile", "keyFile", "pass", forms=frozenset({BodyForm.MULTIPART}), extensions=True),
)
Part = tuple[str, str | None, bytes]


def written(*parts: Part, boundary: str = "b0", lines: tuple[str, ...] = ()) -> bytes:
    content = bytearray()
    for name, file_name, body in parts:
        file = "" if file_name is None else f'; filename="{file_name}"'
        head = [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"{file}', *lines, "", ""]
        content += "\r\n".join(head).encode() + body + b"\r\n"
    return bytes(content) + f"--{boundary}--\r\n".encode()


def read(body: bytes, *, fields: Fields = UPLOAD_FIELDS, boundary: str = "b0", cuts: list[int] | None = None) -> Form:
    form = Form(fields)
    parts = Parts(form, boundary)
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts or [])})
    for start, end in pairwise(edges):
        parts.feed(body[start:end])
    parts.end()
    return form


def outcome(body: bytes, cuts: list[int] | None = None) -> object:
    """What comes of a body, in a form that can be compared."""
    try:
        form = read(body, cuts=cuts)
    except RefusedError as refusal:
        return [problem.code for problem in refusal.problems]
    return form.files, form.texts, [(problem.code, problem.field) for problem in form.problems]


WHOLE = written(("certificate", "a.cer", b"cer\r\n--b1"), ("private_key", None, b"key"), ("password", None, b"x"))


def test_files_and_texts_come_as_they_were_sent() -> None:
    form = read(WHOLE)
    assert (form.files, form.texts, form.problems) == (
        {"certificate": b"cer\r\n--b1", "private_key": b"key"},
        {"password": "x"},
        [],
    )


def test_a_vendors_names_are_read_and_its_faults_are_told_by_them() -> None:
    form = read(written(("cerFile", "A.CER", b"c"), ("keyFile", "a.key", b"k"), ("pass", None, b"p")), fields=VENDOR)
    bundle = bundle_of(form)
    assert (bundle.certificate, bundle.private_key, bundle.password) == (b"c", b"k", "p")
    form = read(written(("certificate", "a.cer", b"c"), ("keyFile", "a.key", b"")), fields=VENDOR)
    with pytest.raises(RefusedError) as refusal:
        bundle_of(form)
    assert [(each.code, each.field) for each in refusal.value.problems] == [
        ("unknown_field", "certificate"),
        ("empty_file", "keyFile"),
        ("missing_field", "cerFile"),
        ("missing_field", "pass"),
    ]


@pytest.mark.parametrize("file_name", ["a.pem", "a.cer.exe", "cer", "", None])
def test_a_file_of_another_type_is_told_where_extensions_count(file_name: str | None) -> None:
    form = read(written(("cerFile", file_name, b"c")), fields=VENDOR)
    assert [(each.code, each.field) for each in form.problems] == [("wrong_file_type", "cerFile")]
    assert not form.files
    assert not read(written(("certificate", file_name, b"c"))).problems


REFUSED = {
    "an empty body": b"",
    "no final boundary": WHOLE.removesuffix(b"--b0--\r\n"),
    "a final boundary cut short": WHOLE.removesuffix(b"--\r\n"),
    "bare line feeds": WHOLE.replace(b"\r\n", b"\n"),
    "something before the first boundary": b"x" + WHOLE,
    "text after a boundary": WHOLE.replace(b"--b0\r\n", b"--b0 x\r\n"),
    "the boundary inside a file": written(("certificate", "a", b"a\r\n--b0\r\nb")),
    "a boundary that goes on": written(("certificate", "a", b"a\r\n--b0b")),
    "nine headers": written(("kind", None, b"csd"), lines=tuple(f"X-{number}: y" for number in range(8))),
    "a header twice": written(("kind", None, b"csd"), lines=("X: y", "x: z")),
    "two dispositions": written(("kind", None, b"csd"), lines=('Content-Disposition: form-data; name="password"',)),
    "a header that never ends": b"--b0\r\nX: " + b"y" * 5_000,
    "a header without a colon": written(("kind", None, b"csd"), lines=("nonsense",)),
    "a NUL in a header's name": written(("kind", None, b"csd"), lines=("X\0: y",)),
    "another disposition": WHOLE.replace(b"form-data; name", b"attachment; name"),
    "a part that lies about its length": written(("kind", None, b"csd"), lines=("Content-Length: 4",)),
    "a part longer than its length": written(("kind", None, b"csd"), lines=("Content-Length: 2",)),
    "nested multipart": written(("kind", None, b"csd"), lines=("Content-Type: Multipart/mixed; boundary=n",)),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_damaged_body_is_malformed(body: bytes) -> None:
    assert outcome(body) == ["malformed_multipart"]


def test_a_body_may_end_without_a_line_break_and_with_an_epilogue() -> None:
    assert outcome(WHOLE.removesuffix(b"\r\n")) == outcome(WHOLE) == outcome(WHOLE + b"\r\nanything")


def test_a_part_may_tell_its_own_length_as_guzzle_does() -> None:
    assert read(written(("kind", None, b"csd"), lines=("Content-Length: 3",))).texts == {"kind": "csd"}


def test_no_more_parts_are_read_than_a_form_can_have() -> None:
    parts = Parts(Form(UPLOAD_FIELDS), "b0")
    with pytest.raises(RefusedError, match="too_many_parts"):
        parts.feed(written(*[("kind", None, b"")] * 10_000))
    assert parts._count == MOST_PARTS + 1


def test_a_large_file_is_counted_and_dropped_and_a_huge_one_ends_the_reading() -> None:
    form = Form(UPLOAD_FIELDS)
    parts = Parts(form, "b0")
    parts.feed(b'--b0\r\nContent-Disposition: form-data; name="certificate"\r\n\r\n')
    for _ in range(160):
        parts.feed(bytes(64 * 1024))
    assert parts._part is not None
    assert len(parts._part.content) <= 64 * 1024
    with pytest.raises(RefusedError) as refusal:
        parts.feed(bytes(64 * 1024))
    assert [(each.code, each.field, each.status) for each in refusal.value.problems] == [
        ("file_too_large", "certificate", 413)
    ]


fragments = st.sampled_from(
    [
        b"--b0",
        b"--b0\r\n",
        b"\r\n--b0--",
        b"--",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Disposition: form-data",
        b'; name="password"',
        b'; name="certificate"; filename="a.cer"',
        b"; filename*=utf-8''%00",
        b"Content-Type: text/plain",
        b"Content-Length: 2",
        b"\t",
        b'"',
        b"\xff\x00",
    ]
)
hostile = st.one_of(
    st.lists(st.one_of(fragments, st.binary(max_size=4)), max_size=40).map(b"".join),
    st.tuples(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), fragments).map(
        lambda cut: WHOLE[: cut[0]] + cut[2] + WHOLE[cut[1] :]
    ),
)


LONE_LINE_FEEDS = (
    b'--b0\r\nContent-Disposition: form-data; name="\n\nContent-Disposition: form-data; name="kind"'
    b"\r\n\r\nx\r\n--b0--\r\n"
)


@settings(deadline=None)
@given(body=hostile, cuts=st.lists(st.integers(0, 10_000), max_size=12))
@example(body=LONE_LINE_FEEDS, cuts=[45])
def test_any_body_is_read_or_refused_and_never_differently_for_how_it_was_cut(body: bytes, cuts: list[int]) -> None:
    assert outcome(body, cuts) == outcome(body)


names = st.sampled_from([*sorted(UPLOAD_FIELDS.names), "other", "ñ", ""])
file_names = st.none() | st.text(st.characters(categories=("L", "N"), include_characters=". -_()"), max_size=20)
contents = st.binary(max_size=200) | st.text(max_size=50).map(str.encode)


def by_email(body: bytes, boundary: str) -> list[Part]:
    """The parts as Python's parser of e-mail reads them."""
    head = f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
    found = []
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        disposition = part["Content-Disposition"].params
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        found.append((disposition.get("name", ""), disposition.get("filename"), payload))
    return found


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(names, file_names, contents), min_size=1, max_size=6, unique_by=lambda part: part[0]),
    boundary=st.text(st.sampled_from("abcXYZ019'()+_,-./:=?"), min_size=8, max_size=70),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_a_well_formed_body_reads_as_pythons_parser_of_email_reads_it(
    parts: list[Part], boundary: str, cuts: list[int]
) -> None:
    body = written(*parts, boundary=boundary)
    form = read(body, boundary=boundary, cuts=cuts)
    again = {name: content for name, _, content in by_email(body, boundary)}
    assert set(again) == {name for name, _, _ in parts}
    plain = {name for name, file_name, content in parts if content and file_name not in {".", ".."}}
    assert set(form.files) == plain & FILES
    for name, content in form.files.items():
        assert again[name] == content
    for name, text in form.texts.items():
        assert text.encode() == again[name] or text.encode("cp1252") == again[name]
    assert form.seen == set(again) & set(UPLOAD_FIELDS.names)
