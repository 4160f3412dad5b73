"""Named queries are cut out of a file, fragments filled in."""

import pytest

from certpipe.store.named import parse


def test_a_query_is_the_text_after_its_name() -> None:
    assert parse("a word before\n-- name: one\nSELECT 1\n\n-- name: two\n-- why\nSELECT 2\n") == {
        "one": "SELECT 1",
        "two": "-- why\nSELECT 2",
    }


def test_a_fragment_is_filled_in() -> None:
    assert parse("-- name: a\nWITH x AS (SELECT 1)\n-- name: b\n-- with: a\nTABLE x")["b"] == (
        "WITH x AS (SELECT 1)\nTABLE x"
    )


def test_an_unknown_fragment_is_an_error() -> None:
    with pytest.raises(KeyError, match="missing"):
        parse("-- name: a\n-- with: missing\n")


def test_two_queries_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="two queries are named a"):
        parse("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")
