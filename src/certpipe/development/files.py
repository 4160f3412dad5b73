"""Files that nobody else may read."""

import os
from pathlib import Path


def write_private(file: Path, content: str | bytes) -> None:
    """Write `file` with mode 0600, whole or not at all: a reader sees what was there, or what is new."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
    new.replace(file)
