"""The way to one service of a PAC: in turn, no faster than it may be used, and not at all while it is left alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar
from uuid import UUID

from certpipe.core.breaker import Breaker, BreakerRules, Fault, fault_of
from certpipe.core.clock import Clock
from certpipe.core.errors import Barred, Rejected, Unavailable, Uncertain
from certpipe.core.pace import Limits, Pace
from certpipe.core.patience import MOST_WAIT, Patience
from certpipe.core.ports.services import Services, Standing
from certpipe.core.problems import Problem
from certpipe.runtime.handover import HandOver
from certpipe.runtime.turns import Turns
from schemas.services import ServiceState
from schemas.status import Actor

T = TypeVar("T")
log: Final = logging.getLogger(__name__)

MOST_REMEMBERED: Final = 4096
SHUT: Final = Problem(
    "pac_paused",
    "El servicio del PAC está en pausa; el envío espera sin gastar intentos",
    "The PAC's service is left alone for now; the upload waits and burns no attempt",
    actor=Actor.PROVIDER,
    status=503,
)
OVERTIME: Final = Problem(
    "pac_overtime",
    "El PAC tarda demasiado; se consultará antes de intentar de nuevo",
    "The PAC takes too long; it will be looked up before it is tried again",
    actor=Actor.PROVIDER,
    status=503,
)


class ServiceGate:
    """The port `Gate`, and the port `Room`, for one service in one process.

    What it finds out it tells `services`, so that all processes leave alone what one of them found failing.

    `used_again` is called when it was left alone and is so no more, by its probes or by the operator.
    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        services: Services,
        clock: Clock,
        *,
        rules: BreakerRules | None = None,
        patience: Patience | None = None,
        used_again: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.limits = name, limits
        self._rules, self._patience = rules or BreakerRules(), patience or Patience()
        self._breaker, self._pace = Breaker(self._rules), Pace(limits)
        self._services, self._clock, self._used_again = services, clock, used_again
        self._turns = Turns(limits.at_once)
        self._under_way: set[HandOver] = set()
        self._hung: set[UUID] = set()
        self._heard = self._now()
        self._shut = False
        self._openings = 0
        self._turn_of_the_tide = 0
        self._untold: tuple[float, Problem] | None = None

    def check(self, *, probe: bool) -> None:
        if self._shut and not probe:
            raise Barred(SHUT, delay=1.0)

    async def through(self, hand_over: Callable[[], Awaitable[T]], upload: UUID, *, probe: bool) -> T:
        await self._enter(probe=probe)
        limit = asyncio.timeout(self._patience.probe if probe else self._patience.turn)
        turn = HandOver(upload, probe, self._now(), self._turn_of_the_tide, upload in self._hung, limit)
        try:
            result = await self._watched(turn, hand_over)
        except TimeoutError:
            failure: Unavailable | Uncertain = Uncertain(OVERTIME)
        except (Unavailable, Uncertain) as error:
            failure = error
        except Rejected:
            await self._answered(turn)
            raise
        else:
            await self._answered(turn)
            return result
        finally:
            self._turns.leave()
        raise await self._failed(failure, turn)

    def watch(self) -> None:
        """Leave the service alone when it has fallen silent, and do not wait for its timeout to find that out.

        What has hung since before it was used again is given up: it would keep others from their turn. Uploads of which
        each has hung before are no reason: it may be their own fault, and they burn attempts like any that fail.
        """
        if self._shut:
            return
        now = self._now()
        patience = max(self._rules.silent, 3 * self._pace.mean)
        slow = [turn for turn in self._under_way if now - turn.began >= patience]
        for turn in slow:
            if turn.tide != self._turn_of_the_tide:
                turn.give_up()
        hung = {turn.upload for turn in slow if turn.tide == self._turn_of_the_tide}
        many = len(hung) >= min(self._rules.in_a_row, self.limits.at_once)
        if now - self._heard >= patience and many and not hung <= self._hung:
            self._hung = hung if len(self._hung) > MOST_REMEMBERED else self._hung | hung
            self._open(Fault.AWAY, OVERTIME)

    def room(self) -> int:
        return self._pace.room(self._turns.count)

    def put_off(self) -> tuple[float, float]:
        return self._pace.put_off(self._now()), self._pace.spacing

    def promised(self, count: int) -> None:
        self._pace.promise(count)

    async def tell(self) -> None:
        """Write down that it was opened, where that could not be written before. Raises `Unavailable`."""
        if self._untold is not None:
            seconds, problem = self._untold
            await self._services.opened(self.name, seconds=seconds, problem=problem, probe=None)
            self._untold = None

    @property
    def turn_of_the_tide(self) -> int:
        """How many times it was left alone or used again, in this process."""
        return self._turn_of_the_tide

    def learn(self, standing: Standing) -> None:
        """What all processes together know of it. What this one has still to tell is newer."""
        if self._untold is not None:
            return
        self._openings = standing.openings
        shut = standing.state is not ServiceState.CLOSED
        if shut and not self._shut:
            self._close_the_way()
        elif self._shut and not shut:
            log.info("used again", extra={"service": self.name})
            self._shut = False
            self._turn_of_the_tide += 1
            self._breaker.reset()
            self._used_again()

    async def _enter(self, *, probe: bool) -> None:
        """Wait for the turn; a probe has it at once. Raises `Barred`."""
        self.check(probe=probe)
        if probe:
            self._turns.pass_by()
            return
        try:
            await self._turns.enter(MOST_WAIT)
        except TimeoutError:
            raise Barred(SHUT, delay=self.put_off()[0]) from None
        try:
            await self._wait()
            self.check(probe=probe)
        except BaseException:
            self._turns.leave()
            raise

    async def _wait(self) -> None:
        seconds = self._pace.begin(self._now(), MOST_WAIT)
        if seconds > MOST_WAIT:
            raise Barred(SHUT, delay=seconds)
        if seconds:
            await self._clock.wait(seconds)

    def _close_the_way(self) -> None:
        self._shut = True
        self._turn_of_the_tide += 1
        self._turns.send_away(lambda: Barred(SHUT, delay=1.0))

    async def _watched(self, turn: HandOver, hand_over: Callable[[], Awaitable[T]]) -> T:
        self._under_way.add(turn)
        try:
            return await turn.take(hand_over)
        finally:
            self._under_way.discard(turn)

    async def _answered(self, turn: HandOver) -> None:
        self._heard = self._now()
        self._hung.discard(turn.upload)
        self._pace.took(self._heard - turn.began)
        if turn.probe:
            try:
                await self._services.answered(self.name, enough=self._rules.good)
            except Unavailable:
                return  # the next probe will tell
        elif turn.tide == self._turn_of_the_tide:
            self._breaker.answered(self._heard)

    async def _failed(self, failure: Unavailable | Uncertain, turn: HandOver) -> Unavailable | Uncertain:
        """What to raise: a failure of this upload alone, or of the service, which is no attempt."""
        # What the provider said may be about one upload, and others are told why they wait.
        fault, problem = fault_of(failure), replace(failure.problems[0], provider_message=None)
        asked = failure.retry_after if isinstance(failure, Unavailable) else None
        if turn.tide != self._turn_of_the_tide and not (turn.probe and self._shut):
            return failure if turn.again and isinstance(failure, Uncertain) else Barred(problem, delay=1.0)
        if not turn.probe and not self._breaker.failed(fault, turn.upload, self._now()):
            return failure
        seconds = self._open(fault, problem, asked=asked, probe=turn.probe)
        try:
            if turn.probe:
                await self._services.opened(self.name, seconds=seconds, problem=problem, probe=turn.upload)
            else:
                await self.tell()
        except Unavailable:
            pass  # told later; a probe that nobody heard of is given up, and another one follows
        return Barred(problem, delay=1.0)

    def _open(self, fault: Fault, problem: Problem, *, asked: float | None = None, probe: bool = False) -> float:
        """The seconds for which it is left alone. That is to be told, unless a probe found that it still is so."""
        if not probe:
            self._close_the_way()
        self._openings += 1
        seconds = self._rules.open_for(fault, self._openings, asked=asked)
        log.warning("left alone", extra={"service": self.name, "codes": problem.code, "seconds": round(seconds, 1)})
        if not probe:
            self._untold = seconds, problem
        return seconds

    def _now(self) -> float:
        return self._clock.now().timestamp()
