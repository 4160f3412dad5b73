import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from certpipe.core.errors import CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.core.ports.broker import Delivery, Settlement
from certpipe.core.ports.runtime import Advanced, Outcome, Parked, Postponed, Refused
from certpipe.core.problems import Problem
from certpipe.runtime.notebook import NoNotebook
from certpipe.runtime.outcomes import RetryPolicy, Tries, outcome_of
from certpipe.runtime.work import Work
from certpipe.runtime.worker import SUSPECT_AT, Worker
from schemas.messages import UploadRef
from schemas.status import Actor, Stage
from tests.unit.runtime.fakes import AWAY, Clock, Inbox, Ledger, Quarantine, Suspects, delivery, ref

NO = Problem("no", "no", "no")


class Dispatcher:
    def __init__(self) -> None:
        self.refs: list[tuple[Stage, UploadRef]] = []

    def dispatch(self, stage: Stage, refs: list[UploadRef]) -> Awaitable[None]:
        self.refs += [(stage, each) for each in refs]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Bench:
    """A worker between fakes, run over some deliveries until all of them are settled."""

    def __init__(self) -> None:
        self.ledger, self.dispatcher, self.clock = Ledger(), Dispatcher(), Clock()
        self.suspects, self.quarantine = Suspects(), Quarantine()

    async def run(self, step: Callable[[UploadRef], str | Exception], *deliveries: Delivery) -> list[Settlement]:
        async def stage(upload: UploadRef) -> str:
            result = step(upload)
            if isinstance(result, Exception):
                raise result
            return result

        inbox, stopping = Inbox(list(deliveries), expected=len(deliveries)), asyncio.Event()
        work: Work[UploadRef, str] = Work(
            stage=Stage.VALIDATE,
            step=stage,
            ledger=self.ledger,
            dispatcher=self.dispatcher,  # type: ignore[arg-type] # takes any sequence
            following=Stage.ENCRYPT,
            clock=self.clock,
        )
        worker = Worker(
            work=work,
            inbox=inbox,
            suspects=self.suspects,
            quarantine=self.quarantine,
            notebook=NoNotebook(),
        )
        task = asyncio.ensure_future(worker.run(stopping))
        async with asyncio.timeout(20):
            await inbox.all_settled.wait()
            stopping.set()
            await task
        by_delivery = dict((id(each), how) for each, how in inbox.settled)  # noqa: C402 - reads better
        return [by_delivery[id(each)] for each in deliveries]


async def test_what_went_well_is_written_published_and_acknowledged() -> None:
    bench, refs = Bench(), [ref(), ref()]
    ends = await bench.run(lambda _: "fine", delivery(*refs))
    assert ends == [Settlement.ACK]
    assert [bench.ledger.written[each] for each in refs] == [Advanced(each, "fine") for each in refs]
    assert bench.dispatcher.refs == [(Stage.ENCRYPT, UploadRef(id=each.id, epoch=1)) for each in refs]


async def test_one_batch_is_one_settlement_however_many_messages_it_came_in() -> None:
    bench = Bench()
    await bench.run(lambda _: "fine", *(delivery(ref()) for _ in range(10)))
    assert bench.ledger.batches == [10]


async def test_each_end_is_written_as_its_error_says_and_neighbours_are_not_touched() -> None:
    bench = Bench()
    good, refused, away, unknown, broken = refs = [ref() for _ in range(5)]
    results: dict[UploadRef, str | Exception] = {
        good: "fine",
        refused: Rejected(NO),
        away: Unavailable(AWAY, retry_after=77),
        unknown: Uncertain(AWAY),
    }
    ends = await bench.run(lambda each: results.get(each, ValueError("a secret")), delivery(*refs))
    written = bench.ledger.written
    assert ends == [Settlement.ACK]
    assert isinstance(written[good], Advanced)
    assert written[refused] == Refused(refused, (NO,))
    assert written[away] == Postponed(away, AWAY, 77)
    assert isinstance(written[unknown], Postponed)
    postponed = written[broken]
    assert isinstance(postponed, Postponed)
    assert postponed.problem.code == "internal"


