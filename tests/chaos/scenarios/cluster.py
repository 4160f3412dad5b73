"""A cluster of three loses a node, and gets it back."""

from typing import Final

from tests.chaos.cluster import NAMES, Cluster
from tests.chaos.rig import Rig
from tests.chaos.scenario import CLUSTER, Scenario

_FIRST = 0.25
_AWAY = 6.0


async def lose_a_node(rig: Rig) -> None:
    """Kill -9 each node in turn; it comes back before the next one goes."""
    cluster = rig.broker.node
    assert isinstance(cluster, Cluster)
    await rig.at(_FIRST)
    async with rig.fault():
        for number, name in enumerate(NAMES):
            await rig.at(_FIRST + 0.2 * number)
            if number:
                await rig.wait(_AWAY)  # the one before has to catch up
            cluster.kill_node(name)
            await rig.wait(_AWAY)
            await cluster.start_node(name)


SCENARIOS: Final = (Scenario("node-lost", "kill -9 of each of three nodes in turn", lose_a_node, CLUSTER),)
