"""The readings of a password, likeliest first."""

from certpipe.sat.passwords import LONGEST, candidates


def encoded(password: str) -> list[bytes]:
    return [candidate.encoded for candidate in candidates(password)]


def test_an_ordinary_password_has_one_reading() -> None:
    assert encoded("12345678a") == [b"12345678a"]


def test_the_order_is_as_given_then_composed_then_windows() -> None:
    assert encoded("n\u0303") == ["n\u0303".encode(), "ñ".encode(), b"\xf1"]


def test_the_readings_without_the_line_break_come_last() -> None:
    assert encoded("ñ\r\n") == ["ñ\r\n".encode(), b"\xf1\r\n", "ñ".encode(), b"\xf1"]


def test_what_cannot_be_encoded_is_passed_over() -> None:
    assert encoded("\ud800") == []
    assert encoded("€😀") == ["€😀".encode()]


def test_nothing_empty_and_nothing_endless_is_tried() -> None:
    assert encoded("") == []
    assert encoded("\n") == [b"\n"]
    assert encoded("x" * (LONGEST + 1)) == []


def test_a_reading_does_not_print_itself() -> None:
    assert "hunter2" not in repr(next(candidates("hunter2")))
