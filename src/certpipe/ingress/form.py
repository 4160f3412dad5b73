"""What was sent, field by field, before anything is made of it; and what was wrong with its shape."""

from dataclasses import replace

from certpipe.core.problems import Problem
from certpipe.ingress.fields import Fields
from certpipe.ingress.problems import DUPLICATE_FIELD, INVALID_FIELD, UNKNOWN_FIELD
from certpipe.ingress.strictjson import is_clean

MOST_FILE_BYTES = 64 * 1024
MOST_WIRE_FILE_BYTES = 10 * 1024 * 1024
MOST_WIRE_BYTES = 3 * MOST_WIRE_FILE_BYTES
MOST_PASSWORD_CHARACTERS = 1_000
MOST_ECHO = 40


class Form:
    """Files and texts by our names; faults are told by the names on the wire. It never shows what it holds.

    Attributes:
        fields: what may come.
        files: the bytes of each file that came whole.
        texts: the password and the plain fields.
        seen: every known field that came, whatever became of it.
        problems: what was wrong so far.
    """

    __slots__ = ("fields", "files", "problems", "seen", "texts")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.files: dict[str, bytes] = {}
        self.texts: dict[str, str] = {}
        self.seen: set[str] = set()
        self.problems: list[Problem] = []

    def __repr__(self) -> str:
        return "<form>"

    def expects(self, wire: str) -> str | None:
        """Note that a field came; our name for it, or None, with a problem, when it is unknown or came before."""
        name = self.fields.names.get(wire)
        if name is None:
            known = "Known: " + ", ".join(sorted(self.fields.names))
            self.problems.append(replace(UNKNOWN_FIELD, field=echo(wire), hint=known))
            return None
        if name in self.seen:
            self.refuse(name, DUPLICATE_FIELD)
            return None
        self.seen.add(name)
        return name

    def refuse(self, name: str, problem: Problem) -> None:
        """Note a fault of one of our fields."""
        self.problems.append(problem.about(self.fields.wire(name)))

    def put_text(self, name: str, text: str) -> None:
        """Keep a text, unless it cannot be one."""
        if not is_clean(text) or len(text) > MOST_PASSWORD_CHARACTERS:
            self.refuse(name, INVALID_FIELD)
        else:
            self.texts[name] = text


def echo(text: str) -> str:
    """A name from outside, short and printable, fit to be told back."""
    return "".join(character if character.isprintable() and is_clean(character) else "?" for character in text)[
        :MOST_ECHO
    ]
