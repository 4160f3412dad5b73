"""What `certpipe doctor` found out, one thing at a time."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How it stands with one thing. Only `wrong` makes the exit code 1."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "skipped"


MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.WRONG: "✗", Verdict.SKIPPED: "-"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and what helps. Holds no secret, and no URL with a password."""

    name: str
    verdict: Verdict
    found: str
    hint: str | None = None

    def view(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def ok(name: str, found: str) -> Finding:
    """As it should be."""
    return Finding(name, Verdict.OK, found)


def warning(name: str, found: str, hint: str) -> Finding:
    """It works, and it should be looked at."""
    return Finding(name, Verdict.WARNING, found, hint)


def wrong(name: str, found: str, hint: str) -> Finding:
    """It does not work, or must not stay so."""
    return Finding(name, Verdict.WRONG, found, hint)


def skipped(name: str, found: str) -> Finding:
    """Nothing is configured that could be looked at."""
    return Finding(name, Verdict.SKIPPED, found)
