"""The machine is busy with something else, or does not know what time it is."""

import os
from typing import Final

from tests.chaos.launcher import ROLES
from tests.chaos.mischief import NONE, Mischief
from tests.chaos.programs import Program
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario

_FIRST = 0.3
_SECONDS = 15.0
_AHEAD = 3_600.0


async def hog(rig: Rig) -> None:
    """Two processes for each processor do nothing but count."""
    count = 2 * (os.cpu_count() or 1)
    hogs = [Program(f"hog-{number}", ("-c", "while True: pass"), {}, rig.folder / "hog.log") for number in range(count)]
    await rig.at(_FIRST)
    async with rig.fault():
        for program in hogs:
            await program.start()
        await rig.wait(_SECONDS)
        for program in hogs:
            await program.stop()


async def skew(rig: Rig) -> None:
    """Put the clock of one role after the other an hour ahead, then an hour back, then right again."""
    await rig.at(_FIRST)
    roles = ["all"] if "all" in rig.roles else [role for role in ROLES if role != "ingress"] + ["ingress"]
    async with rig.fault():
        for number, role in enumerate(roles):
            await rig.at(_FIRST + 0.06 * number)
            for ahead in (_AHEAD, -_AHEAD):
                await rig.program(role).restart(Mischief(ahead=ahead))
                await rig.more(50, 5.0)
            await rig.program(role).restart(NONE)
    await rig.alive()


SCENARIOS: Final = (
    Scenario("hog", "the processors are busy with something else", hog),
    Scenario("skew", "the clock of one role after the other is an hour wrong, both ways", skew),
)
