"""What was written down of an upload's way, and the shortest ways into trouble."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind
from schemas.messages import UploadRef
from tests.integration.storehouse import AWAY, Storehouse, postponed


@dataclass(frozen=True)
class Row:
    """One event as it was written. `about`: its destination, or the certificate that it names itself."""

    sequence: int
    type: str
    about: object
    code: str | None
    problems: tuple[str, ...]
    position: int | None


async def rows_of(house: Storehouse, upload_id: UUID) -> list[Row]:
    rows = await house.database.fetch(
        "SELECT * FROM certpipe.events WHERE subject_id = $1 ORDER BY sequence", upload_id
    )
    return [
        Row(
            row["sequence"],
            row["type"],
            row["destination"] or row["certificate_id"],
            row["code"],
            tuple(each["code"] for each in json.loads(row["problems"] or "[]")),
            row["position"],
        )
        for row in rows
    ]


async def told_since(house: Storehouse, ref: UploadRef) -> list[tuple[str, object]]:
    """What was told of an upload after `ref`. Whatever was told, sequences have no gap, and the last is the epoch."""
    rows = await rows_of(house, ref.id)
    assert [row.sequence for row in rows] == list(range(len(rows)))
    assert (await house.row(ref.id))["epoch"] == rows[-1].sequence
    return [(row.type.removeprefix("destination."), row.about) for row in rows if row.sequence > ref.epoch]


async def at_present(house: Storehouse, ref: UploadRef) -> UploadRef:
    return UploadRef(id=ref.id, epoch=(await house.row(ref.id))["epoch"])


async def fail(house: Storehouse, *refs: UploadRef, times: int = 3, at: str = "sw") -> list[UploadRef]:
    """Each fails there that often on end."""
    current: Sequence[UploadRef] = refs
    for _ in range(times):
        await house.forward.settle([postponed(ref, 0, at) for ref in current])
        current = [await at_present(house, ref) for ref in current]
    return list(current)


async def leave_alone(house: Storehouse, *names: str, seconds: float = 3600.0, rate: float = 1000.0) -> None:
    """Nobody uses these services for so long."""
    await house.services.register(dict.fromkeys(names, rate))
    for name in names:
        await house.services.opened(name, seconds=seconds, problem=AWAY, probe=None)


async def held(house: Storehouse, *refs: UploadRef) -> list[UploadRef]:
    """They come to forward, and find their service left alone."""
    assert await house.forward.load(refs) == []
    return [await at_present(house, ref) for ref in refs]


async def several(house: Storehouse, count: int) -> list[UploadRef]:
    """Stored uploads of as many parties."""
    refs = []
    for _ in range(count):
        party = Party(uuid7(), house.organization.id, PartyKind.BRANCH, house.party.rfc, "Branch")
        await house.directory.put_party(party)
        refs.append(await house.stored(party=party.id))
    return refs


async def elsewhere(house: Storehouse) -> UploadRef:
    """A stored upload of another organization."""
    other = Organization(uuid7(), "XAXX010101000", "Other")
    party = Party(uuid7(), other.id, PartyKind.ENTRY, other.rfc, "Other")
    await house.directory.put_organization(other, owner="other")
    await house.directory.put_party(party)
    own, house.organization = house.organization, other
    try:
        return await house.stored(party=party.id)
    finally:
        house.organization = own


async def somebody_waits(house: Storehouse) -> None:
    """Until a statement waits for a row that another one has."""
    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(20):
        while not await house.database.fetch(waits):
            await SystemClock().wait(0.02)
