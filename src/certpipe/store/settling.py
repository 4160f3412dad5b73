"""What all four ledgers do to settle: give the columns, run the statement, tell who waits for the next stage."""

from collections.abc import Sequence
from typing import TypeVar

from certpipe.core.ports.runtime import Held, Outcome
from certpipe.core.states import WAITS_FOR
from certpipe.store.database import Database, Record
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.rows import NEXT, STATE_OF, columns, pairs
from schemas.messages import UploadRef
from schemas.status import Stage

SETTLE = queries("settle")

Out = TypeVar("Out")


def arguments(stage: Stage, outcomes: Sequence[Outcome[Out]]) -> Sequence[object]:
    """The arguments $1 … $13 that the settling statements share."""
    return STATE_OF[stage], *columns(stage, outcomes), stage


async def settle(
    database: Database, hinter: Hinter, stage: Stage, outcomes: Sequence[Outcome[Out]], *more: object
) -> Sequence[UploadRef]:
    """Settle in one statement, which is one durable transaction and one round trip.

    What is held is put off apart: it changes no state, and putting it off again changes nothing.
    """
    if held := [outcome for outcome in outcomes if isinstance(outcome, Held)]:
        ids, epochs = pairs([outcome.ref for outcome in held])
        await database.execute(SETTLE["put_off"], STATE_OF[stage], ids, epochs, [outcome.delay for outcome in held])
    others = [outcome for outcome in outcomes if not isinstance(outcome, Held)]
    if not others:
        return ()
    moved = await database.fetch(SETTLE[f"settle_{stage}"], *arguments(stage, others), *more)
    return following(stage, moved, hinter)


def following(stage: Stage, moved: Sequence[Record], hinter: Hinter) -> Sequence[UploadRef]:
    """Those that now wait for the next stage; hints when anything moved at all."""
    if moved:
        hinter.hint()
    state, _ = NEXT[stage]
    if state not in WAITS_FOR:
        return ()
    return [
        UploadRef(id=row["id"], epoch=row["epoch"]) for row in moved if row["state"] == state and not row["is_check"]
    ]
