"""Lummy's clients against a whole certpipe: its golden transcripts, with real and with generated bundles."""

from collections.abc import Mapping

import pytest

from certpipe.core.bundle import Bundle
from tests import transcripts
from tests.bundles import genuine
from tests.transcripts import Replay, Transcript
from tests.vendors import Vendors

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(params=["generated", "genuine"])
def bundles(request: pytest.FixtureRequest, running: Vendors) -> Mapping[str, Bundle]:
    return running.bundles if request.param == "generated" else genuine()


@pytest.mark.parametrize("transcript", transcripts.of("lummy"), ids=str)
async def test_transcript(transcript: Transcript, running: Vendors, bundles: Mapping[str, Bundle]) -> None:
    await Replay(transcript, running, bundles).run()
