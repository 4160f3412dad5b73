"""The work on one upload in a process of its own."""

import asyncio
import os
import sys
from typing import Any, cast

import pytest

from certpipe.core.ids import uuid7
from certpipe.runtime.alone import Alone
from certpipe.runtime.work import Work
from schemas.messages import UploadRef


class Refs:
    """Work that notes what it was asked for."""

    def __init__(self) -> None:
        self.done: list[UploadRef] = []

    async def do(self, refs: list[UploadRef], _stopping: asyncio.Event) -> None:
        self.done += refs


class Pipe:
    """A standard output that is a pipe."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()

    def fileno(self) -> int:
        return self._writer


async def alone(refs: Refs, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    monkeypatch.setattr(sys, "stdout", pipe)
    stopping = asyncio.Event()
    await Alone(cast("Work[Any, Any]", refs), UploadRef(id=uuid7(), epoch=1)).run(stopping)
    return stopping


async def test_it_says_that_it_begins_works_and_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    refs, pipe = Refs(), Pipe()
    assert (await alone(refs, pipe, monkeypatch)).is_set()
    assert len(refs.done) == 1
    assert os.read(pipe.reader, 100) == b"begun\n"


async def test_where_nobody_listens_any_more_it_is_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    refs, pipe = Refs(), Pipe()
    os.close(pipe.reader)
    assert (await alone(refs, pipe, monkeypatch)).is_set()
    assert refs.done == []
