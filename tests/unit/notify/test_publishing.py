import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Message
from certpipe.notify.publishing import BATCH, LEASE, EventPublisher
from tests.fakes import AWAY, HandClock, MemoryPublisher
from tests.unit.notify.queue import ORGANIZATION, MemoryFeed, ticking, told


class Broker(MemoryPublisher):
    """Refuses whatever goes to these routing keys; takes the others of the same batch, as RabbitMQ does."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: set[str] = set()
        self.tries = 0

    async def publish(self, messages: Sequence[Message], /) -> None:
        self.tries += 1
        await super().publish([each for each in messages if each.routing_key not in self.refuses])
        if any(each.routing_key in self.refuses for each in messages):
            raise Unavailable(AWAY)


@asynccontextmanager
async def publishing(
    feed: MemoryFeed, broker: MemoryPublisher, clock: HandClock, heard: asyncio.Event | None = None
) -> AsyncIterator[None]:
    heard, stopping = heard or asyncio.Event(), asyncio.Event()
    service = EventPublisher(feed=feed, cursors=feed, publisher=broker, heard=heard, exchange="events", clock=clock)
    running = asyncio.create_task(service.run(stopping))
    yield
    stopping.set()
    heard.set()
    await running


async def test_every_event_goes_to_the_exchange_under_its_organization_and_type_with_its_id() -> None:
    feed, broker = MemoryFeed(told(3), told(8)), Broker()
    async with publishing(feed, broker, HandClock()):
        await feed.until(lambda: feed.position == 8)
    first = broker.published[0]
    assert (first.exchange, first.routing_key) == ("events", f"{ORGANIZATION}.certificate.forwarded")
    assert (first.message_id, first.mandatory) == (told(3).event.id, False)
    assert first.body == told(3).event.body()
    assert len(broker.published) == 2


async def test_a_type_of_a_newer_version_is_published_under_its_name_and_holds_up_nothing() -> None:
    feed, broker = MemoryFeed(told(3), told(4, kind="upload.weighed"), told(8)), Broker()
    async with publishing(feed, broker, HandClock()):
        await feed.until(lambda: feed.position == 8)
    assert [each.routing_key.removeprefix(f"{ORGANIZATION}.") for each in broker.published] == [
        "certificate.forwarded",
        "upload.weighed",
        "certificate.forwarded",
    ]


async def test_the_events_of_a_followed_upload_go_to_its_producer_too() -> None:
    feed, broker = MemoryFeed(told(1, reply_to="amq.gen-erp")), Broker()
    async with publishing(feed, broker, HandClock()):
        await feed.until(lambda: feed.position == 1)
    reply = broker.published[1]
    assert (reply.exchange, reply.routing_key, reply.correlation_id) == ("", "amq.gen-erp", "mine-1")
    assert (reply.body, reply.mandatory) == (broker.published[0].body, False)


async def test_a_long_feed_is_read_on_without_waiting() -> None:
    feed, broker, clock = MemoryFeed(*map(told, range(1, 2 * BATCH + 2))), Broker(), HandClock()
    async with publishing(feed, broker, clock):
        await feed.until(lambda: feed.position == 2 * BATCH + 1)
    assert [each.message_id for each in broker.published] == [each.event.id for each in feed.events]


async def test_while_the_broker_is_away_nothing_goes_on_and_it_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    feed, broker, clock = MemoryFeed(told()), Broker(), HandClock()
    broker.ready = False
    async with publishing(feed, broker, clock):
        await by_seconds(clock, 2)
        assert caplog.records == []  # it may be just about to connect
        await by_seconds(clock, 5)
        assert (feed.position, feed.asked) == (0, 0)
        broker.ready = True
        await ticking(clock, lambda: feed.position == 1)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


async def test_a_broker_that_goes_in_the_middle_gets_the_batch_again() -> None:
    feed, clock = MemoryFeed(told()), HandClock()

    class Going(MemoryPublisher):
        async def publish(self, messages: Sequence[Message], /) -> None:
            self.ready = not self.away
            await super().publish(messages)

    broker = Going()
    broker.away = True
    async with publishing(feed, broker, clock):
        await ticking(clock, lambda: not broker.ready)
        assert feed.position == 0
        broker.away, broker.ready = False, True
        await ticking(clock, lambda: feed.position == 1)
    assert len(broker.published) == 1


async def by_seconds(clock: HandClock, seconds: int) -> None:
    """Let so much time pass, and whoever polls look each second."""
    for _ in range(seconds):
        looks = len(clock.waits)
        await ticking(clock, lambda looks=looks: len(clock.waits) > looks + 1)  # type: ignore[misc] # mypy cannot infer such a lambda
        clock.advance(1)


async def test_a_queue_that_refuses_holds_up_the_others_for_a_minute_and_gets_no_event_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed, broker, clock = MemoryFeed(told(1, reply_to="full"), told(2), told(3)), Broker(), HandClock()
    broker.refuses = {"full"}
    async with publishing(feed, broker, clock):
        await by_seconds(clock, 5)
        before = len(broker.published)
        await by_seconds(clock, 53)
        assert feed.position == 0
        assert len(broker.published) == before
        await by_seconds(clock, 8)
        await ticking(clock, lambda: feed.position == 3)
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


async def test_what_is_refused_is_tried_seldom_for_other_queues_may_get_it_each_time() -> None:
    feed, broker, clock = MemoryFeed(told(1)), Broker(), HandClock()
    broker.refuses = {f"{ORGANIZATION}.certificate.forwarded"}
    async with publishing(feed, broker, clock):
        await by_seconds(clock, 66)
        await ticking(clock, lambda: feed.position == 1)
    assert broker.tries < 10


async def test_a_queue_that_stays_full_is_not_waited_for_again_until_it_has_taken_something() -> None:
    feed, broker, clock = MemoryFeed(told(1, reply_to="full")), Broker(), HandClock()
    broker.refuses = {"full"}
    async with publishing(feed, broker, clock):
        await by_seconds(clock, 66)
        await ticking(clock, lambda: feed.position == 1)
        feed.events += [told(2, reply_to="full"), told(3)]
        await ticking(clock, lambda: feed.position == 3)
        broker.refuses = set()
        feed.events += [told(4, reply_to="full")]
        await ticking(clock, lambda: feed.position == 4)
        broker.refuses = {"full"}
        feed.events += [told(5, reply_to="full")]
        await by_seconds(clock, 58)
        assert feed.position == 4
        broker.refuses = set()
        await by_seconds(clock, 8)
        await ticking(clock, lambda: feed.position == 5)
    assert [each.correlation_id for each in broker.published if each.routing_key == "full"] == ["mine-4", "mine-5"]


async def test_a_queue_that_takes_it_after_all_has_lost_nothing() -> None:
    feed, broker, clock = MemoryFeed(told(1, reply_to="full"), told(2)), Broker(), HandClock()
    broker.refuses = {"full"}
    async with publishing(feed, broker, clock):
        await by_seconds(clock, 10)
        broker.refuses = set()
        await by_seconds(clock, 10)
        await ticking(clock, lambda: feed.position == 2)
    assert [each.routing_key for each in broker.published].count("full") == 1


async def test_of_two_processes_one_publishes_and_the_other_goes_on_when_its_lease_is_over() -> None:
    feed, clock = MemoryFeed(told(1)), HandClock()
    first, second = Broker(), Broker()
    async with publishing(feed, first, clock):
        await feed.until(lambda: feed.position == 1)
    feed.events.append(told(2))
    async with publishing(feed, second, clock):
        asked = feed.asked
        await ticking(clock, lambda: feed.asked > asked + 3)
        assert not second.published
        clock.advance(LEASE.total_seconds())
        await ticking(clock, lambda: feed.position == 2)
    assert [each.message_id for each in second.published] == [told(2).event.id]


async def test_the_lease_is_renewed_before_it_ends() -> None:
    feed, broker, clock = MemoryFeed(), Broker(), HandClock()
    async with publishing(feed, broker, clock):
        await ticking(clock, lambda: feed.asked == 1)
        clock.advance(LEASE.total_seconds() / 2)
        await ticking(clock, lambda: feed.asked == 2)
    assert feed.leased_until == clock.now() + LEASE


async def test_a_cursor_that_was_lost_is_asked_for_again_and_nothing_is_left_out() -> None:
    feed, broker, clock = MemoryFeed(), Broker(), HandClock()
    async with publishing(feed, broker, clock):
        await ticking(clock, lambda: feed.asked == 1)
        feed.owner, feed.position = None, 4
        feed.events += [told(5)]
        await ticking(clock, lambda: feed.position == 5)
    assert len(broker.published) >= 1
