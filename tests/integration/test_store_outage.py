"""The server is killed and comes back: what was promised is there, and nobody has to be started again."""

import asyncio

import pytest

from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.store.hints import StoreHints
from tests.integration.storehouse import storehouse


async def test_after_a_kill_everything_committed_is_there_and_the_same_pool_goes_on(
    postgres_server: EmbeddedPostgres,
) -> None:
    async with storehouse(postgres_server.url) as house:
        heard, stopping = asyncio.Event(), asyncio.Event()
        listening = asyncio.create_task(StoreHints(house.url, SystemClock()).listen(heard.set, stopping))
        async with asyncio.timeout(60):
            await heard.wait()
        (first, second) = await house.accepted(2)
        (moved,) = await house.validate.settle([house.proved(first)])
        await house.hinter.close()
        heard.clear()
        postgres_server.kill()
        with pytest.raises(Unavailable, match="database_unavailable"):
            await house.intake.accept(house.new())
        with pytest.raises(Unavailable, match="database_unavailable"):
            await house.encrypt.settle([house.wrapped(moved)])
        await postgres_server.start()
        assert [one.ref for one in await house.encrypt.load([moved])] == [moved]
        assert [one.ref for one in await house.validate.load([first, second])] == [second]
        assert len(await house.encrypt.settle([house.wrapped(moved)])) == 1
        async with asyncio.timeout(60):
            await heard.wait()  # by reconnecting, whether or not a hint came
        stopping.set()
        await listening
