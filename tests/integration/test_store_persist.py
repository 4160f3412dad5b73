"""Per party and kind the newest accepted upload wins, whoever comes first and however many store at once."""

import asyncio
from itertools import pairwise

import pytest

from certpipe.core.errors import Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Party, PartyKind
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import State, StoredCertificate
from tests.integration.storehouse import Storehouse, parked, refused, storehouse


async def _versions(house: Storehouse) -> list[StoredCertificate]:
    page = await house.statuses.certificates([house.organization.id], party_id=house.party.id, cursor=None, limit=1000)
    return sorted(page.items, key=lambda one: one.version)


async def _state(house: Storehouse, ref: UploadRef) -> State:
    return State((await house.row(ref.id))["state"])


async def test_a_new_version_replaces_the_active_one(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first, second = await house.stored(), await house.stored()
        old, new = await _versions(house)
        assert (old.version, old.active, old.upload_id) == (1, False, first.id)
        assert (new.version, new.active, new.upload_id) == (2, True, second.id)
        assert old.replaced_at is not None
        assert new.replaced_at is None
        assert new.facts.rfc == "EKU9003173C9"


async def test_kinds_and_parties_do_not_replace_one_another(database_url: str) -> None:
    async with storehouse(database_url) as house:
        other = Party(uuid7(), house.organization.id, PartyKind.BRANCH, house.party.rfc, "Other")
        await house.directory.put_party(other)
        refs = [
            await house.stored(kind=Kind.CSD),
            await house.stored(kind=Kind.FIEL),
            await house.stored(kind=Kind.CSD, party=other.id),
        ]
        assert await house.count("certificates", "replaced_at IS NULL AND version = 1") == 3
        assert len(await house.forward.load(refs)) == 3


async def test_an_older_upload_that_comes_late_is_superseded_and_leaves_nothing_behind(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old, new = await house.encrypted(2)
        assert len(await house.persist.settle([await house.kept(new)])) == 1
        assert await house.persist.settle([await house.kept(old)]) == []
        assert await _state(house, old) is State.SUPERSEDED
        assert (await house.row(old.id))["due_at"] is None
        assert (await house.events(old.id))[-1] == (3, "upload.superseded", "persist", None)
        assert await house.count("sealed_payloads") == 0
        assert await house.count("parts") == 3
        (only,) = await _versions(house)
        assert (only.upload_id, only.active) == (new.id, True)


async def test_of_one_batch_the_newest_is_stored_and_the_others_are_superseded(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.encrypted(5)
        outcomes = [await house.kept(ref) for ref in refs]
        (stored,) = await house.persist.settle([outcomes[turn] for turn in (2, 4, 0, 3, 1)])
        assert stored.id == refs[-1].id
        assert [await _state(house, ref) for ref in refs] == [State.SUPERSEDED] * 4 + [State.STORED]
        assert await house.count("parts") == 3


async def test_a_newer_one_that_is_refused_or_parked_supersedes_nobody(database_url: str) -> None:
    async with storehouse(database_url) as house:
        good, bad, dead = await house.encrypted(3)
        (stored,) = await house.persist.settle([await house.kept(good), refused(bad), parked(dead)])
        assert stored.id == good.id
        assert await _state(house, bad) is State.REJECTED
        assert await house.count("parts") == 6  # a failed upload can be replayed, a rejected one is gone


async def test_concurrent_workers_on_one_party_store_one_version_after_the_other(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.encrypted(24)
        outcomes = [await house.kept(ref) for ref in refs]
        # The newest goes first, so that older ones come late.
        await asyncio.gather(*(house.persist.settle(outcomes[start::8]) for start in reversed(range(8))))
        states = [await _state(house, ref) for ref in refs]
        assert set(states) <= {State.STORED, State.SUPERSEDED}
        assert states[-1] is State.STORED
        versions = await _versions(house)
        assert [one.version for one in versions] == list(range(1, len(versions) + 1))
        assert [one.active for one in versions] == [False] * (len(versions) - 1) + [True]
        orders = [(await house.row(one.upload_id))["accepted_order"] for one in versions]
        assert all(before < after for before, after in pairwise(orders))
        assert await house.count("parts") == 3 * len(versions)


async def test_who_stores_waits_for_whoever_stores_for_the_same_party(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.encrypted()
        outcome = await house.kept(ref)
        async with house.database.transaction() as other:
            await other.execute("SELECT FROM certpipe.parties FOR NO KEY UPDATE")
            with pytest.raises(Unavailable):  # it waited, for as long as it may
                await house.persist.settle([outcome])
        assert len(await house.persist.settle([outcome])) == 1


async def test_workers_on_several_parties_in_opposite_orders_do_not_deadlock(database_url: str) -> None:
    async with storehouse(database_url) as house:
        parties = [house.party.id]
        for _ in range(7):
            party = Party(uuid7(), house.organization.id, PartyKind.BRANCH, house.party.rfc, "Branch")
            await house.directory.put_party(party)
            parties.append(party.id)
        batches = []
        for turn in range(6):
            refs = [(await house.encrypted(party=party))[0] for party in parties]
            outcomes = [await house.kept(ref) for ref in refs]
            batches.append(outcomes if turn % 2 else outcomes[::-1])
        await asyncio.gather(*map(house.persist.settle, batches))
        assert await house.count("certificates", "replaced_at IS NULL") == 8
        assert await house.count("uploads", "state = 'encrypted'") == 0
