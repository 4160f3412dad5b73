"""Base64 as it comes in JSON."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certpipe.core.problems import Problem
from certpipe.ingress.base64text import BASE64_PATTERN, decode_base64


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["", "\n", "\r\n ", "\t"]))
def test_what_was_encoded_comes_back_whatever_blanks_stand_in_it(content: bytes, blank: str) -> None:
    text = base64.b64encode(content).decode()
    assert decode_base64(blank.join(text) + blank) == content


@given(st.text(max_size=60))
def test_anything_else_is_a_problem_and_never_an_exception(text: str) -> None:
    decoded = decode_base64(text)
    assert isinstance(decoded, Problem) or base64.b64encode(decoded).decode() == "".join(text.split())


@settings(deadline=None)
@given(st.one_of(st.from_regex(BASE64_PATTERN, fullmatch=True), st.text("AQgwEBI+/=- \t\r\n\v\u2003", max_size=20)))
def test_the_documented_pattern_is_what_is_taken(text: str) -> None:
    taken = not isinstance(decode_base64(text), Problem)
    assert (re.fullmatch(BASE64_PATTERN.removesuffix("$"), text) is not None) == taken


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("", "empty_file", None),
        (" \n", "empty_file", None),
        ("data:application/octet-stream;base64,AAAA", "bad_base64", "data URL"),
        ("DATA:,AAAA", "bad_base64", "data URL"),
        ("-_-_", "bad_base64", "base64url"),
        ("AAA", "bad_base64", "padding"),
        ("AA=", "bad_base64", "padding"),
        ("AAAA=", "bad_base64", "padding"),
        ("AB==", "bad_base64", "padding"),
        ("ñAAA", "bad_base64", "padding"),
        ("\ud800AAA", "bad_base64", "padding"),
        ("%41AA", "bad_base64", "padding"),
    ],
)
def test_each_fault_has_its_hint(text: str, code: str, hint: str | None) -> None:
    problem = decode_base64(text)
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert hint is None or hint in (problem.hint or "")
