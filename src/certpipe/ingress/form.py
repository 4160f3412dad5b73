"""What was sent, field by field, before anything is made of it; and what was wrong with its shape."""

from dataclasses import replace

from certpipe.core.problems import Problem
from certpipe.ingress.problems import DUPLICATE_FIELD, INVALID_FIELD, UNKNOWN_FIELD
from certpipe.ingress.strictjson import is_clean

FILES = frozenset({"certificate", "private_key"})
PASSWORD = "password"  # noqa: S105 - the name of a field, not a password
MOST_FILE_BYTES = 64 * 1024
MOST_WIRE_FILE_BYTES = 10 * 1024 * 1024
MOST_PASSWORD_CHARACTERS = 1_000
MOST_ECHO = 40


class Form:
    """Files and texts by name. It never shows what it holds.

    Attributes:
        files: the bytes of each file that came whole.
        texts: the password and the plain fields.
        seen: every known field that came, whatever became of it.
        problems: what was wrong so far.
    """

    __slots__ = ("files", "known", "problems", "seen", "texts")

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.files: dict[str, bytes] = {}
        self.texts: dict[str, str] = {}
        self.seen: set[str] = set()
        self.problems: list[Problem] = []

    def __repr__(self) -> str:
        return "<form>"

    def expects(self, name: str | None) -> bool:
        """Note that a field of this name came; false, with a problem, when it is unknown or came before."""
        if name is None or name not in self.known:
            known = "Known: " + ", ".join(sorted(self.known))
            self.problems.append(replace(UNKNOWN_FIELD, field=echo(name or ""), hint=known))
            return False
        if name in self.seen:
            self.problems.append(DUPLICATE_FIELD.about(name))
            return False
        self.seen.add(name)
        return True

    def put_text(self, name: str, text: str) -> None:
        """Keep a text, unless it cannot be one."""
        if not is_clean(text) or len(text) > MOST_PASSWORD_CHARACTERS:
            self.problems.append(INVALID_FIELD.about(name))
        else:
            self.texts[name] = text


def echo(text: str) -> str:
    """A name from outside, short and printable, fit to be told back."""
    return "".join(character if character.isprintable() and is_clean(character) else "?" for character in text)[
        :MOST_ECHO
    ]
