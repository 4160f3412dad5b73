"""What each stage reads and writes: guarded by state and epoch, with its events, all or nothing."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from certpipe.core.errors import Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.runtime import Advanced, Outcome, Postponed, Refused
from certpipe.core.problems import INTERNAL
from certpipe.core.states import ENDS, TRANSITIONS, WAITS_FOR
from certpipe.core.uploads import Encrypted, Forwarded, Stored, Validated
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificateFacts, Stage, State
from tests.integration.storehouse import (
    AWAY,
    BOX,
    FACTS,
    PROBLEM,
    Storehouse,
    forwarded,
    parked,
    postponed,
    refused,
    storehouse,
    wrapped_parts,
)


def _next(ref: UploadRef) -> UploadRef:
    return UploadRef(id=ref.id, epoch=ref.epoch + 1)


async def test_an_upload_goes_all_the_way_and_nothing_sealed_is_left(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        (second,) = await house.validate.settle([house.proved(ref)])
        assert second == _next(ref)
        (validated,) = await house.encrypt.load([second])
        assert validated.upload == Validated(second, house.organization.id, BOX, FACTS, (PROBLEM.about("password"),))
        made = Encrypted(second, house.organization.id, uuid7(), FACTS, tuple(wrapped_parts()))
        (third,) = await house.encrypt.settle([Advanced(second, made)])
        (encrypted,) = await house.persist.load([third])
        assert encrypted.upload.certificate_id == made.certificate_id
        assert sorted(encrypted.upload.parts, key=str) == sorted(made.parts, key=str)
        assert await house.count("sealed_payloads") == 1
        (fourth,) = await house.persist.settle([await house.kept(third)])
        assert await house.count("sealed_payloads") == 0
        (stored,) = await house.forward.load([fourth])
        assert stored.upload.facts == FACTS
        assert sorted(stored.upload.parts, key=str) == sorted(made.parts, key=str)
        assert await house.forward.settle([forwarded(fourth)]) == ()
        row = await house.row(ref.id)
        assert (row["state"], row["epoch"], row["due_at"]) == ("forwarded", 5, None)
        assert await house.events(ref.id) == [
            (0, "upload.received", None, None),
            (1, "upload.validated", "validate", None),
            (2, "upload.encrypted", "encrypt", None),
            (3, "certificate.stored", "persist", None),
            (4, "destination.forwarded", "forward", None),
            (5, "certificate.forwarded", "forward", None),
        ]


async def test_each_step_is_due_soon_again_undispatched_and_without_tries(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await house.validate.settle([postponed(ref)])
        await house.database.execute("UPDATE certpipe.uploads SET dispatched_at = now()")
        await house.validate.settle([house.proved(_next(ref))])
        row = await house.row(ref.id)
        assert (row["state"], row["attempt"], row["dispatched_at"]) == ("validated", 0, None)
        assert 0 < row["due_in"] <= 3


async def test_a_duplicate_settle_changes_nothing_and_tells_nobody(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        outcomes = [house.proved(ref)]
        first = await asyncio.gather(*(house.validate.settle(outcomes) for _ in range(8)))
        assert sorted(map(len, first)) == [0] * 7 + [1]
        for late in (refused(ref), postponed(ref), parked(ref)):
            assert await house.validate.settle([late]) == []
        assert (await house.row(ref.id))["epoch"] == 1
        assert len(await house.events(ref.id)) == 2


async def test_a_stage_loads_only_what_waits_for_it_at_that_epoch(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.validated()
        (still,) = await house.accepted()
        stale = UploadRef(id=still.id, epoch=7)
        unknown = UploadRef(id=uuid7(), epoch=0)
        assert await house.validate.load([ref, stale, unknown]) == []
        assert await house.encrypt.load([still, UploadRef(id=ref.id, epoch=0)]) == []
        assert await house.persist.load([ref]) == []
        assert await house.forward.load([ref]) == []
        assert [one.ref for one in await house.encrypt.load([ref, still])] == [ref]


async def test_a_refused_upload_keeps_its_problems_and_loses_its_box(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        assert await house.validate.settle([refused(ref)]) == []
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert status.state is State.REJECTED
        assert status.problems == (PROBLEM.view(),)
        assert status.warnings == (AWAY.view(),)
        assert status.certificate == FACTS
        assert await house.count("sealed_payloads") == 0
        assert (await house.events(ref.id))[-1] == (1, "upload.rejected", "validate", "wrong_password")
        assert (await house.row(ref.id))["due_at"] is None


async def test_a_postponed_upload_waits_its_delay_and_counts_its_tries(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        assert await house.validate.settle([postponed(ref, 600)]) == []
        row = await house.row(ref.id)
        assert (row["state"], row["epoch"], row["attempt"], row["dispatched_at"]) == ("received", 1, 1, None)
        assert 590 < row["due_in"] <= 600
        assert (await house.events(ref.id))[-1] == (1, "upload.retried", "validate", "provider_unavailable")
        (loaded,) = await house.validate.load([_next(ref)])
        assert loaded.attempt == 1


async def test_tries_that_ended_by_a_defect_are_told_apart_and_begin_anew_with_each_stage(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        for problem in (INTERNAL, AWAY, INTERNAL):
            await house.validate.settle([Postponed(ref, problem, 0)])
            ref = _next(ref)
        (loaded,) = await house.validate.load([ref])
        assert (loaded.attempt, loaded.defects) == (3, 2)
        (ref,) = await house.validate.settle([house.proved(ref)])
        await house.encrypt.settle([Postponed(ref, AWAY, 0)])
        (again,) = await house.encrypt.load([_next(ref)])
        assert (again.attempt, again.defects) == (1, 0)


async def test_a_parked_upload_fails_and_keeps_its_box(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        assert await house.validate.settle([parked(ref)]) == []
        row = await house.row(ref.id)
        assert (row["state"], row["due_at"], row["attempt"]) == ("failed", None, 1)
        assert await house.count("sealed_payloads") == 1
        assert (await house.events(ref.id))[-1] == (1, "upload.failed", "validate", "provider_unavailable")


async def test_one_batch_may_hold_every_outcome(database_url: str) -> None:
    async with storehouse(database_url) as house:
        good, bad, later, dead = await house.accepted(4)
        outcomes: list[Outcome[Validated]] = [house.proved(good), refused(bad), postponed(later), parked(dead)]
        assert await house.validate.settle(outcomes) == [_next(good)]
        states = [(await house.row(ref.id))["state"] for ref in (good, bad, later, dead)]
        assert states == ["validated", "rejected", "received", "failed"]


async def test_a_row_that_cannot_be_written_fails_its_batch_whole_and_is_not_called_unavailable(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        good, bad = await house.validated(2)
        twice = tuple(wrapped_parts()) * 2
        broken = Advanced(bad, Encrypted(bad, house.organization.id, uuid7(), FACTS, twice))
        with pytest.raises(asyncpg.UniqueViolationError):
            await house.encrypt.settle([house.wrapped(good), broken])
        assert await house.count("parts") == 0
        assert len(await house.encrypt.load([good, bad])) == 2
        assert await house.encrypt.settle([house.wrapped(good)]) == [_next(good)]


async def test_a_character_that_the_database_cannot_hold_does_not_stop_an_upload(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        hostile = CertificateFacts(legal_name='NUL\0 and \\u0000 "quoted"')
        await house.validate.settle([Refused(ref, (PROBLEM,), hostile)])
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert status.certificate == CertificateFacts(legal_name='NUL\N{REPLACEMENT CHARACTER} and \\u0000 "quoted"')


async def test_two_batches_in_opposite_orders_never_deadlock(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await house.accepted(64)
        for _ in range(10):
            there = [postponed(ref) for ref in refs]
            back = list(reversed(there))
            moved = await asyncio.gather(*(house.validate.settle(half) for half in (there, back, there, back)))
            assert moved == [[]] * 4
            refs = [_next(ref) for ref in refs]
        assert len(await house.validate.load(refs)) == 64


async def test_a_check_ends_after_validate_and_leaves_no_box(database_url: str) -> None:
    async with storehouse(database_url) as house:
        good, bad, dead = [(await house.intake.accept(house.new(check=True))).ref for _ in range(3)]
        assert await house.validate.settle([house.proved(good), refused(bad), parked(dead)]) == []
        assert await house.count("sealed_payloads") == 0
        assert [(await house.row(ref.id))["due_at"] for ref in (good, bad, dead)] == [None] * 3
        assert await house.encrypt.load([_next(good)]) == []
        assert await house.encrypt.settle([house.wrapped(_next(good))]) == []
        assert (await house.row(good.id))["state"] == "validated"


async def test_a_database_that_goes_away_while_settling_is_unavailable_and_settling_again_is_safe(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house, house.database.transaction() as blocker:
        (ref,) = await house.accepted()
        await blocker.execute("SELECT FROM certpipe.uploads FOR UPDATE")
        with pytest.raises(Unavailable, match="database_unavailable"):
            await house.validate.settle([house.proved(ref)])  # waits for the lock, for two seconds
        await blocker.execute("COMMIT")
        await blocker.execute("BEGIN")
        assert await house.validate.settle([house.proved(ref)]) == [_next(ref)]


async def test_no_ledger_ever_makes_a_transition_outside_the_table(database_url: str) -> None:
    async with storehouse(database_url) as house:
        settles: dict[Stage, Callable[[UploadRef], Coroutine[Any, Any, object]]] = {
            Stage.VALIDATE: lambda ref: house.validate.settle([house.proved(ref)]),
            Stage.ENCRYPT: lambda ref: house.encrypt.settle([house.wrapped(ref)]),
            Stage.PERSIST: lambda ref: house.persist.settle([_kept_blindly(house, ref)]),
            Stage.FORWARD: lambda ref: house.forward.settle([forwarded(ref)]),
        }
        others = (refused, postponed, parked)
        for state in State:
            for stage in Stage:
                for other in (None, *others):
                    ref = await _at(house, state)
                    if other is None:
                        await settles[stage](ref)
                    else:
                        await _settle_blindly(house, stage, other(ref))
                    after = State((await house.row(ref.id))["state"])
                    if WAITS_FOR.get(state) is stage and other is not postponed:
                        assert after in TRANSITIONS[state], (state, stage)
                    else:
                        assert after is state, (state, stage)
                        assert state not in ENDS or (await house.row(ref.id))["epoch"] == ref.epoch


def _kept_blindly(house: Storehouse, ref: UploadRef) -> Advanced[Stored]:
    return Advanced(ref, Stored(ref, house.organization.id, uuid7(), FACTS, ()))


async def _settle_blindly(house: Storehouse, stage: Stage, outcome: Any) -> None:
    ledgers: dict[Stage, Any] = {
        Stage.VALIDATE: house.validate,
        Stage.ENCRYPT: house.encrypt,
        Stage.PERSIST: house.persist,
        Stage.FORWARD: house.forward,
    }
    await ledgers[stage].settle([outcome])


async def _at(house: Storehouse, state: State) -> UploadRef:
    """A fresh upload, put into that state."""
    (ref,) = await house.accepted()
    await house.database.execute(
        "UPDATE certpipe.uploads SET state = $2::text::certpipe.state, certificate_id = $3, "
        "due_at = CASE WHEN certpipe.ended($2::text::certpipe.state, false) THEN NULL ELSE now() END WHERE id = $1",
        ref.id,
        state,
        uuid7(),
    )
    return ref


async def test_forwarding_records_its_intent_before_it_returns_and_its_receipt_after(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored(kind=Kind.FIEL)
        (first,) = await house.forward.load([ref])
        assert first.upload.open_intents == frozenset()
        assert await house.count("handoffs", "upload_id = $1 AND received_at IS NULL", ref.id) == 2
        (again,) = await house.forward.load([ref])
        assert again.upload.open_intents == {"efisco", "sw"}
        await house.forward.settle([postponed(ref)])
        (later,) = await house.forward.load([_next(ref)])
        assert later.upload.open_intents == {"efisco", "sw"}
        assert later.attempt == 1
        outcome: Advanced[Forwarded] = forwarded(_next(ref))
        await house.forward.settle([outcome])
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert status.state is State.FORWARDED
        assert [(one.destination, one.reference, one.confirmed_by) for one in status.receipts] == [
            ("sw", "ref-1", "answer")
        ]
        assert status.receipts[0].at == outcome.out.receipts[0].at


async def test_of_two_concurrent_loads_one_is_told_that_the_other_may_have_sent(database_url: str) -> None:
    async with storehouse(database_url) as house:
        for _ in range(10):
            ref = await house.stored()
            loads = await asyncio.gather(house.forward.load([ref]), house.forward.load([ref]))
            intents = sorted(len(loaded.upload.open_intents) for (loaded,) in loads)
            assert intents == [0, 1]
            await house.forward.settle([forwarded(ref)])


async def test_a_certificate_that_was_replaced_is_not_forwarded_any_more(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        new = await house.stored()
        loaded = await house.forward.load([old, new])
        assert [one.ref for one in loaded] == [new]
        row = await house.row(old.id)
        assert (row["state"], row["epoch"], row["due_at"]) == ("superseded", old.epoch + 1, None)
        assert (await house.events(old.id))[-1] == (4, "upload.superseded", "forward", None)
        assert await house.count("handoffs", "upload_id = $1", old.id) == 0


async def test_a_newer_certificate_waits_while_an_older_one_of_its_party_is_being_sent(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        assert [one.ref for one in await house.forward.load([old])] == [old]
        new, other = await house.stored(), await house.stored(kind=Kind.FIEL)
        await house.backlog.dispatched([new])
        assert [one.ref for one in await house.forward.load([new, other])] == [other]
        await house.backlog.close()
        row = await house.row(new.id)
        assert (row["state"], row["epoch"]) == ("stored", new.epoch)
        assert 0 < row["due_in"] <= 1, "the note of its dispatch does not put it off"
        assert await house.count("handoffs", "upload_id = $1", new.id) == 0
        await house.forward.settle([forwarded(old)])
        assert [one.ref for one in await house.forward.load([new])] == [new]


async def test_an_older_certificate_whose_attempt_has_ended_keeps_nobody_waiting(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        await house.forward.load([old])
        await house.forward.settle([postponed(old)])
        new = await house.stored()
        assert [one.ref for one in await house.forward.load([new])] == [new]


async def test_an_attempt_that_a_crash_cut_off_keeps_nobody_waiting_for_long(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        await house.forward.load([old])
        await house.database.execute(
            "UPDATE certpipe.handoffs SET intended_at = intended_at - interval '3 minutes' WHERE upload_id = $1", old.id
        )
        new = await house.stored()
        assert [one.ref for one in await house.forward.load([new])] == [new]
