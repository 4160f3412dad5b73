"""A 202 is earned once: one row, one box, one event, whatever is sent again."""

import asyncio
from dataclasses import replace

import pytest

from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind
from certpipe.core.ports.doors import Accepted, IdempotencyClaim, IdempotencyConflictError, IdempotencyInFlightError
from certpipe.store.database import Session
from schemas.base import Kind
from schemas.messages import UploadRef
from tests.integration.storehouse import BOX, Storehouse, storehouse

CLAIM = IdempotencyClaim(b"key" * 10, b"content" * 4)


async def _another_organization(house: Storehouse) -> Organization:
    other = Organization(uuid7(), "XAXX010101000", "Other")
    await house.directory.put_organization(other, owner="other")
    await house.directory.put_party(Party(uuid7(), other.id, PartyKind.BRANCH, other.rfc, "Branch"))
    return other


async def test_an_accepted_upload_waits_for_validate_with_its_box_and_its_event(database_url: str) -> None:
    async with storehouse(database_url) as house:
        upload = house.new(kind=Kind.FIEL)
        accepted = await house.intake.accept(upload)
        assert accepted.ref == UploadRef(id=upload.id, epoch=0)
        assert not accepted.replayed
        row = await house.row(upload.id)
        assert (row["state"], row["epoch"], row["attempt"], row["dispatched_at"]) == ("received", 0, 0, None)
        assert 0 < row["due_in"] <= 3
        assert await house.events(upload.id) == [(0, "upload.received", None, None)]
        (loaded,) = await house.validate.load([accepted.ref])
        assert loaded.upload.box == BOX
        assert (loaded.upload.kind, loaded.upload.rfc, loaded.attempt) == (Kind.FIEL, "EKU9003173C9", 0)


async def test_fifty_concurrent_requests_with_one_key_make_one_upload(database_url: str) -> None:
    async with storehouse(database_url) as house:
        accepted = await asyncio.gather(*(house.intake.accept(house.new(claim=CLAIM)) for _ in range(50)))
        assert len({one.ref.id for one in accepted}) == 1
        assert [one.replayed for one in accepted].count(False) == 1
        for table in ("uploads", "sealed_payloads", "events", "idempotency_keys"):
            assert await house.count(table) == 1, table


