"""The servers that tests may ask for. Nothing starts before a test asks.

* `amqp_url`: a virtual host of the test's own, on the session's RabbitMQ.
* `database_url`: an empty database of the test's own, on the session's PostgreSQL.
* `private_rabbit`, `postgres_server`: a whole server that the test may stop and kill (one per module; before each test
  it runs again, with what earlier tests of the module left in it).
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from tests import servers

# The suite looks at the same examples each time, so that it fails where something was broken and nowhere else;
# `CERTPIPE_THOROUGH=1` looks at new ones.
settings.register_profile("suite", derandomize=not os.environ.get("CERTPIPE_THOROUGH"))
settings.load_profile("suite")

_FOLDER = "CERTPIPE_TESTS_FOLDER"
_OWNER = "CERTPIPE_TESTS_OWNER"
_NEED_RABBITMQ = {"amqp_url", "private_rabbit"}


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


def pytest_configure() -> None:
    """The process that the user started names the folder that all its workers share."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in a background job of a shell: programs that tests interrupt would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _is_worker():
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="certpipe-tests-")
        os.environ[_OWNER] = str(os.getpid())


def pytest_unconfigure() -> None:
    """It also cleans up, when all workers have ended, whatever came of the tests."""
    if not _is_worker():
        servers.stop_all(Path(os.environ[_FOLDER]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Install RabbitMQ before the first test's time runs, if any test needs it and it is not here."""
    needed = any(_NEED_RABBITMQ.intersection(getattr(item, "fixturenames", ())) for item in items)
    if needed and not os.environ.get("CERTPIPE_TEST_AMQP_URL"):
        folder = Path(os.environ[_FOLDER])
        # Where it cannot be installed, the tests that need it fail, and say so.
        with servers.locked(folder / "install.lock"), suppress(RuntimeError):
            servers.install_rabbitmq()


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """What the workers of this session share."""
    return Path(os.environ[_FOLDER])


@pytest.fixture
def amqp_url(shared_folder: Path) -> Iterator[str]:
    """A virtual host of the test's own."""
    with servers.fresh_amqp_url(shared_folder) as url:
        yield url


@pytest.fixture
def database_url(shared_folder: Path) -> Iterator[str]:
    """An empty database of the test's own."""
    with servers.fresh_database_url(shared_folder) as url:
        yield url


@pytest.fixture(scope="module")
def _module_rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbit]:
    servers.install_rabbitmq()
    folder = tmp_path_factory.mktemp("private-rabbit")
    node = PrivateRabbit(folder, owner=os.getpid())
    yield node
    node.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def private_rabbit(_module_rabbit: PrivateRabbit) -> PrivateRabbit:
    """A running node that the test may stop and kill."""
    servers.run(_module_rabbit.start())
    return _module_rabbit


@pytest.fixture(scope="module")
def _module_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder = tmp_path_factory.mktemp("own-postgres")
    server = EmbeddedPostgres(folder, owner=os.getpid())
    yield server
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_server(_module_postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """A running server, durable, that the test may stop and kill."""
    servers.run(_module_postgres.start())
    return _module_postgres
