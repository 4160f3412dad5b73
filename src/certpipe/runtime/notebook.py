"""What a process has in hand, written where it outlives the process. Not the machine: nobody waits for the disk."""

import itertools
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from certpipe.core.ports.runtime import Notebook
from schemas.messages import UploadRef

_REFS = TypeAdapter(tuple[UploadRef, ...])


class NoNotebook(Notebook):
    """For a broker that counts itself how often it delivered what."""

    def holding(self, refs: Sequence[UploadRef]) -> AbstractContextManager[None]:  # noqa: ARG002 - the port's
        return nullcontext()

    def left(self) -> Sequence[UploadRef]:
        return ()

    def clear(self) -> None:
        """Nothing is there."""


class FileNotebook(Notebook):
    """One small file per batch in hand, in a folder of its own that nobody else uses: ids, and no more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._left = sorted(self._folder.iterdir())
        self._pages = (self._folder / f"{secrets.token_hex(8)}-{number}" for number in itertools.count())

    @contextmanager
    def holding(self, refs: Sequence[UploadRef]) -> Iterator[None]:
        page = next(self._pages)
        page.write_bytes(_REFS.dump_json(tuple(refs)))
        try:
            yield
        finally:
            page.unlink(missing_ok=True)

    def left(self) -> Sequence[UploadRef]:
        """Of each file; one that was cut short was not begun with."""
        return list(dict.fromkeys(ref for page in self._left for ref in _read(page)))

    def clear(self) -> None:
        for page in self._left:
            page.unlink(missing_ok=True)
        self._left = []


def _read(page: Path) -> Sequence[UploadRef]:
    try:
        return _REFS.validate_json(page.read_bytes())
    except (ValidationError, OSError):
        return ()
