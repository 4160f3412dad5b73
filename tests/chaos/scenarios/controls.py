"""Systems that are made to break a promise: a harness that does not find it is worth nothing."""

from typing import Final

from tests.chaos.mischief import Mischief
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.messages import whole_run

_ONE_BROKER: Final = frozenset({"rabbitmq310"})
_PATIENCE: Final = 10.0
"""Who is behind a dead attempt waits for two minutes. Nobody waits for that here."""


SCENARIOS: Final = (
    Scenario(
        "acks-first",
        "a worker acknowledges before it works, and dies once",
        whole_run,
        _ONE_BROKER,
        mischief={"validate": Mischief(ack_first=True, die_at="settle.before")},
        told=False,
        control="stuck",
        patience=_PATIENCE,
    ),
    Scenario(
        "acks-last",
        "the same death of a worker as it is: the twin of `acks-first`",
        whole_run,
        _ONE_BROKER,
        mischief={"validate": Mischief(die_at="settle.before")},
        told=False,
        patience=_PATIENCE,
    ),
    Scenario(
        "forgets-intents",
        "a worker does not see what may have been sent before, and dies once after sending",
        whole_run,
        _ONE_BROKER,
        mischief={"forward": Mischief(forget_intents=True, die_at="sw-vault.send.after")},
        told=False,
        control="duplicates",
        patience=_PATIENCE,
    ),
)
