"""RabbitMQ stops, crashes, closes its connections, loses a queue or its disk, or runs out of memory."""

from typing import Final

import aio_pika

from certpipe.broker.topology import WORK, queue_of
from schemas.status import Stage
from tests.chaos.brokers import Node
from tests.chaos.rig import Rig
from tests.chaos.scenario import RABBITMQ, Scenario

_FIRST = 0.3
_OUTAGE = 4.0
_CRASHES = 4


def _node(rig: Rig) -> Node:
    assert rig.broker.node is not None
    return rig.broker.node


async def stop(rig: Rig) -> None:
    """Stop it cleanly, and start it again."""
    await rig.at(_FIRST)
    async with rig.fault():
        await _node(rig).stop()
        await rig.wait(_OUTAGE)
        await _node(rig).start()


async def crash(rig: Rig) -> None:
    """Kill -9, and start it again; four times."""
    await rig.at(_FIRST)
    async with rig.fault():
        for turn in range(_CRASHES):
            await rig.at(_FIRST + 0.1 * turn)
            _node(rig).kill()
            await rig.wait(_OUTAGE / 4)
            await _node(rig).start()


async def close_connections(rig: Rig) -> None:
    """Have it close all connections, five times."""
    await rig.at(_FIRST)
    async with rig.fault():
        for turn in range(5):
            await rig.at(_FIRST + 0.1 * turn)
            await _node(rig).ctl("close_all_connections", "chaos")


async def delete_queue(rig: Rig) -> None:
    """Delete a queue with all that is in it, and apply the topology again."""
    await rig.at(_FIRST)
    async with rig.fault():
        for turn, stage in enumerate((Stage.ENCRYPT, Stage.FORWARD)):
            await rig.at(_FIRST + 0.2 * turn)
            async with await aio_pika.connect(rig.broker.url) as connection:
                channel = await connection.channel()
                await channel.queue_delete(queue_of(stage), if_unused=False, if_empty=False)
            await rig.wait(_OUTAGE / 2)
            await rig.certpipe("topology", "apply")


async def unroute(rig: Rig) -> None:
    """Take the binding of a queue away, and put it back."""
    await rig.at(_FIRST)
    async with rig.fault(), await aio_pika.connect(rig.broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(queue_of(Stage.PERSIST), passive=True)
        await queue.unbind(WORK, Stage.PERSIST)
        await rig.wait(2 * _OUTAGE)
        if not await rig.query("SELECT FROM certpipe.uploads WHERE state = 'encrypted' LIMIT 1"):
            rig.hollow.append("nothing waited for the binding")
        await queue.bind(WORK, Stage.PERSIST)


_ALARM: Final = "{resource_limit, memory, node()}"
"""Not by a low limit: a node in a tree without /proc does not watch its memory."""


async def alarm(rig: Rig) -> None:
    """Have it believe that memory runs out: it takes nothing from those who publish."""
    await rig.at(_FIRST)
    async with rig.fault():
        await _node(rig).ctl("eval", f"rabbit_alarm:set_alarm({{{_ALARM}, []}}).")
        before = len(rig.load.accepted)
        await rig.wait(3 * _OUTAGE)
        taken = len(rig.load.accepted) - before
        (rig.notes if taken else rig.hollow).append(f"{taken} accepted during the alarm")
        await _node(rig).ctl("eval", f"rabbit_alarm:clear_alarm({_ALARM}).")


async def wipe(rig: Rig) -> None:
    """Kill -9, take the disk away, start an empty one, apply the topology, have everything published again."""
    await rig.at(_FIRST)
    async with rig.fault():
        _node(rig).wipe()
        await rig.wait(_OUTAGE / 2)
        await _node(rig).start()
        await rig.broker.renew()
        said = (await rig.certpipe("rebuild")).strip()
        (rig.hollow if ": 0 uploads" in said else rig.notes).append(said)


SCENARIOS: Final = (
    Scenario("broker-stop", "RabbitMQ stops and starts", stop, RABBITMQ),
    Scenario("broker-crash", "kill -9 of RabbitMQ, four times", crash, RABBITMQ),
    Scenario("broker-closes", "RabbitMQ closes all connections, five times", close_connections, RABBITMQ),
    Scenario("queue-deleted", "a queue is deleted with what is in it, twice", delete_queue, RABBITMQ),
    Scenario("unroutable", "a stage's queue is unbound, and bound again", unroute, RABBITMQ),
    Scenario("alarm", "RabbitMQ raises its memory alarm, and takes it back", alarm, RABBITMQ),
    Scenario("disk-wiped", "RabbitMQ loses its disk", wipe, RABBITMQ),
)