async def test_a_no_that_only_the_operator_can_mend_parks_the_upload_so_that_nothing_of_it_is_deleted() -> None:
    bench, damaged = Bench(), ref()
    fault = replace(NO, actor=Actor.OPERATOR)
    assert await bench.run(lambda _: Rejected(fault), delivery(damaged)) == [Settlement.ACK]
    assert bench.ledger.written[damaged] == Parked(damaged, fault)


def _at_pac(error: CertpipeError) -> CertpipeError:
    error.destination = "pac"
    return error


async def test_whoever_did_not_take_an_upload_is_written_down_with_its_end() -> None:
    bench, operators = Bench(), replace(NO, actor=Actor.OPERATOR)
    refused, parked, away, unknown, given_up = refs = [ref() for _ in range(5)]
    results: dict[UploadRef, CertpipeError] = {
        refused: Rejected(NO),
        parked: Rejected(operators),
        away: Unavailable(AWAY, retry_after=77),
        unknown: Uncertain(AWAY),
    }
    await bench.run(lambda each: _at_pac(results.get(each, Unavailable(AWAY))), delivery(*refs))
    written = bench.ledger.written
    assert written[refused] == Refused(refused, (NO,), destination="pac")
    assert written[parked] == Parked(parked, operators, "pac")
    assert written[away] == Postponed(away, AWAY, 77, "pac")
    for each in (unknown, given_up):
        outcome = written[each]
        assert isinstance(outcome, Postponed)
        assert outcome.destination == "pac"
    last: Outcome[str] = outcome_of(given_up, Tries(all=900), _at_pac(Unavailable(AWAY)), RetryPolicy())
    assert last == Parked(given_up, AWAY, "pac")


async def test_a_stale_delivery_is_acknowledged_and_changes_nothing() -> None:
    bench, stale = Bench(), ref()
    bench.ledger.written[stale] = Refused(stale, (NO,))
    assert await bench.run(lambda _: "fine", delivery(stale)) == [Settlement.ACK]
    assert bench.dispatcher.refs == []


async def test_a_message_that_cannot_be_read_goes_to_the_dead_letters_and_its_neighbour_through() -> None:
    bench, good = Bench(), delivery(ref())
    bad = Delivery(body=b"{not json", count=0, token=object())
    other_stage = delivery(ref(), stage=Stage.FORWARD)
    ends = await bench.run(lambda _: "fine", bad, good, other_stage)
    assert ends == [Settlement.DEAD_LETTER, Settlement.ACK, Settlement.DEAD_LETTER]


async def test_the_database_away_for_a_while_costs_waiting_and_nothing_else() -> None:
    bench = Bench()
    bench.ledger.fails = [Unavailable(AWAY), Unavailable(AWAY)]
    assert await bench.run(lambda _: "fine", delivery(ref())) == [Settlement.ACK]
    assert len(bench.clock.waited) == 2


async def test_the_database_away_for_good_gives_the_delivery_back() -> None:
    bench = Bench()
    bench.ledger.fails = [Unavailable(AWAY)] * 1_000
    assert await bench.run(lambda _: "fine", delivery(ref())) == [Settlement.REQUEUE]


async def test_one_row_that_cannot_be_written_is_found_and_postponed_alone() -> None:
    bench, refs = Bench(), [ref() for _ in range(16)]
    bench.ledger.poison = {refs[11]}
    assert await bench.run(lambda _: "fine", delivery(*refs)) == [Settlement.ACK]
    assert [each for each in refs if isinstance(bench.ledger.written[each], Advanced)] == refs[:11] + refs[12:]
    assert isinstance(bench.ledger.written[refs[11]], Postponed)


async def test_one_row_that_cannot_be_read_is_found_and_parked_alone() -> None:
    bench, refs = Bench(), [ref() for _ in range(16)]
    bench.ledger.unreadable = {refs[3]}
    assert await bench.run(lambda _: "fine", delivery(*refs)) == [Settlement.ACK]
    assert isinstance(bench.ledger.written[refs[3]], Parked)
    assert sum(isinstance(end, Advanced) for end in bench.ledger.written.values()) == 15


async def test_whoever_came_back_twice_with_others_goes_on_alone_and_one_death_is_shared_by_all() -> None:
    bench, refs = Bench(), [ref() for _ in range(5)]
    assert await bench.run(lambda _: "fine", delivery(*refs, count=2)) == [Settlement.ACK]
    assert bench.suspects.deaths == dict.fromkeys(refs, 1)
    assert bench.ledger.written == {}


