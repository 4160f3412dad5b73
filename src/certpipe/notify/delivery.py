"""Delivers: claims what is due, sends it by a lane for each endpoint, writes down what came of it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.errors import Rejected, Unavailable, place
from certpipe.core.ports.events import Told
from certpipe.core.ports.webhooks import Claimed, Deliveries, EndpointOpener, Target
from certpipe.notify.lanes import Lane
from certpipe.notify.outcomes import OurError, Outcome, hindered, judged
from certpipe.notify.schedule import Schedule
from certpipe.notify.sending import Sent, Signing
from certpipe.notify.settling import Settler

log: Final = logging.getLogger(__name__)

SPARE: Final = timedelta(seconds=45)
"""Beside the time of one request, what a lease leaves for waiting in the lane and for writing down."""
MOST_CLAIMED: Final = 5_000
"""In memory; beyond that an endpoint may still have what can be sent at once, whatever the others hold."""
MOST_AT_ONCE: Final = 300
"""Deliveries of one claim: reading them must not keep the answers of receivers waiting for long."""
IDLE: Final = timedelta(minutes=10)


class Sends(Protocol):
    """Makes one attempt."""

    async def send(self, target: Target, signing: Signing, told: Told, /) -> Sent:
        """Ends within the timeout, whatever the receiver does."""


class Deliverer:
    """Every endpoint has a lane of its own: one that is slow, hangs or fails holds up no other. Several may run.

    What is claimed when the process dies, and what could not be sent within its lease, is due again when that ends.

    Attributes:
        opener: opens what endpoints are signed with, and only when that was changed.
        at_once: requests to one endpoint at the same time.
        timeout: seconds that `sender` takes for an attempt at the most.
        every: seconds between two looks for what is due.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        opener: EndpointOpener,
        sender: Sends,
        clock: Clock,
        at_once: int,
        timeout: float,
        schedule: Schedule | None = None,
        every: float = 1.0,
    ) -> None:
        self._deliveries, self._opener, self._sender, self._clock = deliveries, opener, sender, clock
        self._at_once, self._timeout, self._every = at_once, timeout, every
        self._lease = timedelta(seconds=timeout) + SPARE
        self._schedule = schedule or Schedule()
        self._settler = Settler(deliveries, clock)
        self._lanes: dict[UUID, Lane] = {}
        self._hungry: dict[UUID, None] = {}  # in order: who has waited longest comes first
        self._awake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._look_at = clock.now()
        self._away = False

    def wake(self, endpoints: Collection[UUID]) -> None:
        """These have something new."""
        self._hungry.update(dict.fromkeys(endpoints))
        self._awake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until `stopping` is set; then finish what is being sent, and write it down."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._settler.run())
            tasks.create_task(self._wake_at(stopping))
            woken = False
            while not stopping.is_set():
                self._awake.clear()
                await self._round(look=not woken)
                woken = stopping.is_set() or await self._clock.wait(self._every, until=self._awake)
            for lane in self._lanes.values():
                lane.drop()
            if self._sending:
                await asyncio.wait(set(self._sending))
            self._settler.close()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._awake.set()

    async def _round(self, *, look: bool) -> None:
        """Claim for whoever is hungry. `look`: also ask who has something due, which is done once a second anyway."""
        now = self._clock.now()
        try:
            if look or now >= self._look_at:
                self._look_at = now + timedelta(seconds=self._every)
                await self._look_after_lanes(now)
                self._hungry.update(dict.fromkeys(await self._deliveries.waiting(now)))
            if self._hungry:
                await self._claim(now)
        except Unavailable as away:
            if not self._away:  # once: it is asked every second
                self._away = True
                log.warning("cannot look for deliveries now", extra={"codes": str(away)})
        else:
            if self._away:
                self._away = False
                log.info("delivering again")

    async def _look_after_lanes(self, now: datetime) -> None:
        """See what changed of those that have something claimed; go on where a pause is over; forget the idle."""
        await self._open([each for each, lane in self._lanes.items() if lane.queued])
        for endpoint_id, lane in list(self._lanes.items()):
            self._go_on(lane, now)
            if not lane.held and now - lane.used_at > IDLE:
                del self._lanes[endpoint_id]

    async def _claim(self, now: datetime) -> None:
        hungry, self._hungry = self._hungry, {}
        # A lane that is paused while somebody has something for it: it may have been changed meanwhile.
        await self._open([each for each in hungry if (lane := self._lanes.get(each)) is None or lane.paused(now)])
        rooms = self._rooms(hungry, now)
        if not rooms:
            return
        claimed = await self._deliveries.claim(rooms, now=now, until=now + self._lease)
        theirs: defaultdict[UUID, list[Claimed]] = defaultdict(list)
        for each in claimed:
            theirs[each.endpoint_id].append(each)
        for endpoint_id, room in rooms.items():
            lane = self._lanes[endpoint_id]
            lane.put(theirs[endpoint_id], now)
            lane.more = len(theirs[endpoint_id]) >= room
        await self._open_changed(theirs)
        for endpoint_id in theirs:
            self._go_on(self._lanes[endpoint_id], now)

    async def _open_changed(self, claimed: Mapping[UUID, Sequence[Claimed]]) -> None:
        """Those that are no longer as their lanes know them."""
        known = {each: self._lanes[each].target.version for each in claimed}
        changed = [each for each, some in claimed.items() if some and some[-1].version != known[each]]
        try:
            await self._open(changed)
        except Unavailable:
            for each in changed:  # what was true of them before is not to be sent
                self._lanes[each].drop()
            raise

    def _rooms(self, hungry: Iterable[UUID], now: datetime) -> Mapping[UUID, int]:
        left = MOST_AT_ONCE
        most = MOST_CLAIMED - len(self._settler) - sum(lane.held for lane in self._lanes.values())
        rooms = {}
        for endpoint_id in hungry:
            lane = self._lanes.get(endpoint_id)
            if lane is None or lane.paused(now):
                continue
            room = min(lane.room, most if lane.held else max(most, lane.width))
            if room <= 0:
                lane.more = True
            elif left:
                rooms[endpoint_id] = room = min(room, left)
                left, most = left - room, most - room
            else:
                self.wake((endpoint_id,))  # the next claim is theirs
        return rooms

    async def _open(self, endpoint_ids: Collection[UUID]) -> None:
        """Lanes for endpoints that have none, or that were changed. Their keys are opened when they are others.

        What is claimed of those that get nothing any more is given up.
        """
        if not endpoint_ids:
            return
        now = self._clock.now()
        targets = await self._deliveries.targets(list(endpoint_ids))
        for endpoint_id in self._lanes.keys() & (set(endpoint_ids) - {target.id for target in targets}):
            self._lanes[endpoint_id].drop()
        for target in targets:
            lane = self._lanes.get(target.id)
            if lane is None:
                self._lanes[target.id] = Lane(
                    target,
                    self._opened(target),
                    at_once=self._at_once,
                    timeout=self._timeout,
                    lease=self._lease,
                    now=now,
                )
            elif lane.target.version != target.version:
                signing = lane.signing if _secrets(lane.target) == _secrets(target) else self._opened(target)
                lane.renew(target, signing, standing=not self._settler.knows_better(target.id))

    def _opened(self, target: Target) -> Signing | None:
        try:
            return Signing.of(target, self._opener)
        except Rejected as rejected:
            extra = {"codes": str(rejected), "endpoint_id": str(target.id)}
            log.error("the keys of an endpoint cannot be opened", extra=extra)
            return None

    def _go_on(self, lane: Lane, now: datetime) -> None:
        """Send as many at once as the lane allows."""
        while (claimed := lane.next(now)) is not None:
            task = asyncio.create_task(self._send_on(lane, claimed))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send_on(self, lane: Lane, claimed: Claimed | None) -> None:
        """Send this, and then what is next for as long as there is some."""
        time = asyncio.get_running_loop().time
        while claimed is not None:
            began, target = time(), lane.target
            outcome = await self._attempt(lane, claimed)
            # What came of it before its owner changed it says nothing of it now.
            standing = outcome.standing if lane.target.changed_at == target.changed_at else lane.standing
            changed = lane.landed(standing, time() - began)
            self._settler.put(outcome.attempted, standing.health(target) if changed else None)
            now = self._clock.now()
            claimed = lane.next(now)
            self._go_on(lane, now)
            if lane.more and lane.room:
                self.wake((lane.target.id,))

    async def _attempt(self, lane: Lane, claimed: Claimed) -> Outcome:
        error = OurError.KEY_UNAVAILABLE
        if lane.signing is not None:
            try:
                sent = await self._sender.send(lane.target, lane.signing, claimed.told)
            except Exception as defect:  # noqa: BLE001 - it must not take the endpoint's other deliveries with it
                log.error("a delivery could not be sent", extra={"defect": place(defect)})
                error = OurError.INTERNAL
            else:
                return judged(claimed, sent, lane.standing, self._schedule, self._clock.now())
        return hindered(claimed, error, lane.standing, self._schedule, self._clock.now())


def _secrets(target: Target) -> tuple[object, ...]:
    """What is opened of an endpoint: it changes more seldom than how the endpoint stands."""
    return target.sealed, target.headers, target.previous, target.previous_until
