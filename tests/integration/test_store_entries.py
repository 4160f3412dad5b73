"""Entries: what waits for an e.firma, and what comes of it."""

import asyncio

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Party, PartyKind
from certpipe.core.ports.doors import Accepted, IdempotencyClaim, IdempotencyConflictError, NewUpload
from schemas.base import Kind
from schemas.directory import EntryState
from schemas.messages import UploadRef
from tests.integration.storehouse import Storehouse, forwarded, parked, refused, storehouse


def awaited(house: Storehouse, *, claim: IdempotencyClaim | None = None) -> NewUpload:
    new = house.new(kind=Kind.FIEL, claim=claim)
    return NewUpload(**{name: getattr(new, name) for name in new.__slots__} | {"awaited": True})


async def state(house: Storehouse) -> EntryState:
    return (await house.directory.entry_states([house.party.id]))[house.party.id]


async def through(house: Storehouse, ref: UploadRef) -> UploadRef:
    (ref,) = await house.validate.settle([house.proved(ref)])
    (ref,) = await house.encrypt.settle([house.wrapped(ref)])
    (ref,) = await house.persist.settle([await house.kept(ref)])
    return ref


async def test_an_entry_waits_is_processed_and_is_registered(database_url: str) -> None:
    async with storehouse(database_url) as house:
        assert await state(house) is EntryState.WAITING
        ref = (await house.intake.accept(awaited(house))).ref
        assert await state(house) is EntryState.PROCESSING
        ref = await through(house, ref)
        assert await state(house) is EntryState.PROCESSING
        await house.forward.settle([forwarded(ref)])
        assert await state(house) is EntryState.REGISTERED
        with pytest.raises(Rejected, match="target_not_found"):
            await house.intake.accept(awaited(house))
        await house.directory.put_party(house.party)
        assert await state(house) is EntryState.WAITING
        assert not (await house.intake.accept(awaited(house))).replayed


async def test_a_rejected_upload_leaves_the_entry_as_it_was(database_url: str) -> None:
    async with storehouse(database_url) as house:
        for _ in range(2):
            ref = (await house.intake.accept(awaited(house))).ref
            await house.validate.settle([refused(ref)])
            assert await state(house) is EntryState.WAITING
        ref = (await house.intake.accept(awaited(house))).ref
        await house.forward.settle([forwarded(await through(house, ref))])
        (later,) = await house.accepted(kind=Kind.FIEL)
        await house.validate.settle([refused(later)])
        assert await state(house) is EntryState.REGISTERED


async def test_a_failed_upload_is_an_error_until_the_entry_is_put_again(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = (await house.intake.accept(awaited(house))).ref
        await house.validate.settle([parked(ref)])
        assert await state(house) is EntryState.ERROR
        with pytest.raises(Rejected):
            await house.intake.accept(awaited(house))
        await house.directory.put_party(house.party)
        assert await state(house) is EntryState.WAITING


async def test_other_doors_take_what_is_not_awaited_and_the_state_follows_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await through(house, (await house.intake.accept(awaited(house))).ref)
        await house.forward.settle([forwarded(ref)])
        await house.accepted(kind=Kind.CSD)
        assert await state(house) is EntryState.REGISTERED
        (ref,) = await house.accepted(kind=Kind.FIEL)
        assert await state(house) is EntryState.PROCESSING
        check = house.new(kind=Kind.FIEL, check=True)
        await house.intake.accept(check)
        await house.validate.settle([refused(ref)])
        assert await state(house) is EntryState.REGISTERED


async def test_a_void_entry_waits_for_nothing_until_it_is_put_again(database_url: str) -> None:
    async with storehouse(database_url) as house:
        assert await house.directory.void_party(house.party.id)
        assert await house.directory.void_party(house.party.id)
        assert await state(house) is EntryState.VOID
        with pytest.raises(Rejected):
            await house.intake.accept(awaited(house))
        await house.directory.put_party(house.party)
        assert await state(house) is EntryState.WAITING


async def test_only_entries_have_a_state(database_url: str) -> None:
    async with storehouse(database_url) as house:
        branch = Party(uuid7(), house.organization.id, PartyKind.BRANCH, "EKU9003173C9", "Norte")
        await house.directory.put_party(branch)
        assert await house.directory.entry_states([branch.id, uuid7()]) == {}
        assert not await house.directory.void_party(branch.id)
        assert not await house.directory.void_party(uuid7())


async def test_of_many_at_once_for_one_entry_one_is_taken(database_url: str) -> None:
    """By three processes' intakes, each of which batches its own."""
    async with storehouse(database_url) as one, storehouse(database_url) as two, storehouse(database_url) as three:
        for house in (two, three):
            house.organization, house.party = one.organization, one.party
        for _ in range(10):
            await one.directory.put_party(one.party)
            tries = [house.intake.accept(awaited(house)) for _ in range(8) for house in (one, two, three)]
            answers = await asyncio.gather(*tries, return_exceptions=True)
            assert [type(answer) for answer in answers].count(Accepted) == 1
            assert all(isinstance(answer, Accepted | Rejected) for answer in answers)


async def test_a_known_key_gives_the_first_upload_whatever_the_entry_became(database_url: str) -> None:
    async with storehouse(database_url) as house:
        claim = IdempotencyClaim(b"k" * 32, b"f" * 32)
        first = await house.intake.accept(awaited(house, claim=claim))
        again = await house.intake.accept(awaited(house, claim=claim))
        assert (again.replayed, again.ref.id) == (True, first.ref.id)
        await house.validate.settle([refused(first.ref)])
        assert (await house.intake.accept(awaited(house, claim=claim))).ref.id == first.ref.id
        assert await state(house) is EntryState.WAITING
        with pytest.raises(IdempotencyConflictError):
            await house.intake.accept(awaited(house, claim=IdempotencyClaim(b"k" * 32, b"g" * 32)))


async def test_fifty_at_once_with_one_key_for_one_entry_are_one_upload(database_url: str) -> None:
    async with storehouse(database_url) as house:
        claim = IdempotencyClaim(b"k" * 32, b"f" * 32)
        answers = await asyncio.gather(*(house.intake.accept(awaited(house, claim=claim)) for _ in range(50)))
        assert len({answer.ref.id for answer in answers}) == 1
        assert [answer.replayed for answer in answers].count(False) == 1
