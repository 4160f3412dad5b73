"""JSON without ambiguity."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certpipe.ingress.strictjson import DuplicateMemberError, is_clean, parse_object


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_an_object_comes_back(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=100))
def test_any_other_bytes_are_a_value_error(body: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(parse_object(body), dict)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{} {}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-le"),
        b'{"a": "\xff"}',
        b'{"a":' * 100_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_plain_object_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not"):
        parse_object(body)


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'{"b": {"a": 1, "\\u0061": 2}}'])
def test_a_member_that_comes_twice_is_refused(body: bytes) -> None:
    with pytest.raises(DuplicateMemberError):
        parse_object(body)


def test_a_lone_surrogate_is_no_text() -> None:
    assert is_clean("ñ😀")
    assert not is_clean(str(parse_object(b'{"a": "\\ud800"}')["a"]))
