import asyncio

from certpipe.core.errors import Unavailable
from certpipe.core.ports.runtime import Suspect
from certpipe.runtime.isolator import Isolator
from schemas.messages import StageMessage
from schemas.status import Stage
from tests.unit.runtime.fakes import AWAY, Clock, Publisher, Suspects, ref


async def isolate(suspects: Suspects, publisher: Publisher) -> list[StageMessage]:
    stopping, clock = asyncio.Event(), Clock()
    isolator = Isolator(suspects=suspects, publisher=publisher, exchange="work", clock=clock)
    task = asyncio.ensure_future(isolator.run(stopping))
    async with asyncio.timeout(20):
        while len(clock.waited) < 5:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)
        stopping.set()
        await task
    return [StageMessage.model_validate_json(message.body) for message in publisher.published]


async def test_each_goes_alone_and_is_called_a_suspect_from_the_second_death_on() -> None:
    one, two = Suspect(Stage.VALIDATE, ref(), 1), Suspect(Stage.FORWARD, ref(), 2)
    suspects = Suspects(waiting=[one, two])
    first, second = await isolate(suspects, Publisher())
    assert (first.uploads, first.stage, first.suspect) == ((one.ref,), Stage.VALIDATE, False)
    assert (second.uploads, second.stage, second.suspect) == ((two.ref,), Stage.FORWARD, True)
    assert suspects.told == [one.ref, two.ref]


async def test_what_could_not_be_published_is_not_noted() -> None:
    suspects = Suspects(waiting=[Suspect(Stage.VALIDATE, ref(), 2)])
    assert await isolate(suspects, Publisher(away=1)) == []
    assert suspects.told == []


async def test_nothing_is_leased_while_the_broker_is_away() -> None:
    suspects = Suspects(waiting=[Suspect(Stage.VALIDATE, ref(), 2)])
    await isolate(suspects, Publisher(ready=False))
    assert len(suspects.waiting) == 1


async def test_a_database_that_is_away_is_asked_again() -> None:
    one = Suspect(Stage.PERSIST, ref(), 2)
    suspects = Suspects(waiting=[one], fails=[Unavailable(AWAY)])
    (message,) = await isolate(suspects, Publisher())
    assert message.uploads == (one.ref,)
