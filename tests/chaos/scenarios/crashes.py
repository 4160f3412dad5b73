"""Processes die: at random, at every named point, by what they read; and are asked to stop, one after the other."""

import asyncio
import signal
from collections.abc import Sequence
from typing import Final

from certpipe.core.clock import SystemClock
from tests.chaos.mischief import POINTS, Mischief
from tests.chaos.programs import Program
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario

_FIRST, _LAST = 0.25, 0.7
SECONDS_TO_DIE: Final = 30.0
KILLS: Final = 20
KILLS_OF_EACH: Final = 4
PATIENCE: Final = 150.0
"""What a dead process was sending holds the next upload of the same party back for two minutes."""


async def nothing(rig: Rig) -> None:
    """Let it work in peace: what the other numbers are compared with."""
    await rig.at(_FIRST)
    async with rig.fault():
        await rig.at(_LAST)


async def kill_at_random(rig: Rig) -> None:
    """Kill -9 every process several times, in an order and at moments that the seed decides."""
    victims = rig.programs * max(KILLS_OF_EACH, KILLS // len(rig.programs))
    rig.chance.shuffle(victims)
    await rig.at(_FIRST)
    async with rig.fault():
        for number, victim in enumerate(victims):
            await rig.at(_FIRST + (_LAST - _FIRST) * (number + rig.chance.random()) / len(victims))
            await victim.kill()
    await rig.alive()


async def die_at_every_point(rig: Rig, *, most: int | None = None) -> None:
    """Let each role pass each of its points a few times, and die there; or only so many of them."""
    points = [(role, point) for role, points in POINTS.items() for point in points]
    rig.chance.shuffle(points)
    points = points[:most]
    first, each = int(_FIRST * len(rig.load.pairs)), int((_LAST - _FIRST) * len(rig.load.pairs) / len(points))
    most_passes = 1 + min(3, each // 32)
    rig.load.meter(first)
    await rig.at(_FIRST)
    reached = 0
    async with rig.fault():
        for number, (role, point) in enumerate(points, start=1):
            fatal = Mischief(die_at=point, die_after=rig.chance.randint(1, most_passes))
            # All of the role: whichever of two comes to it.
            programs = rig.all_of(role)
            await asyncio.gather(*(program.kill(fatal) for program in programs))
            rig.load.meter(first + each * number)
            if await _one_died(programs):
                reached += 1
            else:
                rig.hollow.append(f"{role} did not come to {point}")
        rig.load.meter(len(rig.load.pairs))
    await rig.alive()
    rig.notes.append(f"died at {reached} of {len(points)} points")


async def _one_died(programs: Sequence[Program]) -> bool:
    deaths = [asyncio.create_task(program.died(SECONDS_TO_DIE)) for program in programs]
    done, others = await asyncio.wait(deaths, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    return any(death.result() for death in done)


async def kill_everything(rig: Rig) -> None:
    """Kill -9 all processes, PostgreSQL and RabbitMQ in one moment, three times."""
    await rig.at(_FIRST)
    async with rig.fault():
        for turn in range(3):
            await rig.at(_FIRST + (_LAST - _FIRST) * (turn + rig.chance.random()) / 3)
            for program in rig.programs:
                program.tell(signal.SIGKILL)
            rig.postgres.kill()
            if rig.broker.node is not None:
                rig.broker.node.kill()
                await rig.broker.node.start()
            await rig.postgres.start()
    await rig.alive()


async def kill_notify(rig: Rig) -> None:
    """Kill the process that tells, five times."""
    await rig.at(_FIRST)
    async with rig.fault():
        for turn in range(5):
            await rig.at(_FIRST + (_LAST - _FIRST) * (turn + rig.chance.random()) / 5)
            await rig.program("notify").kill()


async def poison(rig: Rig) -> None:
    """Uploads that kill every process which proves them, among many others."""
    async with rig.fault():
        await rig.at(1.0)
        while await rig.query(_POISON_LEFT):
            await SystemClock().wait(0.5)


_POISON_LEFT = "SELECT id FROM certpipe.uploads WHERE rfc LIKE 'POI%' AND due_at IS NOT NULL LIMIT 1"


async def roll(rig: Rig) -> None:
    """Ask each process to stop, wait, and start it again, twice; each has to leave by itself with code 0."""
    await rig.at(_FIRST)
    async with rig.fault():
        programs = 2 * rig.programs
        for number, program in enumerate(programs):
            await rig.at(_FIRST + (_LAST - _FIRST) * number / len(programs))
            code = await program.restart()
            if code:
                rig.hollow.append(f"{program.name} ended with {code}")
    await rig.alive()


SCENARIOS: Final = (
    Scenario("peace", "nothing happens: what the others are compared with", nothing),
    Scenario("kills", "kill -9 of every process four times or more, at random", kill_at_random, patience=PATIENCE),
    Scenario("points", "every role dies at every named point of its work", die_at_every_point, patience=PATIENCE),
    Scenario(
        "everything",
        "kill -9 of all processes, PostgreSQL and RabbitMQ at once, three times",
        kill_everything,
        patience=PATIENCE,
    ),
    Scenario("notify", "kill -9 of the process that tells, five times", kill_notify),
    Scenario(
        "poison",
        "two uploads kill every process that proves them",
        poison,
        mischief=dict.fromkeys(("validate", "all"), Mischief(poison=True)),
        poison=2,
    ),
    Scenario("rolling", "SIGTERM to each process in turn, twice, under load", roll),
)
