"""The pages that are made of the code."""

from pathlib import Path

import pytest

from certpipe.cli.catalogue import END, with_catalogue
from certpipe.cli.drawing import states_page
from certpipe.cli.schemas import DOCS, pages
from schemas.events import EventType


def test_no_page_is_stale() -> None:
    assert pages() == {}, "stale: run `make schemas`"


def test_a_stale_page_is_written_anew_and_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    page = (DOCS / "events.md").read_text("utf-8")
    (tmp_path / "events.md").write_text(page.replace("### upload.failed", "### upload.fell"), "utf-8")
    (tmp_path / "states.md").write_text("", "utf-8")
    assert pages(tmp_path) == {tmp_path / "events.md": page, tmp_path / "states.md": states_page()}


def test_every_event_is_on_its_page_with_a_link_that_leads_to_it() -> None:
    page = (DOCS / "events.md").read_text("utf-8")
    for event in EventType:
        assert page.count(f"\n### {event}\n") == 1
        assert page.count(f"](#{event.replace('.', '')})") == 1


def test_a_page_without_the_marks_is_a_fault() -> None:
    with pytest.raises(ValueError, match="needs the marks"):
        with_catalogue(f"# Events {END}")