async def test_a_key_with_another_content_is_a_conflict(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first = await house.intake.accept(house.new(claim=CLAIM))
        with pytest.raises(IdempotencyConflictError):
            await house.intake.accept(house.new(claim=replace(CLAIM, fingerprint=b"other")))
        assert (await house.intake.accept(house.new(claim=CLAIM))).ref == first.ref
        assert await house.count("uploads") == 1


async def test_a_key_is_an_organizations_own(database_url: str) -> None:
    async with storehouse(database_url) as house:
        other = await _another_organization(house)
        (party,) = await house.directory.parties([other.id])
        mine = await house.intake.accept(house.new(claim=CLAIM))
        theirs = await house.intake.accept(replace(house.new(claim=CLAIM), organization_id=other.id, party_id=party.id))
        assert not theirs.replayed
        assert mine.ref != theirs.ref


async def test_a_replay_tells_the_first_upload_at_its_present_epoch(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first = await house.intake.accept(house.new(claim=CLAIM))
        (moved,) = await house.validate.settle([house.proved(first.ref)])
        again = await house.intake.accept(house.new(claim=CLAIM))
        assert again.ref == moved
        assert again.replayed


async def test_while_the_first_request_with_a_key_has_not_committed_the_second_is_told_so(database_url: str) -> None:
    async with storehouse(database_url) as house:
        async with house.database.transaction() as first:
            await first.execute(
                "INSERT INTO certpipe.idempotency_keys VALUES ($1, $2, $3, $4)",
                house.organization.id,
                CLAIM.key_hash,
                CLAIM.fingerprint,
                uuid7(),
            )
            with pytest.raises(IdempotencyInFlightError):
                await house.intake.accept(house.new(claim=CLAIM))
        assert await house.count("uploads") == 0


async def test_the_same_id_again_is_the_same_upload(database_url: str) -> None:
    async with storehouse(database_url) as house:
        upload = house.new()
        accepted = await asyncio.gather(*(house.intake.accept(upload) for _ in range(20)))
        assert {one.ref for one in accepted} == {UploadRef(id=upload.id, epoch=0)}
        assert [one.replayed for one in accepted].count(False) == 1
        assert await house.count("sealed_payloads") == 1
        assert await house.count("events") == 1


async def test_the_same_id_for_something_else_is_a_conflict(database_url: str) -> None:
    async with storehouse(database_url) as house:
        other = await _another_organization(house)
        (party,) = await house.directory.parties([other.id])
        second = Party(uuid7(), house.organization.id, PartyKind.BRANCH, house.party.rfc, "Second")
        await house.directory.put_party(second)
        upload = house.new()
        await house.intake.accept(upload)
        for different in (
            replace(upload, kind=Kind.FIEL),
            replace(upload, party_id=second.id),
            replace(upload, check=True),
            replace(upload, organization_id=other.id, party_id=party.id),
            replace(upload, organization_id=other.id, party_id=party.id, idempotency=CLAIM),
        ):
            with pytest.raises(IdempotencyConflictError):
                await house.intake.accept(different)
        check = replace(house.new(check=True), party_id=None, kind=None)
        await house.intake.accept(check)
        assert (await house.intake.accept(check)).replayed
        with pytest.raises(IdempotencyConflictError):
            await house.intake.accept(replace(check, organization_id=other.id))
        assert await house.count("uploads") == 2
        assert await house.count("idempotency_keys") == 0


async def test_a_party_that_is_not_there_or_is_anothers_is_not_found(database_url: str) -> None:
    async with storehouse(database_url) as house:
        other = await _another_organization(house)
        (party,) = await house.directory.parties([other.id])
        for wrong in (
            house.new(party=uuid7()),
            house.new(party=party.id),
            replace(house.new(claim=CLAIM), organization_id=uuid7()),
            replace(house.new(check=True), organization_id=uuid7(), party_id=None),
        ):
            with pytest.raises(Rejected, match="target_not_found"):
                await house.intake.accept(wrong)
        for table in ("uploads", "sealed_payloads", "events", "idempotency_keys"):
            assert await house.count(table) == 0, table


async def test_a_check_needs_neither_party_nor_kind_nor_key(database_url: str) -> None:
    async with storehouse(database_url) as house:
        check = replace(house.new(check=True, claim=CLAIM), party_id=None, kind=None, rfc=None)
        accepted = await house.intake.accept(check)
        (loaded,) = await house.validate.load([accepted.ref])
        assert (loaded.upload.kind, loaded.upload.rfc) == (None, None)
        assert await house.count("idempotency_keys") == 0


async def test_one_bad_upload_among_many_that_arrive_together_spoils_only_itself(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first = await house.intake.accept(house.new(claim=CLAIM))
        uploads = [house.new() for _ in range(40)]
        uploads[7] = house.new(party=uuid7())
        uploads[11] = house.new(claim=CLAIM)
        uploads[13] = house.new(claim=replace(CLAIM, fingerprint=b"other"))
        uploads[17] = replace(uploads[16], kind=Kind.FIEL)
        uploads[19] = uploads[18]
        results = await asyncio.gather(*map(house.intake.accept, uploads), return_exceptions=True)
        assert isinstance(results[7], Rejected)
        assert isinstance(results[13], IdempotencyConflictError)
        assert {type(results[16]), type(results[17])} == {Accepted, IdempotencyConflictError}
        assert results[11] == Accepted(first.ref, replayed=True)
        for turn in {*range(40)} - {7, 11, 13, 16, 17}:
            result = results[turn]
            assert isinstance(result, Accepted)
            assert result.ref == UploadRef(id=uploads[turn].id, epoch=0)
            assert not result.replayed or turn in {18, 19}
        for table in ("uploads", "sealed_payloads", "events"):
            assert await house.count(table) == 1 + 40 - 5, table
        assert await house.count("idempotency_keys") == 1


async def test_a_key_in_flight_keeps_nobody_else_out(database_url: str) -> None:
    async with storehouse(database_url) as house, house.database.transaction() as first:
        await first.execute(
            "INSERT INTO certpipe.idempotency_keys VALUES ($1, $2, $3, $4)",
            house.organization.id,
            CLAIM.key_hash,
            CLAIM.fingerprint,
            uuid7(),
        )
        uploads = [*(house.new() for _ in range(9)), house.new(claim=CLAIM)]
        results = await asyncio.gather(*map(house.intake.accept, uploads), return_exceptions=True)
        assert [type(result) for result in results] == [Accepted] * 9 + [IdempotencyInFlightError]


async def test_those_that_arrive_together_with_one_id_are_one_upload_the_first(database_url: str) -> None:
    async with storehouse(database_url) as house:
        upload = house.new()
        again, other = replace(upload), replace(upload, kind=Kind.FIEL)
        results = await asyncio.gather(
            *map(house.intake.accept, (house.new(), upload, again, other)), return_exceptions=True
        )
        ref = UploadRef(id=upload.id, epoch=0)
        assert results[1:3] == [Accepted(ref, replayed=False), Accepted(ref, replayed=True)]
        assert isinstance(results[3], IdempotencyConflictError)
        assert (await house.row(upload.id))["kind"] == "csd"


async def test_text_that_the_database_cannot_hold_is_accepted_all_the_same(database_url: str) -> None:
    async with storehouse(database_url) as house:
        box = replace(BOX, kid="kid\0\ud800")
        upload = replace(house.new(), submitted_by="erp\0", box=box)
        (loaded,) = await house.validate.load([(await house.intake.accept(upload)).ref])
        assert loaded.upload.box.kid == "kid\N{REPLACEMENT CHARACTER}?"


async def test_order_of_acceptance_grows(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.accepted(5)
        orders = [(await house.row(ref.id))["accepted_order"] for ref in refs]
        assert orders == sorted(set(orders))


async def test_a_database_that_is_gone_is_unavailable_and_comes_back(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.database.close()
        with pytest.raises(Unavailable, match="database_unavailable"):
            await house.intake.accept(house.new())
    async with storehouse(database_url) as house:
        async with house.database.transaction() as session:
            with pytest.raises(Unavailable):
                await _lose_the_connection(house, session)
        assert not (await house.intake.accept(house.new())).replayed


async def _lose_the_connection(house: Storehouse, killer: Session) -> None:
    async with house.database.transaction() as victim:
        await killer.fetchval("SELECT pg_terminate_backend($1)", victim.get_server_pid())
        await victim.fetchval("SELECT pg_sleep(30)")
