"""Server-sent events, as the HTML Living Standard has them."""

import pytest

from certpipe.cli.sse import MOST_WAITING, Message, NoEventsError, Reader


def read(*chunks: bytes) -> list[Message]:
    reader = Reader()
    return [message for chunk in chunks for message in reader.feed(chunk)]


EVENTS = [Message("stored", "one", "7"), Message("message", "first\nsecond: ñ", "7"), Message("message", "", "8")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_are_the_same_wherever_the_network_cuts_them(end: str) -> None:
    lines = (
        ": beat",
        "id: 7",
        "event: stored",
        "data:one",
        "",
        "data: first",
        "data: second: ñ",
        "",
        "data",
        "id:8",
        "",
        "",
    )
    stream = end.join(lines).encode()
    assert read(stream) == EVENTS
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == EVENTS
    for cut in range(len(stream)):
        assert read(stream[:cut], b"", stream[cut:]) == EVENTS, cut


def test_an_event_is_given_as_soon_as_its_empty_line_is_there_and_not_before() -> None:
    reader = Reader()
    assert not list(reader.feed(b"data: x\r\n"))
    assert list(reader.feed(b"\r")) == [Message("message", "x", "")]
    assert not list(reader.feed(b"\n"))


def test_comments_unknown_fields_and_events_without_data_are_passed_over() -> None:
    assert read(b":\n\n:beat\n\nevent: nothing\n\nmood: fine\ndata: x\n\n") == [Message("message", "x", "")]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert read(b"\xef\xbb", b"\xbfdata: x\n\n") == [Message("message", "x", "")]


def test_only_one_blank_after_the_colon_is_no_part_of_the_value() -> None:
    assert read(b"data:  x \n\n") == [Message("message", " x ", "")]


def test_an_id_holds_for_what_follows_also_when_it_comes_alone_and_one_with_a_nul_is_none() -> None:
    reader = Reader("3")
    assert reader.last_id == "3"
    assert not list(reader.feed(b"id: 4\n"))
    assert reader.last_id == "3"
    assert not list(reader.feed(b"\nid: 5\0\n\n"))
    assert reader.last_id == "4"
    assert list(reader.feed(b"data: x\n\n")) == [Message("message", "x", "4")]


def test_the_pause_that_a_server_wants_is_read_in_seconds() -> None:
    reader = Reader()
    assert not list(reader.feed(b"retry: 2500\nretry: soon\nretry: -1\n\n"))
    assert reader.retry == 2.5


@pytest.mark.parametrize("line", [b"x", b"data: x\n"])
def test_what_does_not_end_its_lines_or_its_events_is_no_stream(line: bytes) -> None:
    reader = Reader()
    with pytest.raises(NoEventsError):
        list(reader.feed(line * (MOST_WAITING + 1)))
