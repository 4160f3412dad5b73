"""Defects that somebody could make, each of which the model must see."""

from collections.abc import Sequence

from certpipe.core.ports.broker import Delivery, Settlement
from certpipe.core.ports.runtime import Advanced, Outcome
from certpipe.core.states import ENDS
from certpipe.pipeline import PIPELINE
from certpipe.runtime.worker import Worker
from certpipe.store.rows import STATE_OF
from schemas.messages import UploadRef
from schemas.status import Stage, State
from tests.model.broker import ModelInbox
from tests.model.system import Given, ModelLedger
from tests.model.tables import NOTED, Row, Tables


class AcksFirst(Worker[Given, object]):
    """Acknowledges as soon as it has a message."""

    def __init__(self, *, inbox: ModelInbox, **others: object) -> None:
        super().__init__(inbox=_AcksFirst(inbox), **others)  # type: ignore[arg-type] # as they came


class _AcksFirst:
    def __init__(self, inbox: ModelInbox) -> None:
        self._inbox = inbox

    async def receive(self, limit: int) -> Sequence[Delivery]:
        deliveries = await self._inbox.receive(limit)
        await self._inbox.settle(deliveries, Settlement.ACK)
        return deliveries

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        """Too late."""

    async def stop(self) -> None:
        await self._inbox.stop()


class PublishesFirst(ModelLedger):
    """Publishes the next hop, and commits then."""

    async def settle(self, outcomes: Sequence[Outcome[object]], /) -> Sequence[UploadRef]:
        following = PIPELINE.following(self.stage)
        coming = [
            UploadRef(id=each.ref.id, epoch=each.ref.epoch + 1) for each in outcomes if isinstance(each, Advanced)
        ]
        if coming and following:
            await self.dispatcher.dispatch(following, coming)
        await super().settle(outcomes)
        return []


class GuardsByState(Tables):
    """Leaves the epoch out of the guard of settling."""

    def settle(self, stage: Stage, outcomes: Sequence[Outcome[object]]) -> list[UploadRef]:
        self._by_state = True
        try:
            return super().settle(stage, outcomes)
        finally:
            self._by_state = False

    def _held(self, stage: Stage, refs: Sequence[UploadRef]) -> list[Row]:
        rows = [self.uploads[ref.id] for ref in dict.fromkeys(refs)]
        loose = getattr(self, "_by_state", False)
        return [row for row in rows if row.state is STATE_OF[stage]] if loose else super()._held(stage, refs)


class NotesWithoutEpoch(Tables):
    """A note of dispatch that comes late is taken for one of the step after."""

    def note(self, refs: Sequence[UploadRef]) -> None:
        super().note([self.uploads[ref.id].ref for ref in refs])


class TrustsThePublishing(Tables):
    """Has no outbox: what is committed counts as published."""

    def _move(self, row: Row, state: State, delay: float = 0.0) -> None:
        super()._move(row, state, delay)
        row.due = None if state in ENDS else self.theatre.seconds + NOTED


class LastOneWins(Tables):
    """Whoever is stored last is active, whatever was accepted after it."""

    def _newest_stored(self, stage: Stage, outcomes: Sequence[Outcome[object]]) -> dict[int, int]:  # noqa: ARG002
        return {}


class NeverWaits(Tables):
    """Sends a newer one while an older one may be under way."""

    def _under_way(self, row: Row) -> bool:  # noqa: ARG002 - of nobody
        return False


class EndsWhatIsUnderWay(Tables):
    """Ends what was replaced, whoever may be sending it."""

    def _may_send(self, row: Row) -> bool:
        if self.active[row.party] is not row:
            self._move(row, State.SUPERSEDED)
            return False
        return super()._may_send(row)
