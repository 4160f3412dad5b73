"""The way to one service: in turn, and not at all while it is left alone."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from certpipe.core.breaker import BreakerRules
from certpipe.core.errors import AccountRefused, Barred, CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.core.ids import uuid7
from certpipe.core.pace import Limits
from certpipe.core.patience import Patience
from certpipe.core.ports.services import Standing
from certpipe.core.problems import Problem
from certpipe.runtime.gate import ServiceGate
from certpipe.runtime.gatekeeper import Gatekeeper
from schemas.services import ServiceState
from tests.fakes import HandClock

AWAY = Problem("away", "fuera", "away")
RULES = BreakerRules()


@dataclass
class Board:
    """What is known of the services; `away` makes it fail."""

    states: dict[str, Standing] = field(default_factory=dict)
    told: list[tuple[str, float, str, UUID | None]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    present_ones: list[str] = field(default_factory=list)
    away: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def _look(self) -> None:
        if self.away:
            raise Unavailable(AWAY)

    async def register(self, rates: Mapping[str, float]) -> None:
        self._look()
        self.rates |= rates

    async def present(self, names: Collection[str]) -> None:
        self._look()
        self.present_ones += names

    async def standing(self) -> Mapping[str, Standing]:
        self._look()
        self.asked.set()
        return self.states

    async def opened(self, name: str, *, seconds: float, problem: Problem, probe: UUID | None) -> None:
        self._look()
        self.told.append((name, seconds, problem.code, probe))

    async def answered(self, name: str, *, enough: int) -> None:
        self._look()
        assert enough == RULES.good
        self.answers.append(name)


@dataclass
class Scene:
    board: Board = field(default_factory=Board)
    clock: HandClock = field(default_factory=HandClock)
    limits: Limits = field(default_factory=lambda: Limits(2, 1e6))
    patience: Patience = field(default_factory=Patience)
    calls: int = 0
    forgot: int = 0

    def __post_init__(self) -> None:
        self.gate = ServiceGate(
            "pac", self.limits, self.board, self.clock, patience=self.patience, used_again=self.forget
        )

    def forget(self) -> None:
        self.forgot += 1

    async def call(self, end: Exception | str = "yes", *, upload: UUID | None = None, probe: bool = False) -> str:
        async def hand_over() -> str:
            self.calls += 1
            if isinstance(end, Exception):
                raise end
            return end

        return await self.gate.through(hand_over, upload or uuid7(), probe=probe)

    async def fails(self, error: CertpipeError, *, probe: bool = False, upload: UUID | None = None) -> CertpipeError:
        with pytest.raises(CertpipeError) as raised:
            await self.call(error, probe=probe, upload=upload)
        return raised.value

    async def shut(self) -> None:
        for _ in range(RULES.in_a_row):
            await self.fails(Unavailable(AWAY))


async def settle_down() -> None:
    for _ in range(20):
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)


async def test_a_failure_is_the_uploads_own_until_so_many_failed_that_it_is_the_services() -> None:
    scene = Scene()
    raised = [await scene.fails(error) for error in (Unavailable(AWAY), Uncertain(AWAY)) * 3]
    assert [isinstance(each, Barred) for each in raised] == [False] * 4 + [True] * 2
    assert scene.calls == RULES.in_a_row
    ((name, _, code, probe),) = scene.board.told
    assert (name, code, probe) == ("pac", AWAY.code, None)


async def test_an_answer_in_between_yes_or_no_begins_the_row_again() -> None:
    scene = Scene()
    for _ in range(3):  # too few calls for a share of them
        for _ in range(RULES.in_a_row - 1):
            await scene.fails(Unavailable(AWAY))
        await scene.fails(Rejected(AWAY))
        assert await scene.call() == "yes"
    assert scene.board.told == []


async def test_a_defect_of_ours_says_nothing_of_the_service() -> None:
    scene = Scene()
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            await scene.call(ZeroDivisionError())
    assert scene.board.told == []
    assert await scene.call() == "yes"


@pytest.mark.parametrize(
    ("error", "least"), [(AccountRefused(AWAY), 240.0), (Unavailable(AWAY, retry_after=77.0), 77.0)]
)
async def test_a_refused_account_or_a_wish_to_wait_shuts_it_at_once(error: CertpipeError, least: float) -> None:
    scene = Scene()
    await scene.call()
    assert isinstance(await scene.fails(error), Barred)
    assert scene.board.told[0][1] >= least


async def test_while_it_is_shut_nothing_is_handed_over_but_the_probe() -> None:
    scene = Scene()
    await scene.shut()
    before = scene.calls
    assert isinstance(await scene.fails(Rejected(AWAY)), Barred)
    with pytest.raises(Barred):
        scene.gate.check(probe=False)
    assert scene.calls == before
    scene.gate.check(probe=True)
    assert await scene.call(probe=True) == "yes"
    assert scene.board.answers == ["pac"]


async def test_a_probe_that_fails_burns_no_attempt_and_is_told_as_the_probe() -> None:
    scene, probe = Scene(), uuid7()
    await scene.shut()
    assert isinstance(await scene.fails(Unavailable(AWAY), probe=True, upload=probe), Barred)
    assert scene.board.told[-1][3] == probe
    assert scene.board.told[-1][1] > scene.board.told[0][1]


async def test_a_probe_that_hangs_is_given_up_and_what_is_shut_stays_so_for_longer() -> None:
    scene, probe = Scene(patience=Patience(0.001)), uuid7()
    await scene.shut()

    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Barred) as barred:
        await scene.gate.through(hang, probe, probe=True)
    assert barred.value.problems[0].code == "pac_overtime"
    assert scene.board.told[-1][3] == probe


async def test_what_fails_after_it_was_shut_burns_no_attempt_and_shuts_nothing_again() -> None:
    scene = Scene(limits=Limits(20, 1e6))
    release = asyncio.Event()

    async def hang() -> None:
        await release.wait()
        raise Uncertain(AWAY)

    hung = [asyncio.create_task(scene.gate.through(hang, uuid7(), probe=False)) for _ in range(10)]
    await settle_down()
    await scene.shut()
    release.set()
    ends = await asyncio.gather(*hung, return_exceptions=True)
    assert all(isinstance(end, Barred) for end in ends)
    assert len(scene.board.told) == 1


class Silence:
    """So many hand-overs that never end."""

    def __init__(self, scene: Scene, count: int, upload: UUID | None = None) -> None:
        self.tasks = [
            asyncio.create_task(scene.gate.through(self._hang, upload or uuid7(), probe=False)) for _ in range(count)
        ]

    async def _hang(self) -> None:
        await asyncio.Event().wait()

    async def end(self) -> list[object]:
        for task in self.tasks:
            task.cancel()
        return list(await asyncio.gather(*self.tasks, return_exceptions=True))


async def test_a_service_that_says_nothing_to_anybody_is_left_alone_before_anybody_times_out() -> None:
    scene = Scene(limits=Limits(20, 1e6))
    silence = Silence(scene, RULES.in_a_row)
    await settle_down()
    scene.clock.advance(RULES.silent - 1)
    scene.gate.watch()
    scene.gate.check(probe=False)
    scene.clock.advance(1)
    scene.gate.watch()
    await scene.gate.tell()
    assert scene.board.told[0][2] == "pac_overtime"
    with pytest.raises(Barred):
        scene.gate.check(probe=False)
    assert not any(task.done() for task in silence.tasks)  # they may be answered yet
    await silence.end()


@pytest.mark.parametrize("hung", [RULES.in_a_row - 1, RULES.in_a_row])
async def test_few_that_hang_or_an_answer_to_another_are_no_silence(hung: int) -> None:
    scene = Scene(limits=Limits(20, 1e6))
    silence = Silence(scene, hung)
    await settle_down()
    scene.clock.advance(RULES.silent / 2)
    if hung == RULES.in_a_row:
        await scene.call()
    scene.clock.advance(RULES.silent / 2)
    scene.gate.watch()
    scene.gate.check(probe=False)
    await silence.end()


async def test_a_service_that_always_takes_its_time_is_not_taken_for_silent() -> None:
    scene = Scene(limits=Limits(20, 1e6))
    for _ in range(20):
        slow = asyncio.Event()
        call = asyncio.create_task(scene.gate.through(slow.wait, uuid7(), probe=False))
        await settle_down()
        scene.clock.advance(8.0)
        slow.set()
        await call
    silence = Silence(scene, RULES.in_a_row)
    await settle_down()
    scene.clock.advance(RULES.silent + 5)
    scene.gate.watch()
    scene.gate.check(probe=False)
    await silence.end()


async def test_what_has_hung_since_before_it_was_used_again_leaves_its_turn_to_others_and_burns_no_attempt() -> None:
    scene = Scene(limits=Limits(RULES.in_a_row, 1e6))
    silence = Silence(scene, RULES.in_a_row)
    await settle_down()
    scene.clock.advance(RULES.silent)
    scene.gate.watch()
    await scene.gate.tell()
    scene.gate.learn(Standing(ServiceState.CLOSED, 1))
    scene.gate.watch()
    ends = await asyncio.gather(*silence.tasks, return_exceptions=True)
    assert all(isinstance(end, Barred) for end in ends)
    assert await scene.call() == "yes"
    assert scene.gate.room() == 9 * RULES.in_a_row
    assert len(scene.board.told) == 1


async def test_an_upload_that_always_hangs_shuts_it_once_and_then_burns_its_attempts() -> None:
    """With one place it is all that is under way. Others would be held up for ever, and it would never end."""
    scene, upload = Scene(limits=Limits(1, 1e6)), uuid7()
    silence = Silence(scene, 1, upload)
    await settle_down()
    scene.clock.advance(RULES.silent)
    scene.gate.watch()
    await scene.gate.tell()
    scene.gate.learn(Standing(ServiceState.CLOSED, 1))
    scene.gate.watch()
    assert [type(end) for end in await asyncio.gather(*silence.tasks, return_exceptions=True)] == [Barred]
    silence = Silence(scene, 1, upload)
    await settle_down()
    scene.clock.advance(RULES.silent)
    scene.gate.watch()
    scene.gate.check(probe=False)
    scene.gate.learn(Standing(ServiceState.OPEN, 1))  # another process found it failing
    scene.gate.learn(Standing(ServiceState.CLOSED, 1))
    scene.gate.watch()
    assert [type(end) for end in await asyncio.gather(*silence.tasks, return_exceptions=True)] == [Uncertain]


async def test_a_probe_that_passed_by_leaves_its_place_to_nobody() -> None:
    scene, answer = Scene(limits=Limits(1, 1e6)), asyncio.Event()
    silence = Silence(scene, 1)
    probe = asyncio.create_task(scene.gate.through(answer.wait, uuid7(), probe=True))
    await settle_down()
    waiting = asyncio.create_task(scene.call())
    await settle_down()
    answer.set()
    await probe
    await settle_down()
    assert scene.calls == 0
    await silence.end()
    assert await waiting == "yes"
    assert scene.gate.room() == 9


async def test_what_began_before_it_was_shut_and_ends_after_it_is_used_again_counts_no_more() -> None:
    scene, release = Scene(limits=Limits(20, 1e6)), asyncio.Event()

    async def hang() -> None:
        await release.wait()
        raise Uncertain(AWAY)

    hung = [asyncio.create_task(scene.gate.through(hang, uuid7(), probe=False)) for _ in range(10)]
    await settle_down()
    await scene.shut()
    scene.gate.learn(Standing(ServiceState.CLOSED, 1))
    release.set()
    await asyncio.gather(*hung, return_exceptions=True)
    assert await scene.call() == "yes"
    assert len(scene.board.told) == 1


async def test_what_its_connector_remembers_is_forgotten_when_it_is_used_again_and_not_before() -> None:
    scene = Scene()
    scene.gate.learn(Standing(ServiceState.CLOSED, 0))
    await scene.fails(AccountRefused(AWAY))
    for state in (ServiceState.OPEN, ServiceState.HALF_OPEN):
        scene.gate.learn(Standing(state, 1))
    assert scene.forgot == 0
    for _ in range(2):
        scene.gate.learn(Standing(ServiceState.CLOSED, 0))
    assert scene.forgot == 1


async def test_what_was_read_before_it_was_shut_does_not_open_it() -> None:
    """The services were read, it is shut and that is told, and only then the answer of the reading comes."""
    scene = Scene()
    reading = scene.board.standing

    async def slow() -> Mapping[str, Standing]:
        found = await reading()
        await scene.fails(AccountRefused(AWAY))
        return found

    scene.board.states = {"pac": Standing(ServiceState.CLOSED, 0)}
    scene.board.standing = slow  # type: ignore[method-assign]
    await Gatekeeper(scene.board, [scene.gate], scene.clock).once()
    with pytest.raises(Barred):
        scene.gate.check(probe=False)
    assert scene.forgot == 0


async def test_no_more_are_under_way_than_may_be_and_the_others_come_in_turn() -> None:
    scene, release = Scene(), asyncio.Event()
    begun: list[int] = []

    async def take(number: int) -> None:
        begun.append(number)
        await release.wait()

    async def through(number: int) -> None:
        await scene.gate.through(lambda: take(number), uuid7(), probe=False)

    tasks = [asyncio.create_task(through(number)) for number in range(6)]
    await settle_down()
    assert begun == [0, 1]
    release.set()
    await asyncio.gather(*tasks)
    assert begun == list(range(6))


async def test_who_waits_for_a_turn_is_let_go_at_once_when_it_is_shut() -> None:
    scene = Scene()

    async def hang() -> None:
        await asyncio.Event().wait()

    hung = [asyncio.create_task(scene.gate.through(hang, uuid7(), probe=False)) for _ in range(2)]
    waiting = [asyncio.create_task(scene.call()) for _ in range(5)]
    await settle_down()
    assert scene.gate.room() == 2 * 9 - 7
    scene.gate.learn(Standing(ServiceState.OPEN, 1))
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, Barred) for end in ends)
    for task in hung:
        task.cancel()
    await asyncio.gather(*hung, return_exceptions=True)
    assert scene.gate.room() == 2 * 9


async def test_who_is_cancelled_while_waiting_leaves_the_turn_to_the_others() -> None:
    scene, release = Scene(limits=Limits(1, 1e6)), asyncio.Event()

    async def hang() -> None:
        await release.wait()

    first = asyncio.create_task(scene.gate.through(hang, uuid7(), probe=False))
    await settle_down()
    gone, stays = asyncio.create_task(scene.call()), asyncio.create_task(scene.call())
    await settle_down()
    gone.cancel()
    release.set()
    assert await stays == "yes"
    await first
    assert scene.gate.room() == 9
    assert scene.calls == 1


async def test_a_turn_that_comes_as_its_waiter_is_cancelled_goes_to_the_next() -> None:
    scene, release = Scene(limits=Limits(1, 1e6)), asyncio.Event()

    async def hang() -> None:
        await release.wait()

    first = asyncio.create_task(scene.gate.through(hang, uuid7(), probe=False))
    await settle_down()
    gone, stays = asyncio.create_task(scene.call()), asyncio.create_task(scene.call())
    await settle_down()
    first.add_done_callback(lambda _: gone.cancel())
    release.set()
    assert await stays == "yes"
    assert scene.gate.room() == 9


async def test_hand_overs_begin_no_faster_than_they_may() -> None:
    scene = Scene(limits=Limits(8, 2.0))
    tasks = [asyncio.create_task(scene.call()) for _ in range(4)]
    await settle_down()
    assert scene.calls < 4
    assert scene.clock.waits == sorted(scene.clock.waits)
    scene.clock.tick_shorter_than(60.0)
    await asyncio.gather(*tasks)
    assert scene.calls == 4


async def test_an_opening_that_could_not_be_written_is_told_later() -> None:
    scene = Scene()
    scene.board.away = True
    await scene.shut()
    scene.gate.learn(Standing(ServiceState.CLOSED, 0))  # older than what this process knows
    with pytest.raises(Barred):
        scene.gate.check(probe=False)
    scene.board.away = False
    await scene.gate.tell()
    assert len(scene.board.told) == 1
    scene.gate.learn(Standing(ServiceState.CLOSED, 0))
    scene.gate.check(probe=False)


async def test_the_keeper_registers_the_services_and_tells_and_learns_once_a_second() -> None:
    scene, stopping = Scene(), asyncio.Event()
    scene.board.states = {"pac": Standing(ServiceState.HALF_OPEN, 3), "another": Standing(ServiceState.CLOSED, 0)}
    scene.board.away = True
    keeping = asyncio.create_task(Gatekeeper(scene.board, [scene.gate], scene.clock).run(stopping))
    await settle_down()
    assert scene.board.rates == {}
    scene.board.away = False
    scene.clock.tick_shorter_than(2.0)
    async with asyncio.timeout(20):
        await scene.board.asked.wait()
    await settle_down()
    assert scene.board.rates == {"pac": 1e6}
    with pytest.raises(Barred):
        scene.gate.check(probe=False)
    stopping.set()
    await keeping


async def test_a_process_says_that_it_lives_while_any_service_is_left_alone() -> None:
    scene = Scene()
    keeper = Gatekeeper(scene.board, [scene.gate], scene.clock)
    scene.board.states = {"pac": Standing(ServiceState.CLOSED, 0), "another": Standing(ServiceState.CLOSED, 0)}
    await keeper.once()
    assert scene.board.present_ones == []
    scene.board.states["another"] = Standing(ServiceState.OPEN, 1)
    await keeper.once()
    assert scene.board.present_ones == ["pac"]
