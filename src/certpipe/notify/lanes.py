"""One endpoint as the deliverer sees it: what of it is claimed, how much more may be, and how many at once."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from certpipe.core.ports.webhooks import Claimed, Target
from certpipe.notify.sending import Signing
from certpipe.notify.standing import Standing

FIRST_WIDTH: Final = 4
"""Requests at once to an endpoint that nothing is known of; each success allows for one more."""
MOST_HELD: Final = 512
_WEIGHT: Final = 0.2


class Lane:
    """The deliveries of one endpoint that are claimed, and its standing. No input or output.

    An endpoint that answers fast may have many deliveries claimed, so that not every request needs a claim; a slow one
    never more than it can take within half of the time that is left to a lease.

    Attributes:
        signing: None when its keys cannot be opened.
        more: whether there may be more due than was claimed.
        in_flight: requests that are being sent.
        used_at: when something of it was claimed last.
    """

    def __init__(
        self, target: Target, signing: Signing | None, *, at_once: int, timeout: float, lease: timedelta, now: datetime
    ) -> None:
        self._at_once, self._timeout = at_once, timedelta(seconds=timeout)
        self._window = (lease - self._timeout).total_seconds() / 2
        self._seconds = timeout / 2
        self._width = min(FIRST_WIDTH, at_once)
        self._queue: deque[Claimed] = deque()
        self.in_flight = 0
        self.more = False
        self.used_at = now
        self.renew(target, signing)

    def renew(self, target: Target, signing: Signing | None, *, standing: bool = True) -> None:
        """The endpoint was changed. `standing`: how it stands is as was written, too."""
        self.target, self.signing = target, signing
        if standing:
            self.standing = Standing.of(target)

    @property
    def width(self) -> int:
        """How many may be sent at once."""
        return 1 if self._probing else self._width

    @property
    def _probing(self) -> bool:
        return self.standing.broken or self.signing is None

    @property
    def held(self) -> int:
        """How many are claimed and have not been tried."""
        return len(self._queue) + self.in_flight

    @property
    def queued(self) -> bool:
        """Whether something is claimed that is not being sent yet."""
        return bool(self._queue)

    @property
    def capacity(self) -> int:
        """How many may be claimed."""
        if self._probing:
            return 1
        return max(self.width, min(MOST_HELD, int(self.width * self._window / self._seconds)))

    @property
    def room(self) -> int:
        """How many more may be claimed: none until it is worth a claim."""
        room = self.capacity - self.held
        return room if room >= (self.capacity + 1) // 2 else 0

    def paused(self, now: datetime) -> bool:
        """Whether nothing is to be sent now."""
        return self.standing.paused(now)

    def put(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """These were claimed."""
        self._queue += claimed
        self.used_at = now

    def next(self, now: datetime) -> Claimed | None:
        """The next to be sent, if any may be sent now. What could outlive its lease is given up: it comes again."""
        if self.in_flight >= self.width or self.paused(now):
            return None
        while self._queue:
            claimed = self._queue.popleft()
            if claimed.leased_until - now > self._timeout:
                self.in_flight += 1
                return claimed
        return None

    def drop(self) -> None:
        """Give up all that is not being sent: when its leases end it comes again."""
        self._queue.clear()

    def landed(self, standing: Standing, seconds: float) -> bool:
        """One request has ended, after so long; true when the standing is another now."""
        self.in_flight -= 1
        self._seconds += _WEIGHT * (max(seconds, 0.001) - self._seconds)
        if standing.failures == 0:
            self._width = min(self._width + 1, self._at_once)
        elif standing.broken:
            self._width = min(FIRST_WIDTH, self._at_once)
        changed = standing != self.standing
        self.standing = standing
        if standing.disable is not None:
            self.drop()
        return changed
