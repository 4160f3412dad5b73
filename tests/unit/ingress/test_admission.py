"""Memory is given out in order, and given back."""

import asyncio

import pytest

from certpipe.core.errors import Unavailable
from certpipe.ingress.admission import BytesInFlight


async def hold(admission: BytesInFlight, size: int, entered: list[int], leave: asyncio.Event) -> None:
    async with admission.turn(size):
        entered.append(size)
        await leave.wait()


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.wait([asyncio.get_running_loop().create_task(_nothing())])


async def _nothing() -> None:
    return


async def test_bodies_wait_until_there_is_room_in_the_order_in_which_they_came() -> None:
    admission, entered = BytesInFlight(10, patience=60), list[int]()
    leaves = [asyncio.Event() for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        for size, leave in zip((6, 5, 3, 4), leaves, strict=True):
            tasks.create_task(hold(admission, size, entered, leave))
        await settle()
        assert entered == [6]
        leaves[0].set()
        await settle()
        assert entered == [6, 5, 3]
        leaves[1].set()
        await settle()
        assert entered == [6, 5, 3, 4]
        leaves[2].set()
        leaves[3].set()


async def test_who_had_no_turn_in_time_is_told_when_to_come_again() -> None:
    admission, leave = BytesInFlight(10, patience=0.01), asyncio.Event()
    entered = list[int]()
    holding = asyncio.create_task(hold(admission, 10, entered, leave))
    await settle()
    with pytest.raises(Unavailable) as refused:
        async with admission.turn(1):
            pytest.fail("there was no room")
    assert refused.value.problems[0].code == "overloaded"
    assert refused.value.retry_after
    leave.set()
    await holding
    async with admission.turn(10):
        """All of it came back."""


async def test_who_gives_up_leaves_no_gap_in_the_queue() -> None:
    admission, leave, entered = BytesInFlight(10, patience=60), asyncio.Event(), list[int]()
    holding = asyncio.create_task(hold(admission, 6, entered, leave))
    await settle()
    large = asyncio.create_task(hold(admission, 9, entered, leave))
    small = asyncio.create_task(hold(admission, 2, entered, leave))
    await settle()
    assert entered == [6]
    large.cancel()
    await settle()
    assert entered == [6, 2]
    leave.set()
    await asyncio.gather(holding, small)
    async with admission.turn(10):
        """All of it came back."""


async def test_a_body_larger_than_everything_takes_everything() -> None:
    async with BytesInFlight(10).turn(1_000):
        """It is served alone, instead of never."""
