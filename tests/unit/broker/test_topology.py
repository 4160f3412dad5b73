"""The topology is what both brokers are built from."""

from certpipe.broker import topology
from schemas.status import Stage


def test_every_stage_has_a_bound_queue_of_its_own() -> None:
    bound = {(b.exchange, b.key): b.queue for b in topology.BINDINGS}
    for stage in Stage:
        assert bound[topology.WORK, stage.value] == topology.queue_of(stage)


def test_dead_letters_come_first_so_that_no_message_dies_without_a_place_to_go() -> None:
    assert topology.EXCHANGES[0].name == topology.DEAD
    assert topology.QUEUES[0].name == topology.DEAD_QUEUE
    assert topology.BINDINGS[0].queue == topology.DEAD_QUEUE


def test_every_queue_but_the_dead_letters_has_all_that_at_least_once_dead_lettering_needs() -> None:
    for queue in topology.QUEUES[1:]:
        assert queue.arguments == {
            "x-queue-type": "quorum",
            "x-delivery-limit": 50,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": "certpipe.dead",
            "x-dead-letter-strategy": "at-least-once",
        }


def test_the_dead_letters_stay_whatever_happens_to_their_reader() -> None:
    assert topology.QUEUES[0].arguments == {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
