"""The stage line, on a terminal and elsewhere."""

import io
import re

import pytest
from rich.console import Console

from certpipe.cli.stageline import stage_line
from tests.unit.cli.samples import START, at_step, rejected


def on_a_terminal(*steps: object) -> str:
    """What a terminal of 120 columns got, without the colours."""
    screen = io.StringIO()
    with stage_line(Console(file=screen, force_terminal=True, width=120, legacy_windows=False)) as line:
        for step in steps:
            line(step)  # type: ignore[arg-type]
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())


def test_a_terminal_ends_with_a_tick_and_the_seconds_since_receipt_for_every_step() -> None:
    last = on_a_terminal(at_step(0), at_step(4)).strip().splitlines()[-1]
    shown = "✓ received 0.00 s  ✓ validated 0.50 s  ✓ encrypted 1.00 s  ✓ stored 1.50 s  ✓ forwarded 2.00 s"
    assert last.strip() == shown


def test_a_terminal_shows_what_is_at_work_and_what_is_to_come() -> None:
    last = on_a_terminal(at_step(1)).strip().splitlines()[-1]
    assert re.search(r"✓ validated 0.50 s +. encrypted +· stored +· forwarded", last)


def test_a_terminal_shows_a_bad_end_and_nothing_to_come() -> None:
    last = on_a_terminal(rejected()).strip().splitlines()[-1]
    assert "✗ rejected" in last
    assert "forwarded" not in last


def test_a_terminal_shows_when_the_next_try_is() -> None:
    assert "try 3 at 03:04:05 UTC" in on_a_terminal(at_step(3, next_attempt_at=START, attempt=2))


def test_elsewhere_each_step_is_told_once_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with stage_line(Console(file=io.StringIO(), force_terminal=False)) as line:
        for step in (0, 0, 2, 4):
            line(at_step(step))
    told = [text.split()[1] for text in capsys.readouterr().out.splitlines()]
    assert told == ["received", "validated", "encrypted", "stored", "forwarded"]


def test_elsewhere_a_bad_end_is_told_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with stage_line(Console(file=io.StringIO(), force_terminal=False)) as line:
        line(rejected())
    assert capsys.readouterr().out.splitlines()[-1].split()[1:] == ["rejected", "wrong_password"]
