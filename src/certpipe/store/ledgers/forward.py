"""The ledger of forward."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from certpipe.core.patience import MOST_ATTEMPT
from certpipe.core.ports.runtime import Advanced, Loaded, Outcome
from certpipe.core.ports.services import Room
from certpipe.core.uploads import Forwarded, Stored, WrappedPart
from certpipe.store.database import Database, Record
from certpipe.store.documents import facts_of, storable
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.records import ref_of, with_parts
from certpipe.store.rows import pairs
from certpipe.store.settling import settle
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import Stage

_SQL = queries("load")
_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class ForwardLedger:
    """Stored → forwarded, with the receipts.

    Attributes:
        destinations: for each kind the names of those that get it. What is loaded may be sent to all of these, so that
            the intent is recorded for each of them first.
        rooms: how many each destination can be given now; who has none here can be given any number.
        sender: the number of this process (`store.sender`); None: nobody can see whether it lives.
    """

    database: Database
    hinter: Hinter
    destinations: Mapping[Kind, Sequence[str]]
    rooms: Mapping[str, Room] = field(default_factory=dict)
    sender: int | None = None

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[Stored]]:
        """As the port says. An upload whose certificate was replaced meanwhile ends as `superseded` instead.

        What waits for a service, or finds no room at it, waits in the database.
        """
        wanted = [(kind, name) for kind, names in self.destinations.items() for name in names]
        kinds, names = [kind for kind, _ in wanted], [name for _, name in wanted]
        room = [self.rooms[name].room() if name in self.rooms else len(refs) for name in names]
        later, between = self._later(names)
        places = kinds, names, room, later, between
        rows = await self.database.fetch(_SQL["stored"], *pairs(refs), *places, self.sender, MOST_ATTEMPT)
        full = {str(kind): len(refs) for kind, left in zip(kinds, room, strict=True) if not left}
        self._promise(Counter(rows[0]["put_off"]) if rows else full)
        loaded = await self._not_overtaken([_loaded(row, parts) for row, parts in with_parts(rows)])
        if len(loaded) < len(refs):
            self.hinter.hint()
        return loaded

    async def _not_overtaken(self, loaded: Sequence[Loaded[Stored]]) -> Sequence[Loaded[Stored]]:
        """Without what was replaced while it was being loaded."""
        if not loaded:
            return loaded
        uploads = [one.upload for one in loaded]
        before = [upload.certificate_id for upload in uploads if upload.open_intents]
        rows = await self.database.fetch(_SQL["overtaken"], [upload.certificate_id for upload in uploads], before)
        overtaken = {row["id"] for row in rows}
        return [one for one in loaded if one.upload.certificate_id not in overtaken]

    def _later(self, names: Sequence[str]) -> tuple[Sequence[float], Sequence[float]]:
        """When those are to come again that find no room: the first of them, and from each to the next."""
        rooms = [self.rooms.get(name) for name in names]
        told = [(1.0, 0.0) if room is None else room.put_off() for room in rooms]
        return [later for later, _ in told], [between for _, between in told]

    def _promise(self, put_off: Mapping[str, int]) -> None:
        """So many of each kind were put off."""
        for kind, count in put_off.items():
            for name in self.destinations[Kind(kind)]:
                if name in self.rooms:
                    self.rooms[name].promised(count)

    async def settle(self, outcomes: Sequence[Outcome[Forwarded]], /) -> Sequence[UploadRef]:
        return await settle(self.database, self.hinter, Stage.FORWARD, outcomes, *_receipts(outcomes))


def _loaded(row: Record, parts: tuple[WrappedPart, ...]) -> Loaded[Stored]:
    ref = ref_of(row)
    upload = Stored(
        ref=ref,
        organization_id=row["organization_id"],
        certificate_id=row["certificate_id"],
        facts=facts_of(row["facts"]),
        parts=parts,
        open_intents=frozenset(row["open_intents"] or ()),
        probes=frozenset(row["probes"]),
    )
    return Loaded(upload, ref, row["attempt"], row["defects"])


def _receipts(outcomes: Sequence[Outcome[Forwarded]]) -> Sequence[Sequence[object]]:
    """The receipts of all that advanced, one per destination, as columns."""
    rows = {
        (outcome.ref.id, receipt.destination): (
            outcome.ref.id,
            receipt.destination,
            receipt.at,
            receipt.confirmed_by,
            None if receipt.reference is None else storable(receipt.reference),
        )
        for outcome in outcomes
        if isinstance(outcome, Advanced)
        for receipt in outcome.out.receipts
    }
    return list(zip(*rows.values(), strict=True)) or [()] * _COLUMNS
