"""The page for receivers shows the code that is tested, and tells the numbers that are in force."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from certpipe.ingress.deliveries import MOST_REPLAYED
from certpipe.notify import standing
from certpipe.notify.outcomes import OurError
from certpipe.notify.schedule import DELAYS
from certpipe.notify.sending import SendError
from schemas.webhooks import MOST_ENDPOINTS
from tests.languages import EXAMPLES, RECEIVERS

PAGE = (EXAMPLES.parent / "docs" / "webhooks.md").read_text("utf-8")
SAMPLES = dict(re.findall(r"\]\(\.\./examples/(webhooks/\S+)\).*?\n```\w+\n(.*?)\n```\n", PAGE, re.DOTALL))
UNITS = {"seconds": 1, "minutes": 60, "hours": 3_600}


def test_every_receiver_has_its_sample() -> None:
    files = {
        word for each in RECEIVERS.values() for word in (*each.command, *each.build) if word.startswith("webhooks/")
    }
    assert set(SAMPLES) == files == {f"webhooks/{file.name}" for file in (EXAMPLES / "webhooks").iterdir()}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_shown_stands_in_the_file_that_is_tested(name: str) -> None:
    assert SAMPLES[name] in (EXAMPLES / name).read_text("utf-8")
    assert re.search("(?i)verified", SAMPLES[name])


def test_the_schedule_is_the_one_in_force() -> None:
    rows = re.findall(r"^\| \d+ \| (\d+) (\w+) \|", PAGE, re.MULTILINE)
    assert tuple(float(count) * UNITS[unit] for count, unit in rows) == DELAYS
    total = timedelta(seconds=sum(DELAYS))
    assert f"| {total // timedelta(hours=1)} h 35 min |" in PAGE
    assert total - timedelta(hours=75, minutes=35) < timedelta(minutes=1)


def test_every_error_of_the_log_is_explained() -> None:
    table = PAGE[PAGE.index("| error | |") : PAGE.index("certpipe webhooks replay ID 41")]
    assert set(re.findall(r"`([a-z_]+)`", table)) == {*SendError, *OurError}


def test_the_limits_are_those_in_force() -> None:
    assert f"| endpoints of an organization | {MOST_ENDPOINTS}, " in PAGE
    assert f"{MOST_REPLAYED:,} deliveries" in PAGE
    assert (5, timedelta(days=5)) == (standing.BREAKS_AT, standing.CHANCE)
    assert (timedelta(seconds=5), timedelta(minutes=5)) == (standing.FIRST_PAUSE, standing.LONGEST_PAUSE)


LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = [EXAMPLES / "README.md", *(EXAMPLES.parent / "docs").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}, link
