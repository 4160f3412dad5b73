"""How long a hand-over to a PAC may take: one setting, and what follows from it. Arithmetic; nothing here waits."""

from dataclasses import dataclass
from typing import Final

from certpipe.core.breaker import BreakerRules

ANSWER: Final = 30.0
MOST_WAIT: Final = 10.0
"""Seconds for each of the two waits before a hand-over: until there is a place, and until it may begin."""
MOST_ATTEMPT: Final = 120.0
"""Seconds within which an attempt is over, from the record of its intent to the record of its end. Every process
counts with this of every other, dead ones included, whatever each was set to: so it is one number, and who would take
longer does not start."""
_LOOKING_UP: Final = 20.0
_SETTLING: Final = 20.0
_EXCHANGES: Final = 4
"""Of an ordinary hand-over at the most: a token, a look-up, the sending, a look-up."""
_PROBES: Final = 5
"""Probes of one service that may hang at the same time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Raises `ValueError`, with a sentence that ends one, where an attempt would take longer than it may.

    Attributes:
        answer: seconds for one exchange with a PAC, from asking for a connection to the last byte of the answer.
    """

    answer: float = ANSWER

    def __post_init__(self) -> None:
        spare = MOST_ATTEMPT - 2 * MOST_WAIT - _LOOKING_UP - _SETTLING
        if not 0 < self.answer <= spare / 2:
            raise ValueError(
                f"it is at the most {spare / 2:g}: an attempt has to be over within {MOST_ATTEMPT:g} seconds"
            )

    @property
    def turn(self) -> float:
        """Seconds for one hand-over, when it is its turn: two exchanges that take as long as they may, and the rest."""
        return 2 * self.answer + _LOOKING_UP

    @property
    def probe(self) -> float:
        """The same of a probe: four slow answers, but no longer than so many further probes come meanwhile."""
        return min(_EXCHANGES * self.answer, _PROBES * BreakerRules().probe)
