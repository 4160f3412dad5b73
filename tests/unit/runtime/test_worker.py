import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from certpipe.core.errors import CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.core.ports.broker import Delivery, Settlement
from certpipe.core.ports.runtime import Advanced, Outcome, Parked, Postponed, Refused
from certpipe.core.problems import Problem
from certpipe.runtime.outcomes import RetryPolicy, Tries, outcome_of
from certpipe.runtime.worker import PARK_AT, Worker
from schemas.messages import StageMessage, UploadRef
from schemas.status import Actor, Stage
from tests.unit.runtime.fakes import AWAY, Clock, Inbox, Ledger, Publisher, delivery, ref

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
        self.ledger, self.publisher, self.dispatcher, self.clock = Ledger(), Publisher(), Dispatcher(), Clock()

    async def run(self, step: Callable[[UploadRef], str | Exception], *deliveries: Delivery) -> list[Settlement]:
        async def stage(upload: UploadRef) -> str:
            result = step(upload)
            if isinstance(result, Exception):
                raise result
            return result

        inbox, stopping = Inbox(list(deliveries), expected=len(deliveries)), asyncio.Event()
        worker: Worker[UploadRef, str] = Worker(
            stage=Stage.VALIDATE,
            step=stage,
            ledger=self.ledger,
            inbox=inbox,
            publisher=self.publisher,
            dispatcher=self.dispatcher,  # type: ignore[arg-type] # takes any sequence
            exchange="work",
            following=Stage.ENCRYPT,
            clock=self.clock,
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


async def test_a_message_that_came_back_twice_is_split_into_single_ones() -> None:
    bench, refs = Bench(), [ref() for _ in range(5)]
    assert await bench.run(lambda _: "fine", delivery(*refs, count=2)) == [Settlement.ACK]
    assert [StageMessage.model_validate_json(m.body).uploads for m in bench.publisher.published] == [
        (each,) for each in refs
    ]
    assert bench.ledger.written == {}


async def test_a_message_that_cannot_be_split_now_is_given_back() -> None:
    bench = Bench()
    bench.publisher.ready = False
    assert await bench.run(lambda _: "fine", delivery(ref(), ref(), count=2)) == [Settlement.REQUEUE]


async def test_an_upload_that_takes_its_process_down_again_and_again_is_parked_without_running_it() -> None:
    bench, poison = Bench(), ref()
    assert await bench.run(lambda _: "it ran", delivery(poison, count=PARK_AT)) == [Settlement.ACK]
    assert isinstance(bench.ledger.written[poison], Parked)


async def test_those_that_were_only_there_when_it_happened_are_run_and_not_parked() -> None:
    bench, poison, *innocent = Bench(), *(ref() for _ in range(20))
    deliveries = [delivery(each, count=PARK_AT) for each in (poison, *innocent)]
    assert set(await bench.run(lambda _: "fine", *deliveries)) == {Settlement.ACK}
    assert isinstance(bench.ledger.written[poison], Parked)
    assert all(isinstance(bench.ledger.written[each], Advanced) for each in innocent)


async def test_a_message_is_split_when_the_broker_is_back() -> None:
    bench = Bench()
    bench.publisher.away = 3
    assert await bench.run(lambda _: "fine", delivery(ref(), ref(), count=2)) == [Settlement.ACK]
    assert len(bench.publisher.published) == 2
    assert len(bench.clock.waited) == 3


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
