"""Dead letters: complete without any broker, replayed from the stage that failed, dropped for good."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ports.dead import LETTER_CLOSED, NEWER_WON, NOTHING_LEFT, DeadMessage, Wanted
from certpipe.core.ports.runtime import Parked
from certpipe.core.problems import POISONOUS
from certpipe.store.dead import StoreDeadLetters
from certpipe.store.suspects import StoreSuspects
from schemas.base import Kind
from schemas.dead import DeadLetterView, DeathReason, LetterState
from schemas.messages import UploadRef
from schemas.status import Stage, State
from tests.integration.storehouse import AWAY, PROBLEM, Storehouse, forwarded, parked, storehouse

ALL = Wanted()


async def letters(house: Storehouse, wanted: Wanted = ALL, **options: Any) -> tuple[DeadLetterView, ...]:
    choices: dict[str, Any] = {"state": None, "cursor": None, "limit": 100, **options}
    return (await StoreDeadLetters(house.database).page(wanted, **choices)).items


async def failed(house: Storehouse, stage: Stage) -> UploadRef:
    """An upload that this stage gave up, at the epoch at which it is."""
    match stage:
        case Stage.VALIDATE:
            (ref,) = await house.accepted()
            await house.validate.settle([parked(ref)])
        case Stage.ENCRYPT:
            (ref,) = await house.validated()
            await house.encrypt.settle([parked(ref)])
        case Stage.PERSIST:
            (ref,) = await house.encrypted()
            await house.persist.settle([parked(ref)])
        case Stage.FORWARD:
            ref = await house.stored()
            await house.forward.settle([parked(ref)])
    return UploadRef(id=ref.id, epoch=(await house.row(ref.id))["epoch"])


@pytest.mark.parametrize("stage", list(Stage))
async def test_an_upload_that_ends_failed_has_its_letter_at_once(database_url: str, stage: Stage) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, stage)
        (letter,) = await letters(house)
        assert (letter.upload_id, letter.epoch, letter.stage) == (ref.id, ref.epoch, stage)
        assert (letter.reason, letter.code, letter.state) == (DeathReason.FAILED, AWAY.code, LetterState.OPEN)
        assert letter.problems == (AWAY.view(),)
        assert letter.organization_id == house.organization.id


async def test_other_ends_and_checks_have_none(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.forward.settle([forwarded(await house.stored())])
        check = (await house.intake.accept(house.new(check=True))).ref
        await house.validate.settle([parked(check)])
        assert (await house.row(check.id))["state"] == "failed"
        assert await letters(house) == ()


STATES: Mapping[Stage, State] = {
    Stage.VALIDATE: State.RECEIVED,
    Stage.ENCRYPT: State.VALIDATED,
    Stage.PERSIST: State.ENCRYPTED,
    Stage.FORWARD: State.STORED,
}


@pytest.mark.parametrize("stage", list(Stage))
async def test_a_replay_goes_on_from_the_stage_that_failed_to_the_very_end(database_url: str, stage: Stage) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, stage)
        (letter,) = await letters(house)
        replayed = await StoreDeadLetters(house.database).replay(letter.id, by="olga")
        assert replayed is not None
        assert [(act.act, act.by) for act in replayed.history] == [(LetterState.REPLAYED, "olga")]
        row = await house.row(ref.id)
        assert (row["state"], row["epoch"], row["attempt"], row["problems"]) == (STATES[stage], ref.epoch + 1, 0, None)
        assert await house.backlog.due(10) == {stage: [UploadRef(id=ref.id, epoch=ref.epoch + 1)]}
        assert (await house.events(ref.id))[-1] == (ref.epoch + 1, "upload.replayed", stage, None)
        await through(house, UploadRef(id=ref.id, epoch=ref.epoch + 1), stage)
        assert (await house.row(ref.id))["state"] == "forwarded"
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert "upload.replayed" in [entry.type for entry in status.history]


async def through(house: Storehouse, ref: UploadRef, stage: Stage) -> None:
    """From that stage to the end, as workers would."""
    if stage is Stage.VALIDATE:
        (loaded,) = await house.validate.load([ref])
        (ref,) = await house.validate.settle([house.proved(loaded.ref)])
    if stage in {Stage.VALIDATE, Stage.ENCRYPT}:
        (sealed,) = await house.encrypt.load([ref])
        (ref,) = await house.encrypt.settle([house.wrapped(sealed.ref)])
    if stage is not Stage.FORWARD:
        (ref,) = await house.persist.settle([await house.kept(ref)])
    (stored,) = await house.forward.load([ref])
    await house.forward.settle([forwarded(stored.ref)])


async def refused(house: Storehouse, letter_id: int) -> str:
    with pytest.raises(Rejected) as caught:
        await StoreDeadLetters(house.database).replay(letter_id, by="olga")
    return caught.value.problems[0].code


async def test_a_letter_is_replayed_once_however_many_ask(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, Stage.ENCRYPT)
        (letter,) = await letters(house)
        dead = StoreDeadLetters(house.database)
        ends = await asyncio.gather(*(dead.replay(letter.id, by="olga") for _ in range(6)), return_exceptions=True)
        assert sum(isinstance(end, DeadLetterView) for end in ends) == 1
        assert sum(isinstance(end, Rejected) for end in ends) == 5
        assert (await house.row(ref.id))["epoch"] == ref.epoch + 1


async def test_what_fails_again_has_a_second_letter_and_the_first_stays_closed(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, Stage.VALIDATE)
        (first,) = await letters(house)
        await StoreDeadLetters(house.database).replay(first.id, by="olga")
        await house.validate.settle([parked(UploadRef(id=ref.id, epoch=ref.epoch + 1))])
        second, again = await letters(house)
        assert (second.state, again.state, again.id) == (LetterState.OPEN, LetterState.REPLAYED, first.id)
        assert await refused(house, first.id) == LETTER_CLOSED.code
        assert await letters(house, state=LetterState.OPEN) == (second,)


@pytest.mark.parametrize("stage", [Stage.VALIDATE, Stage.PERSIST, Stage.FORWARD])
async def test_what_a_newer_upload_has_overtaken_is_not_replayed(database_url: str, stage: Stage) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, stage)
        (letter,) = await letters(house)
        await house.stored()
        before = dict(await house.row(ref.id))
        assert await refused(house, letter.id) == NEWER_WON.code
        after = dict(await house.row(ref.id))
        assert (after["state"], after["epoch"]) == (before["state"], before["epoch"])
        assert (await letters(house))[0].state is LetterState.OPEN


async def test_a_newer_one_of_another_kind_is_no_matter(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await failed(house, Stage.FORWARD)
        await house.stored(kind=Kind.FIEL)
        (letter,) = await letters(house)
        assert await StoreDeadLetters(house.database).replay(letter.id, by="olga") is not None


async def test_a_certificate_that_was_taken_away_leaves_nothing_to_go_on_with(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await failed(house, Stage.FORWARD)
        assert await house.removals.remove(house.party.id, Kind.CSD) is not None
        (letter,) = await letters(house)
        assert await refused(house, letter.id) == NOTHING_LEFT.code


@pytest.mark.parametrize("stage", [Stage.VALIDATE, Stage.ENCRYPT, Stage.PERSIST])
async def test_a_drop_shreds_what_is_left_and_keeps_the_upload_failed(database_url: str, stage: Stage) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, stage)
        (letter,) = await letters(house)
        dropped = await StoreDeadLetters(house.database).drop(letter.id, by="olga")
        assert dropped is not None
        assert (dropped.state, dropped.history[-1].by) == (LetterState.DROPPED, "olga")
        assert await house.count("sealed_payloads", "upload_id = $1", ref.id) == 0
        assert await house.count("parts") == 0
        row = await house.row(ref.id)
        assert (row["state"], row["epoch"]) == ("failed", ref.epoch)
        assert await refused(house, letter.id) == LETTER_CLOSED.code
        with pytest.raises(Rejected):
            await StoreDeadLetters(house.database).drop(letter.id, by="olga")


async def test_a_drop_leaves_the_certificate_that_its_party_has(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await failed(house, Stage.FORWARD)
        (letter,) = await letters(house)
        await StoreDeadLetters(house.database).drop(letter.id, by="olga")
        assert await house.count("parts") == 3


async def test_what_was_dropped_by_one_is_not_replayed_by_another_at_the_same_time(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await failed(house, Stage.VALIDATE)
        (letter,) = await letters(house)
        dead = StoreDeadLetters(house.database)
        ends = await asyncio.gather(
            dead.drop(letter.id, by="a"), dead.replay(letter.id, by="b"), return_exceptions=True
        )
        assert sorted(type(end).__name__ for end in ends) == ["DeadLetterView", "Rejected"]
        boxes = await house.count("sealed_payloads", "upload_id = $1", ref.id)
        assert boxes == (0 if isinstance(ends[0], DeadLetterView) else 1)


async def test_some_are_replayed_by_stage_code_and_time_in_slices(database_url: str) -> None:
    async with storehouse(database_url) as house:
        for _ in range(3):
            await failed(house, Stage.ENCRYPT)
        (other,) = await house.validated()
        await house.encrypt.settle([Parked(other, PROBLEM)])
        await failed(house, Stage.VALIDATE)
        dead, wanted = StoreDeadLetters(house.database), Wanted(stage=Stage.ENCRYPT, code=AWAY.code)
        later = Wanted(since=datetime.now(UTC) + timedelta(hours=1))
        assert (await dead.replay_some(later, after=0, limit=10, by="olga")).replayed == 0
        first = await dead.replay_some(wanted, after=0, limit=2, by="olga")
        assert first.replayed == 2
        assert first.last is not None
        second = await dead.replay_some(wanted, after=first.last, limit=2, by="olga")
        assert (second.replayed, second.refused) == (1, 0)
        assert second.last is not None
        assert (await dead.replay_some(wanted, after=second.last, limit=2, by="olga")).last is None
        assert {letter.stage for letter in await letters(house, state=LetterState.OPEN)} == {
            Stage.ENCRYPT,
            Stage.VALIDATE,
        }


async def test_those_that_cannot_go_on_are_counted_and_stay(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await failed(house, Stage.VALIDATE)
        await house.stored()
        done = await StoreDeadLetters(house.database).replay_some(ALL, after=0, limit=10, by="olga")
        assert (done.replayed, done.refused) == (0, 1)
        assert len(await letters(house, state=LetterState.OPEN)) == 1


async def test_pages_follow_one_another_newest_first(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = [await failed(house, Stage.VALIDATE) for _ in range(5)]
        dead, seen, cursor = StoreDeadLetters(house.database), list[UUID | None](), None
        while True:
            page = await dead.page(ALL, state=LetterState.OPEN, cursor=cursor, limit=2)
            seen += [letter.upload_id for letter in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert seen == [ref.id for ref in reversed(refs)]


async def test_a_message_is_buried_once_and_cannot_be_replayed(database_url: str) -> None:
    async with storehouse(database_url) as house:
        dead = StoreDeadLetters(house.database)
        odd = {"user": "erp", "kind": "a\x00b\ud800", "sealed": {"kid": "intake-1"}}
        message = DeadMessage(DeathReason.REFUSED, b"i" * 32, problems=(PROBLEM.view(),), kept=odd)
        for _ in range(2):
            await dead.bury([message, message])
        (letter,) = await letters(house)
        assert (letter.reason, letter.code, letter.upload_id) == (DeathReason.REFUSED, PROBLEM.code, None)
        assert letter.message is not None
        assert letter.message["user"] == "erp"
        assert await refused(house, letter.id) == NOTHING_LEFT.code
        dropped = await dead.drop(letter.id, by="olga")
        assert dropped is not None
        assert dropped.message is not None
        assert "sealed" not in dropped.message


async def test_an_unknown_letter_is_none(database_url: str) -> None:
    async with storehouse(database_url) as house:
        dead = StoreDeadLetters(house.database)
        assert await dead.letter(17) is None
        assert await dead.replay(17, by="olga") is None
        assert await dead.drop(17, by="olga") is None


async def test_what_was_poisonous_is_replayed_into_quarantine(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await house.validate.settle([Parked(ref, POISONOUS)])
        (letter,) = await letters(house)
        await StoreDeadLetters(house.database).replay(letter.id, by="olga")
        again = UploadRef(id=ref.id, epoch=ref.epoch + 2)
        assert await house.backlog.due(10) == {}
        (suspect,) = await StoreSuspects(house.database).due()
        assert (suspect.stage, suspect.ref, suspect.deaths) == (Stage.VALIDATE, again, 2)


async def test_what_failed_before_there_were_letters_has_one_after_the_migration(database_url: str) -> None:
    from certpipe.store.migrate import migrations  # noqa: PLC0415 - of this test alone

    async with storehouse(database_url) as house:
        ref = await failed(house, Stage.ENCRYPT)
        await house.database.execute("DROP TABLE certpipe.dead_letters, certpipe.suspects")
        (sql,) = [migration.sql for migration in migrations() if migration.name == "0005_dead_letters.sql"]
        await house.database.execute(sql)
        (letter,) = await letters(house)
        assert (letter.upload_id, letter.epoch, letter.stage, letter.code) == (
            ref.id,
            ref.epoch,
            Stage.ENCRYPT,
            AWAY.code,
        )
