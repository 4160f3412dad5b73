"""The one backoff arithmetic. Connectors never loop; the runtime asks this and writes `due_at`."""

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    Attributes:
        first: seconds before the first retry.
        factor: growth per attempt.
        most: seconds that a retry waits at the most.
        attempts: attempts after which to give up; the first try counts.
        jitter: share of the delay that chance decides (0.2: between 80 % and 100 %).
    """

    first: float = 1.0
    factor: float = 2.0
    most: float = 300.0
    attempts: int = 900
    jitter: float = 0.2
    chance: random.Random = field(default_factory=random.SystemRandom, repr=False, compare=False)

    def delay(self, attempt: int, *, at_least: float | None = None) -> float | None:
        """Seconds to wait after the `attempt`-th try (1 is the first), or None when there is to be no other.

        `at_least` is what the other side asked for (`Retry-After`); it is honoured up to a day.
        """
        if attempt >= self.attempts:
            return None
        grown = self.first * self.factor ** min(attempt - 1, 64)
        delay = min(grown, self.most) * (1 - self.jitter * self.chance.random())
        return max(delay, min(at_least or 0.0, 86_400.0))
