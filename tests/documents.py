"""The code in the vendors' own documents, where those lie beside the checkout; nothing of it is in the project."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCUMENTS = Path(__file__).parents[2] / "shared" / "seeds"
INVOPOP, LUMMY, TIMBRIX = (
    "invopop-upload-efirma-certificate.txt",
    "lummy-actualizar-csd.txt",
    "timbrix-upload-certificates.txt",
)
_AT_THE_MARGIN = ("def ", "class ", "import ", "from ", "if __name__")
_GOES_ON = ("except", "finally", "else", "elif")


def document(name: str) -> str:
    """One document; skips the test where it is missing."""
    file = DOCUMENTS / name
    if not file.exists():
        pytest.skip("the vendors' documents are not beside this checkout")
    return file.read_text(encoding="utf-8")


def between(text: str, start: str, end: str) -> str:
    """The lines from the one that begins with `start` to the one before that which begins with `end`."""
    match = re.search(rf"^{re.escape(start)}.*?(?=^{re.escape(end)})", text, re.DOTALL | re.MULTILINE)
    assert match is not None, f"there is no line that begins with {start!r}, followed by one with {end!r}"
    return match[0]


def curl_lines(text: str) -> list[str]:
    """Every curl command, from its first line to the first that is neither continued nor inside quotes."""
    return list(_curls(text.splitlines()))


def _curls(lines: list[str]) -> Iterator[str]:
    command: list[str] = []
    for line in lines:
        if command or line.startswith("curl "):
            command.append(line)
            text = "\n".join(command)
            if not line.endswith("\\") and text.count("'") % 2 == text.count('"') % 2 == 0:
                yield text
                command = []


def indented(python: str) -> str:
    """Python that lost its indentation, with as much of it as Python needs.

    It knows what the document has: functions and `__main__` stand at the margin, and a block lasts until its `finally`
    or to the next line at the margin.
    """
    depth, lines = 0, []
    for line in python.splitlines():
        if line.startswith(_AT_THE_MARGIN):
            depth = 0
        elif line.startswith(_GOES_ON):
            depth -= 1
        lines.append("    " * depth + line)
        depth += line.endswith(":")
    return "\n".join(lines) + "\n"


def openapi(text: str) -> Any:
    """The OpenAPI document inside a fence of YAML."""
    match = re.search(r"^````yaml [^\n]*\n(.*?)^````", text, re.DOTALL | re.MULTILINE)
    assert match is not None, "there is no YAML inside"
    return yaml.safe_load(match[1])
