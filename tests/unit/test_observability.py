"""What a log line may hold."""

import asyncio
import gc
import logging
from collections.abc import Iterator

import pytest

from certpipe.observability import configure


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root, loud = logging.getLogger(), logging.getLogger("asyncio")
    kept = root.handlers, root.level, loud.filters[:], loud.level
    yield
    root.handlers, loud.filters = kept[0], kept[2]
    root.setLevel(kept[1])
    loud.setLevel(kept[3])


def test_the_error_of_a_task_that_nobody_waited_for_is_told_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(role="test", level="DEBUG", pretty=False)

    async def fails() -> None:
        raise ValueError("a secret")

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])

    asyncio.run(main())
    gc.collect()
    told = capsys.readouterr().err
    assert "Task exception was never retrieved" in told
    assert "ValueError at" in told
    assert "secret" not in told
