"""The network swallows what is sent, without a word, or cuts exactly where it hurts."""

from typing import Final

from tests.chaos.proxy import Proxy
from tests.chaos.rig import Rig
from tests.chaos.scenario import RABBITMQ, Scenario

_FIRST = 0.3
_SILENCE = 15.0
_CUTTING = 10.0
_SHARE = 0.02


def _proxy(proxy: Proxy | None) -> Proxy:
    assert proxy is not None
    return proxy


async def broker_silent(rig: Rig) -> None:
    """All connections to RabbitMQ are dead, and nobody is told; new ones too, for a while."""
    await _silent(rig, _proxy(rig.broker_proxy))


async def database_silent(rig: Rig) -> None:
    """The same with PostgreSQL, listeners included."""
    await _silent(rig, _proxy(rig.database_proxy))


async def _silent(rig: Rig, proxy: Proxy) -> None:
    await rig.at(_FIRST)
    async with rig.fault():
        proxy.swallow()
        proxy.hole = True
        await rig.wait(_SILENCE)
        proxy.hole = False


async def cut_at_commit(rig: Rig) -> None:
    """Cut every fiftieth connection just before, or just after, what it asked for was committed."""
    await rig.at(_FIRST)
    proxy = _proxy(rig.database_proxy)
    async with rig.fault():
        proxy.cutting = _SHARE
        await rig.wait(_CUTTING)
        await rig.at(0.7)
        proxy.cutting = 0.0
    (rig.notes if proxy.cuts else rig.hollow).append(f"{proxy.cuts} cuts")


SCENARIOS: Final = (
    Scenario(
        "broker-silent",
        "every connection to RabbitMQ goes dead",
        broker_silent,
        RABBITMQ,
        {},
        frozenset({"broker"}),
    ),
    Scenario(
        "database-silent",
        "every connection to PostgreSQL goes dead",
        database_silent,
        proxies=frozenset({"database"}),
    ),
    Scenario(
        "commit-cut",
        "links to PostgreSQL are cut around the commit",
        cut_at_commit,
        proxies=frozenset({"database"}),
    ),
)
