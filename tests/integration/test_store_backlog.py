"""The transactional outbox: what is due, leased to one; notes of dispatch, lazy and never too late."""

import asyncio
from itertools import chain

from certpipe.core.clock import SystemClock
from certpipe.core.ports.doors import IdempotencyClaim
from certpipe.store.backlog import StoreBacklog
from certpipe.store.database import Database
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.integration.storehouse import Storehouse, forwarded, parked, postponed, storehouse


async def _due_now(house: Storehouse, refs: list[UploadRef]) -> None:
    await house.make_due(*(ref.id for ref in refs))


async def test_what_is_due_comes_by_stage_and_the_rest_does_not_come(database_url: str) -> None:
    async with storehouse(database_url) as house:
        received, validated, encrypted = await house.accepted(2), await house.validated(2), await house.encrypted(1)
        stored = await house.stored()
        (ended,) = await house.validated()
        await house.encrypt.settle([parked(ended)])
        assert await house.backlog.due(100) == {}
        await _due_now(house, [received[0], validated[1], encrypted[0], stored])
        due = await house.backlog.due(100)
        assert due == {
            Stage.VALIDATE: [received[0]],
            Stage.ENCRYPT: [validated[1]],
            Stage.PERSIST: [encrypted[0]],
            Stage.FORWARD: [stored],
        }


