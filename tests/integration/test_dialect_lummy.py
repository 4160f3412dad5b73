"""Lummy's clients against a whole certpipe: its golden transcripts, with real and with generated bundles."""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from certpipe.core.bundle import Bundle
from tests import servers, transcripts
from tests.bundles import genuine
from tests.transcripts import Replay, Transcript
from tests.vendors import Vendors, vendors

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database(shared_folder: Path) -> Iterator[str]:
    with servers.fresh_database_url(shared_folder) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Vendors]:
    async with vendors(tmp_path_factory.mktemp("lummy") / "data", database) as certpipe:
        yield certpipe


@pytest.fixture(params=["generated", "genuine"])
def bundles(request: pytest.FixtureRequest, running: Vendors) -> Mapping[str, Bundle]:
    return running.bundles if request.param == "generated" else genuine()


@pytest.mark.parametrize("transcript", transcripts.of("lummy"), ids=str)
async def test_transcript(transcript: Transcript, running: Vendors, bundles: Mapping[str, Bundle]) -> None:
    await Replay(transcript, running, bundles).run()
