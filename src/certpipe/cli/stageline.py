"""How an upload goes, as it goes: one live line on a terminal, one line a step elsewhere."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from schemas.events import EventType
from schemas.status import State, UploadStatus

STEPS: Mapping[State, EventType] = {
    State.RECEIVED: EventType.RECEIVED,
    State.VALIDATED: EventType.VALIDATED,
    State.ENCRYPTED: EventType.ENCRYPTED,
    State.STORED: EventType.STORED,
    State.FORWARDED: EventType.FORWARDED,
}
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Watcher(Protocol):
    """Is shown each status in turn."""

    def __call__(self, upload: UploadStatus, /) -> None: ...


class StageLine:
    """The live line: what is done with its time since receipt, what is at work, what is to come."""

    def __init__(self) -> None:
        self._upload: UploadStatus | None = None
        self._frames = itertools.cycle(FRAMES)

    def __call__(self, upload: UploadStatus, /) -> None:
        self._upload = upload

    def __rich__(self) -> Text:
        line, upload = Text(no_wrap=True, overflow="ellipsis"), self._upload
        if upload is None:
            return line.append(f"{next(self._frames)} …")
        times, working = reached(upload), not upload.ended
        for state in STEPS:
            if state in times:
                line.append("✓ ", "green").append(state)
                line.append(f" {(times[state] - upload.created_at).total_seconds():.2f} s  ", "dim")
            elif working:
                line.append(f"{next(self._frames)} {state}  ", "cyan")
                working = False
            elif not upload.ended:
                line.append(f"· {state}  ", "dim")
        if upload.ended and upload.state is not State.FORWARDED:
            line.append(f"✗ {upload.state}", "red")
        elif upload.next_attempt_at:
            line.append(f"try {upload.attempt + 1} at {upload.next_attempt_at:%H:%M:%S} UTC", "yellow")
        return line


class PlainLines:
    """One line for each step, and for each retry."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, upload: UploadStatus, /) -> None:
        for entry in upload.history[self._told :]:
            name = next((state.value for state, event in STEPS.items() if event == entry.type), entry.type)
            about = "".join(f"  {each}" for each in (entry.destination, entry.code) if each)
            typer.echo(f"{entry.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z  {name.removeprefix('upload.')}{about}")
        self._told = max(self._told, len(upload.history))


def reached(upload: UploadStatus) -> dict[State, datetime]:
    """When each step was done, by the history."""
    steps = {event.value: state for state, event in STEPS.items()}
    return {steps[entry.type]: entry.at for entry in upload.history if entry.type in steps}


@contextmanager
def stage_line(console: Console | None = None) -> Iterator[Watcher]:
    """A watcher that fits where standard output goes; `console` for a terminal of one's own."""
    console = console or Console()
    if not console.is_terminal:
        yield PlainLines()
        return
    line = StageLine()
    with Live(line, console=console, refresh_per_second=10):
        yield line