async def test_whoever_came_back_twice_alone_is_set_apart_for_quarantine() -> None:
    bench, poison, innocent = Bench(), ref(), ref()
    ends = await bench.run(lambda _: "fine", delivery(poison, count=SUSPECT_AT), delivery(innocent))
    assert ends == [Settlement.ACK, Settlement.ACK]
    assert bench.suspects.deaths == {poison: SUSPECT_AT}
    assert list(bench.ledger.written) == [innocent]


async def test_what_cannot_be_set_apart_now_is_given_back() -> None:
    bench = Bench()
    bench.suspects.fails = [Unavailable(AWAY)] * 1_000
    assert await bench.run(lambda _: "fine", delivery(ref(), ref(), count=2)) == [Settlement.REQUEUE]


async def test_a_suspect_is_never_run_in_this_process_and_others_do_not_wait_for_it() -> None:
    bench, suspect, others = Bench(), ref(), [ref() for _ in range(40)]
    bench.quarantine.gate = asyncio.Event()

    async def settle(outcomes: list[Outcome[str]]) -> object:
        done = await Ledger.settle(bench.ledger, outcomes)
        if len(bench.ledger.written) == len(others):
            assert bench.quarantine.gate is not None
            bench.quarantine.gate.set()
        return done

    bench.ledger.settle = settle  # type: ignore[method-assign, assignment] # opens the gate when all others are through
    ends = await bench.run(lambda _: "fine", delivery(suspect, suspect=True), *(delivery(each) for each in others))
    assert set(ends) == {Settlement.ACK}
    assert bench.quarantine.ran == [suspect]
    assert set(bench.ledger.written) == set(others)


async def test_one_that_dies_in_quarantine_is_parked_with_how_it_died() -> None:
    bench, poison = Bench(), ref()
    bench.quarantine.ends = {poison: "was killed by SIGSEGV"}
    assert await bench.run(lambda _: "it ran", delivery(poison, suspect=True)) == [Settlement.ACK]
    parked = bench.ledger.written[poison]
    assert isinstance(parked, Parked)
    assert (parked.problem.code, parked.problem.hint) == ("poisonous", "Its process was killed by SIGSEGV")


async def test_a_quarantine_that_cannot_be_had_gives_the_delivery_back_and_parks_nobody() -> None:
    bench, suspect = Bench(), ref()
    bench.quarantine.ends = {suspect: Unavailable(AWAY)}
    assert await bench.run(lambda _: "fine", delivery(suspect, suspect=True)) == [Settlement.REQUEUE]
    assert bench.ledger.written == {}


async def test_a_defect_of_the_quarantine_gives_the_delivery_back_and_stops_nobody() -> None:
    bench, suspect, other = Bench(), ref(), ref()
    bench.quarantine.ends = {suspect: OSError("no more processes")}
    ends = await bench.run(lambda _: "fine", delivery(suspect, suspect=True), delivery(other))
    assert ends == [Settlement.REQUEUE, Settlement.ACK]


async def test_after_the_last_try_the_upload_is_parked() -> None:
    bench, last = Bench(), ref()

    async def load(refs: list[UploadRef]) -> object:
        return [type(item)(item.upload, item.ref, 4, 4) for item in await Ledger.load(bench.ledger, refs)]

    bench.ledger.load = load  # type: ignore[method-assign, assignment] # the fifth try of a defect is its last
    assert await bench.run(lambda _: ValueError("again"), delivery(last)) == [Settlement.ACK]
    assert isinstance(bench.ledger.written[last], Parked)


async def test_a_defect_after_many_tries_that_found_the_other_side_away_is_the_first_of_its_own() -> None:
    bench, patient = Bench(), ref()

    async def load(refs: list[UploadRef]) -> object:
        return [type(item)(item.upload, item.ref, 100, 0) for item in await Ledger.load(bench.ledger, refs)]

    bench.ledger.load = load  # type: ignore[method-assign, assignment] # it has waited for a day
    assert await bench.run(lambda _: ValueError("odd"), delivery(patient)) == [Settlement.ACK]
    assert isinstance(bench.ledger.written[patient], Postponed)
