"""Messages come more often than they were meant to."""

from typing import Final

from tests.chaos.launcher import ROLES
from tests.chaos.mischief import Mischief
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario


async def whole_run(rig: Rig) -> None:
    """From the first to the last upload."""
    async with rig.fault():
        await rig.at(1.0)


SCENARIOS: Final = (
    Scenario(
        "duplicates",
        "every message is published three times",
        whole_run,
        mischief=dict.fromkeys((*ROLES, "all"), Mischief(times=3)),
    ),
)
