"""The `Prefer` header (RFC 7240) and `?wait=`: how long a client would wait for the end."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_SECONDS = 30
_PREFERENCE = re.compile(r'\s*([A-Za-z-]+)\s*(?:=\s*"?([0-9]{1,9})"?\s*)?(?:;.*)?')


@dataclass(frozen=True, slots=True)
class Preference:
    """What was asked for and is honoured. A preference that makes no sense is ignored, as the RFC wants."""

    wait: int | None = None
    respond_async: bool = False

    @classmethod
    def of(cls, headers: Iterable[str], most: int = MOST_SECONDS) -> "Preference":
        """The first of each preference counts; a longer wait is cut to `most` seconds."""
        wait, respond_async = None, False
        for preference in ",".join(headers).split(","):
            match = _PREFERENCE.fullmatch(preference)
            name, value = (match[1].lower(), match[2]) if match else ("", None)
            if name == "wait" and value is not None and wait is None:
                wait = min(int(value), most)
            elif name == "respond-async" and value is None:
                respond_async = True
        return cls(wait, respond_async)

    @property
    def seconds(self) -> int:
        """How long to wait for the end before answering 202."""
        return self.wait or 0

    @property
    def applied(self) -> dict[str, str]:
        """The header that says what was honoured; empty when nothing was asked."""
        parts = ["respond-async"] if self.respond_async else []
        parts += [f"wait={self.wait}"] if self.wait is not None else []
        return {"Preference-Applied": ", ".join(parts)} if parts else {}
