"""The runtime under every fault that hypothesis can think of; and proofs that the model sees what it is to see."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model import defects
from tests.model.machine import Deaths, Faults

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

THOROUGH = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
UNTIL_FOUND = settings(THOROUGH, max_examples=3_000, phases=[Phase.generate], print_blob=False)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of faults have thousands of lines."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_nothing_is_lost_and_every_step_is_made_once_whatever_happens() -> None:
    run_state_machine_as_test(Faults, settings=THOROUGH)


@pytest.mark.parametrize(
    ("base", "kind", "seen"),
    [
        pytest.param(Deaths, {"worker": defects.AcksFirst}, "lost", id="acks before it settles"),
        pytest.param(Deaths, {"ledger": defects.PublishesFirst}, "lost", id="publishes before it commits"),
        pytest.param(Deaths, {"table": defects.TrustsThePublishing}, "lost", id="has no outbox"),
        pytest.param(Faults, {"table": defects.LastOneWins}, None, id="lets the last one win"),
    ],
)
def test_a_defect_is_found(base: type[Deaths], kind: dict[str, Any], seen: str | None) -> None:
    defective = type("Defective", (base,), {"kind": kind})
    with pytest.raises(AssertionError, match=seen):
        run_state_machine_as_test(defective, settings=UNTIL_FOUND)
