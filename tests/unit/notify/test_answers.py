import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from certpipe.notify.answers import excerpt, seconds_asked

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1000000000000", DAY),
        ("9" * 20, DAY),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), 300.0),
        ("Mon, 01 Jun 2026 12:01:00 -0000", 60.0),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), DAY),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DAY),
    ],
)
def test_what_a_receiver_asks_for_is_honoured_up_to_a_day(text: str, seconds: float) -> None:
    assert seconds_asked(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "-5",
        "1e12",
        "soon",
        "1.5",
        "٣",
        "9" * 5_000,
        format_datetime(NOW - timedelta(minutes=5), usegmt=True),
        "Mon, 99 Jun 2026 12:00:00 GMT",
        "Sat, 01 Jan 0001 00:00:00 +2359",
        "x" * 200,
    ],
)
def test_what_makes_no_sense_is_as_if_nothing_was_asked(text: str | None) -> None:
    assert seconds_asked(text, NOW) is None


def test_an_excerpt_is_the_first_1024_bytes() -> None:
    assert excerpt(b"") is None
    assert excerpt(b"ok") == "ok"
    assert excerpt(b"a" * 5_000) == "a" * 1_024


def test_a_character_that_is_cut_through_is_left_out() -> None:
    assert excerpt(("a" * 1_023 + "ñ" * 10).encode()) == "a" * 1_023


def test_what_no_database_takes_and_a_terminal_would_obey_is_replaced() -> None:
    shown = excerpt(b"\x00\x1b[2J\x9b \xff\xc2\x9b\x7f line\r\n\ttab")
    assert shown is not None
    assert re.sub("\ufffd", "", shown) == "[2J  line\r\n\ttab"


def test_half_a_character_at_the_end_of_a_short_answer_is_replaced() -> None:
    assert excerpt(b"a\xc3") == "a\ufffd"
