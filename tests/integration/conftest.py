"""A whole certpipe per file, with the parties and people that vendors' clients presuppose."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import servers
from tests.vendors import Vendors, vendors


@pytest.fixture(scope="module")
def database(shared_folder: Path) -> Iterator[str]:
    with servers.fresh_database_url(shared_folder) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Vendors]:
    async with vendors(tmp_path_factory.mktemp("vendors") / "data", database) as certpipe:
        yield certpipe
