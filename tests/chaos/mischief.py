"""What a process is started with besides its role: where it is to die, and what it is to do wrong."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Final

VARIABLE: Final = "CHAOS_MISCHIEF"
POISON: Final = "POI"
"""How the RFC of a party begins whose uploads kill the process that proves them."""

STAGE_POINTS: Final = (
    *("load.after", "settle.before", "settle.after", "publish.before", "publish.after"),
    *("mark.before", "mark.after", "ack.before", "ack.after"),
)
POINTS: Final = {
    "ingress": ("accept.before", "accept.after", "publish.before", "publish.after", "mark.before", "mark.after"),
    "validate": STAGE_POINTS,
    "encrypt": STAGE_POINTS,
    "persist": ("commit.before", "commit.after", *STAGE_POINTS),
    "forward": (
        *("load.after", "sw-vault.send.before", "sw-vault.send.after", "efisco.send.before", "efisco.send.after"),
        *("settle.before", "settle.after", "ack.before", "ack.after"),
    ),
    "notify": ("query.after", "commit.before", "commit.after", "publish.before", "publish.after"),
    "sweeper": ("query.after", "publish.before", "publish.after"),
}
"""The named points that a role passes while it works. The last stage publishes nothing."""


@dataclass(frozen=True, slots=True)
class Mischief:
    """What one process does wrong.

    Attributes:
        die_at: a named point; the process kills itself when it passes that for the `die_after`-th time.
        poison: it kills itself when it meets an upload of a party whose RFC begins as `POISON`.
        times: how often it publishes each message.
        ahead: seconds by which its clock goes ahead.
        ack_first: it acknowledges what it receives before it does anything.
        forget_intents: it does not see which certificates may have been sent before.
    """

    die_at: str = ""
    die_after: int = 1
    poison: bool = False
    times: int = 1
    ahead: float = 0.0
    ack_first: bool = False
    forget_intents: bool = False

    @property
    def lasting(self) -> "Mischief":
        """What the process does that is started in the place of one that died."""
        return replace(self, die_at="")

    def dump(self) -> str:
        """As text, for the environment."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str | None) -> "Mischief":
        """What `dump` wrote; nothing, when there is none."""
        return cls(**json.loads(text)) if text else cls()


NONE: Final = Mischief()
