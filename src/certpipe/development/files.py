"""Files that nobody else may read."""

import os
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write `file` with mode 0600, whole or not at all: a reader sees the old text or the new."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    new.replace(file)
