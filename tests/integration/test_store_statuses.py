"""What may be told, and to whom."""

from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Party, PartyKind
from certpipe.core.ports.doors import Progress
from certpipe.core.ports.runtime import Refused
from certpipe.core.problems import Problem
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import Actor, CheckReport, Stage, State
from tests.integration.storehouse import (
    AWAY,
    FACTS,
    PROBLEM,
    Storehouse,
    forwarded,
    parked,
    postponed,
    refused,
    storehouse,
)


async def _pages(
    house: Storehouse, limit: int, *, party_id: UUID | None = None, state: State | None = None
) -> list[list[UUID]]:
    found: list[list[UUID]] = []
    cursor = None
    while True:
        page = await house.statuses.uploads(
            [house.organization.id, uuid7()],
            party_id=party_id,
            state=state,
            cursor=cursor,
            limit=limit,
        )
        found.append([item.id for item in page.items])
        if page.next is None:
            return found
        cursor = page.items[-1].id
        assert page.next == str(cursor)


async def test_a_status_tells_everything(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.load([ref])
        await house.forward.settle([postponed(ref, 60)])
        status = await house.statuses.upload(ref.id, [uuid7(), house.organization.id])
        assert status is not None
        assert (status.state, status.ended, status.sequence, status.attempt) == (State.STORED, False, 4, 1)
        assert (status.party_id, status.kind, status.certificate) == (house.party.id, Kind.CSD, FACTS)
        assert status.next_attempt_at is not None
        assert status.next_attempt_at > status.updated_at
        assert status.warnings == (PROBLEM.about("password").view(),)
        assert status.receipts == ()
        assert status.links == {"self": f"/v1/uploads/{ref.id}"}
        assert [(step.sequence, step.type, step.stage, step.code, step.attempt) for step in status.history] == [
            (0, "upload.received", None, None, None),
            (1, "upload.validated", Stage.VALIDATE, None, None),
            (2, "upload.encrypted", Stage.ENCRYPT, None, None),
            (3, "certificate.stored", Stage.PERSIST, None, None),
            (4, "upload.retried", Stage.FORWARD, "provider_unavailable", 1),
        ]
        assert status.history[0].at == status.created_at
        assert status.history[-1].at == status.updated_at
        certificate = await house.statuses.certificate(status.certificate_id or uuid7(), [house.organization.id])
        assert certificate is not None
        assert (certificate.upload_id, certificate.active, certificate.facts) == (ref.id, True, FACTS)


async def test_no_next_attempt_is_told_before_a_try_has_failed_or_after_the_end(database_url: str) -> None:
    async with storehouse(database_url) as house:
        fresh, dead = await house.accepted(2)
        await house.validate.settle([postponed(dead)])
        await house.validate.settle([parked(UploadRef(id=dead.id, epoch=1))])
        for ref in (fresh, dead):
            status = await house.statuses.upload(ref.id, [house.organization.id])
            assert status is not None
            assert status.next_attempt_at is None
            assert status.ended is (ref is dead)


async def test_no_next_attempt_is_told_while_one_is_under_way(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.settle([postponed(ref, 0)])
        await house.backlog.dispatched([UploadRef(id=ref.id, epoch=ref.epoch + 1)])
        await house.backlog.close()
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert (status.attempt, status.next_attempt_at) == (1, None)


async def test_another_organizations_upload_is_as_unknown_as_a_random_one(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        certificate_id = status.certificate_id or uuid7()
        for organizations in ([], [uuid7()]):
            assert await house.statuses.upload(ref.id, organizations) is None
            assert await house.statuses.certificate(certificate_id, organizations) is None
            for party in (None, house.party.id):
                uploads = await house.statuses.uploads(organizations, party_id=party, state=None, cursor=None, limit=9)
                certificates = await house.statuses.certificates(organizations, party_id=party, cursor=None, limit=9)
                assert uploads.items == ()
                assert certificates.items == ()


async def test_pages_are_newest_first_and_leave_nothing_out(database_url: str) -> None:
    async with storehouse(database_url) as house:
        other = Party(uuid7(), house.organization.id, PartyKind.BRANCH, "XAXX010101000", "Other")
        await house.directory.put_party(other)
        mine = [ref.id for ref in await house.accepted(5)]
        (theirs,) = [ref.id for ref in await house.validated(party=other.id)]
        await house.intake.accept(house.new(check=True))
        newest_first = sorted([*mine, theirs], reverse=True)
        assert await _pages(house, 4) == [newest_first[:4], newest_first[4:]]
        assert await _pages(house, 3) == [newest_first[:3], newest_first[3:]]
        assert await _pages(house, 100, party_id=other.id) == [[theirs]]
        assert await _pages(house, 4, party_id=house.party.id) == [newest_first[1:5], newest_first[5:]]
        assert await _pages(house, 100, state=State.VALIDATED) == [[theirs]]
        assert await _pages(house, 100, party_id=house.party.id, state=State.VALIDATED) == [[]]


async def test_certificates_come_in_pages_too(database_url: str) -> None:
    async with storehouse(database_url) as house:
        stored = [(await house.stored()).id for _ in range(3)]
        for party in (None, house.party.id):
            first = await house.statuses.certificates([house.organization.id], party_id=party, cursor=None, limit=2)
            rest = await house.statuses.certificates(
                [house.organization.id], party_id=party, cursor=first.items[-1].id, limit=2
            )
            assert [one.upload_id for one in (*first.items, *rest.items)] == stored[::-1]
            assert first.next == str(first.items[-1].id)
            assert rest.next is None


async def test_sequences_tell_epoch_and_end_of_all_that_are_known(database_url: str) -> None:
    async with storehouse(database_url) as house:
        waiting, (moved,) = (await house.accepted())[0], await house.validated()
        done = await house.stored()
        await house.forward.settle([forwarded(done)])
        check = (await house.intake.accept(house.new(check=True))).ref
        await house.validate.settle([house.proved(check)])
        known = await house.statuses.sequences([waiting.id, moved.id, done.id, check.id, uuid7()])
        assert known == {
            waiting.id: Progress(0, ended=False, state=State.RECEIVED),
            moved.id: Progress(1, ended=False, state=State.VALIDATED),
            done.id: Progress(5, ended=True, state=State.FORWARDED),
            check.id: Progress(1, ended=True, state=State.VALIDATED),
        }


async def test_the_report_of_a_check_is_given_once_and_the_check_is_gone(database_url: str) -> None:
    async with storehouse(database_url) as house:
        good, bad, dead = [(await house.intake.accept(house.new(check=True))).ref for _ in range(3)]
        assert await house.statuses.take_check(good.id) is None
        await house.validate.settle([house.proved(good), refused(bad), parked(dead)])
        assert await house.statuses.upload(good.id, [house.organization.id]) is None
        warning = PROBLEM.about("password").view()
        assert await house.statuses.take_check(good.id) == CheckReport(
            verdict="valid", problems=(), warnings=(warning,), certificate=FACTS
        )
        report = await house.statuses.take_check(bad.id)
        assert report is not None
        assert (report.verdict, report.problems) == ("rejected", (PROBLEM.view(),))
        report = await house.statuses.take_check(dead.id)
        assert report is not None
        assert (report.verdict, report.problems) == ("failed", (AWAY.view(),))
        assert await house.statuses.take_check(good.id) is None
        for table in ("uploads", "sealed_payloads", "events"):
            assert await house.count(table) == 0, table


async def test_an_upload_that_is_no_check_cannot_be_taken(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await house.validate.settle([refused(ref)])
        assert await house.statuses.take_check(ref.id) is None
        assert await house.count("uploads") == 1


async def test_a_problem_keeps_the_providers_own_words(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        said = Problem("pac", "es", "en", "f", "hint", Actor.PROVIDER, 502, "305", "«El certificado no es válido»")
        await house.validate.settle([Refused(ref, (said, PROBLEM))])
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert status.problems == (said.view(), PROBLEM.view())
