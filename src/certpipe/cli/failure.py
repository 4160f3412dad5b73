"""How a command ends when it does not end well: one line that says what is wrong, one that says what to do."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the shell is told. Scripts may rely on these numbers."""

    FINE = 0
    NO = 1
    WRONG_USE = 2
    UNREACHABLE = 3
    TIMED_OUT = 4
    DEFECT = 70
    INTERRUPTED = 130


class CommandError(Exception):
    """The command ends here. Neither the message nor the hint ever holds a password, a token or key bytes.

    Attributes:
        message: what is wrong, on one line or a few.
        hint: what helps, where something does.
        exit_code: what the shell is told.
        document: what `--json` prints instead; the server's own problem document where there is one.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        exit_code: ExitCode = ExitCode.WRONG_USE,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.document = document or {"detail": message, "hint": hint, "exit_code": int(exit_code)}
