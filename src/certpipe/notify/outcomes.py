"""What becomes of a delivery, and of its endpoint, after an attempt. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from certpipe.core.ports.webhooks import Attempted, Claimed
from certpipe.notify.schedule import Schedule
from certpipe.notify.sending import Sent
from certpipe.notify.standing import LONGEST_PAUSE, Standing
from schemas.webhooks import AttemptView, DeliveryState

OUR_PAUSE: Final = timedelta(seconds=60)


class OurError(StrEnum):
    """What keeps us from sending, as an attempt's `error`. The receiver is not to blame, and it ends no delivery."""

    KEY_UNAVAILABLE = "key_unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How to write an attempt down, and how the endpoint stands after it."""

    attempted: Attempted
    standing: Standing


def judged(claimed: Claimed, sent: Sent, standing: Standing, schedule: Schedule, now: datetime) -> Outcome:
    """After an attempt that was sent. `standing`: before it."""
    if sent.delivered:
        return Outcome(Attempted(claimed, sent.attempt, DeliveryState.DELIVERED, None), Standing())
    after = standing.gone(now) if sent.gone else standing.failed(sent.attempt.at, now)
    if sent.retry_after is not None:  # asked of all that comes, and not of this delivery alone
        after = after.resting(now + min(timedelta(seconds=sent.retry_after), LONGEST_PAUSE))
    delay = schedule.delay(claimed.step + 1, at_least=sent.retry_after)
    if delay is None:
        return Outcome(Attempted(claimed, sent.attempt, DeliveryState.FAILED, None), after)
    return Outcome(Attempted(claimed, sent.attempt, DeliveryState.PENDING, now + delay), after)


def hindered(claimed: Claimed, error: OurError, standing: Standing, schedule: Schedule, now: datetime) -> Outcome:
    """After an attempt that we could not make. The endpoint rests a minute, so that not all it has is tried."""
    attempt = AttemptView(at=now, milliseconds=0, error=error)
    due_at = now + schedule.unspent(claimed.step + 1)
    return Outcome(Attempted(claimed, attempt, DeliveryState.PENDING, due_at), standing.resting(now + OUR_PAUSE))
