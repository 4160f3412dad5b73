"""The page of guarantees names tests and scenarios that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
PROMISES = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
NUMBERED = [promise for promise in PROMISES if promise[0].isdigit()]


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/.*]+)`", PAGE) + [f"docs/{name}" for name in re.findall(r"\]\((\S+\.md)\)", PAGE)]
    assert len(named) > 20
    assert [name for name in named if not list(ROOT.glob(name))] == []


def test_every_promise_has_its_mechanism_and_its_proof() -> None:
    assert len(NUMBERED) >= 6
    for promise in NUMBERED:
        assert "\n**" in promise, promise.splitlines()[0]
        assert "\nHow: " in promise, promise.splitlines()[0]
        assert re.search(r"\nShown by: `tests/", promise), promise.splitlines()[0]


def test_every_scenario_that_is_named_can_be_run() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "chaos" / "scenarios").glob("*.py")]
    known = {name for text in texts for name in re.findall(r'Scenario\(\s*"([\w-]+)"', text)}
    named = {
        name
        for line in re.findall(r"scenarios? (`.*?)\.\n", PAGE, re.DOTALL)
        for name in re.findall(r"`([\w-]+)`", line)
    }
    assert len(named) > 15
    assert named - known == set()


def test_what_is_not_promised_is_told() -> None:
    assert "## What is not promised" in PAGE
