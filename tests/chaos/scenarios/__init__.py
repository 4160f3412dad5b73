"""Every scenario, in the order in which they run and are told."""

from collections.abc import Mapping
from typing import Final

from tests.chaos.scenario import Scenario
from tests.chaos.scenarios import broker, cluster, controls, crashes, database, machine, messages, network, pac

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for family in (crashes, broker, network, messages, database, pac, machine, cluster, controls)
    for scenario in family.SCENARIOS
}