async def test_the_longest_due_come_first_and_no_more_than_asked_for(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.accepted(3)
        for age, ref in zip((10, 30, 20), refs, strict=True):
            await house.database.execute(
                "UPDATE certpipe.uploads SET due_at = now() - make_interval(secs => $2) WHERE id = $1", ref.id, age
            )
        due = await house.backlog.due(2)
        assert set(due[Stage.VALIDATE]) == {refs[1], refs[2]}


async def test_a_lease_is_exclusive_between_connections_and_lasts_ten_seconds(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.accepted(60)
        await _due_now(house, refs)
        taken = await asyncio.gather(*(house.backlog.due(10) for _ in range(8)))
        ids = [ref.id for ref in chain.from_iterable(due.get(Stage.VALIDATE, []) for due in taken)]
        assert len(ids) == len(set(ids))
        while due := await house.backlog.due(10):
            ids += [ref.id for ref in due[Stage.VALIDATE]]
        assert sorted(ids) == sorted(ref.id for ref in refs)
        assert 0 < (await house.row(refs[0].id))["due_in"] <= 10


async def test_due_does_not_wait_for_a_row_that_is_being_settled(database_url: str) -> None:
    async with storehouse(database_url) as house:
        held, free = await house.accepted(2)
        await _due_now(house, [held, free])
        async with house.database.transaction() as session:
            await session.execute("SELECT FROM certpipe.uploads WHERE id = $1 FOR UPDATE", held.id)
            assert await house.backlog.due(10) == {Stage.VALIDATE: [free]}


async def test_a_note_of_dispatch_puts_off_the_sweeper_for_a_quarter_of_an_hour(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.accepted(3)
        await house.backlog.dispatched(refs[:1])
        await house.backlog.dispatched(refs[1:])
        await house.backlog.close()
        for ref in refs:
            row = await house.row(ref.id)
            assert row["dispatched_at"] is not None
            assert 800 < row["due_in"] <= 900


async def test_notes_are_written_without_anybody_closing(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await house.backlog.dispatched([ref])
        async with asyncio.timeout(60):
            while (await house.row(ref.id))["dispatched_at"] is None:
                await SystemClock().wait(0.05)


async def test_a_note_that_comes_after_a_postponement_or_a_step_changes_nothing(database_url: str) -> None:
    async with storehouse(database_url) as house:
        later, further, ended = await house.accepted(3)
        await house.backlog.dispatched([later, further, ended])
        await house.validate.settle([postponed(later, 60), house.proved(further), parked(ended)])
        await house.backlog.close()
        rows = [await house.row(ref.id) for ref in (later, further, ended)]
        assert [row["dispatched_at"] for row in rows] == [None] * 3
        assert 50 < rows[0]["due_in"] <= 60
        assert rows[1]["due_in"] <= 3
        assert rows[2]["due_at"] is None


async def test_what_the_reconciler_takes_up_can_be_noted_again(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await house.backlog.dispatched([ref])
        await house.backlog.close()
        await _due_now(house, [ref])
        assert await house.backlog.due(10) == {Stage.VALIDATE: [ref]}
        await house.backlog.dispatched([ref])
        await house.backlog.close()
        assert (await house.row(ref.id))["due_in"] > 800


async def test_notes_do_not_disturb_the_settling_of_the_same_rows(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.accepted(64)
        for _ in range(5):
            backlog = StoreBacklog(house.database, SystemClock())
            await backlog.dispatched(refs[::-1])
            moved, _ = await asyncio.gather(house.validate.settle(list(map(postponed, refs))), backlog.close())
            assert moved == []
            refs = [UploadRef(id=ref.id, epoch=ref.epoch + 1) for ref in refs]
        assert len(await house.validate.load(refs)) == 64


async def test_redrive_makes_every_active_upload_due_and_no_other(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = [*await house.accepted(3), *await house.validated(2), await house.stored()]
        (dead,) = await house.accepted()
        await house.validate.settle([parked(dead)])
        await house.backlog.dispatched(refs[:2])
        await house.backlog.close()
        await _due_now(house, refs[-1:])
        assert await house.backlog.redrive() == 6
        due = await house.backlog.due(100)
        assert {ref for stage in due.values() for ref in stage} == set(refs)


async def test_a_late_note_of_a_dispatch_does_not_put_off_what_is_redriven(database_url: str) -> None:
    """It is on its way for up to half a second, and tells of a message that the broker may have lost since."""
    async with storehouse(database_url) as house:
        fresh, later = await house.accepted(2)
        await house.validate.settle([postponed(later)])
        (later,) = [UploadRef(id=later.id, epoch=(await house.row(later.id))["epoch"])]
        await house.backlog.dispatched([fresh, later])
        assert await house.backlog.redrive() == 2
        await house.backlog.close()
        assert set((await house.backlog.due(10))[Stage.VALIDATE]) == {fresh, later}


async def test_depth_counts_what_has_not_ended(database_url: str) -> None:
    async with storehouse(database_url) as house:
        assert await house.backlog.depth() == 0
        (first, _) = await house.accepted(2)
        await house.validate.settle([parked(first)])
        await house.stored()
        done = await house.stored()
        await house.forward.settle([forwarded(done)])
        fresh = StoreBacklog(house.database, SystemClock())
        assert await asyncio.gather(*(fresh.depth() for _ in range(5))) == [2] * 5
        async with asyncio.timeout(60):
            while await house.backlog.depth() != 2:
                await SystemClock().wait(0.05)


async def test_sweep_deletes_old_checks_and_keys_and_nothing_else(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old, new = [(await house.intake.accept(house.new(check=True))).ref for _ in range(2)]
        kept = [
            (await house.intake.accept(house.new(claim=IdempotencyClaim(bytes([turn]), b"")))).ref for turn in range(2)
        ]
        await house.database.execute(
            "UPDATE certpipe.uploads SET created_at = now() - interval '11 minutes' WHERE id = ANY ($1)",
            [old.id, kept[0].id],
        )
        await house.database.execute(
            "UPDATE certpipe.idempotency_keys SET created_at = now() - interval '8 days 1 minute' WHERE upload_id = $1",
            kept[0].id,
        )
        await house.backlog.sweep()
        assert set(await house.statuses.sequences([old.id, new.id, kept[0].id, kept[1].id])) == {
            new.id,
            kept[0].id,
            kept[1].id,
        }
        for table, column in (("sealed_payloads", "upload_id"), ("events", "subject_id")):
            assert await house.count(table, f"{column} = $1", old.id) == 0
            assert await house.count(table, f"{column} = ANY ($1)", [new.id, kept[0].id, kept[1].id]) == 3
        assert await house.count("idempotency_keys") == 1


async def test_keys_that_have_piled_up_are_all_swept(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.database.execute(
            "INSERT INTO certpipe.idempotency_keys (organization_id, key_hash, fingerprint, upload_id, created_at) "
            "SELECT $1, n::text::bytea, '', $1, now() - interval '9 days' FROM generate_series(1, 5001) AS n",
            house.organization.id,
        )
        await house.backlog.sweep()
        assert await house.count("idempotency_keys") == 0


async def test_a_note_that_cannot_be_written_is_dropped_in_silence(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        gone = await Database.open(database_url)
        backlog = StoreBacklog(gone, SystemClock())
        await backlog.dispatched([ref])
        await gone.close()
        await backlog.close()
        assert (await house.row(ref.id))["dispatched_at"] is None
