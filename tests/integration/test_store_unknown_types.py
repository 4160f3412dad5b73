"""After a way back to this version: what a newer one wrote, and this one does not know, holds up nobody."""

import json
from datetime import timedelta
from uuid import UUID

from schemas.events import EventType
from schemas.status import UploadStatus
from schemas.webhooks import DeliveryPage
from tests.integration.storehouse import AWAY, Storehouse, postponed, storehouse
from tests.integration.toldhouse import NOW, Toldhouse, taken

NEWER = "certificate.expiring"


async def _one_of_a_newer_version(house: Storehouse) -> tuple[UUID, int]:
    """An event of an upload in the midst of others of it, with things in its row that nobody here can read."""
    (ref,) = await house.validated()
    row = await house.database.fetchrow(
        "UPDATE certpipe.events SET type = $2, stage = 'weigh', problems = $4, code = 'soon' "
        "WHERE subject_id = $1 AND sequence = $3 RETURNING sequence",
        ref.id,
        NEWER,
        ref.epoch,
        '[{"newer": true}]',
    )
    assert row is not None
    await house.encrypt.settle([house.wrapped(ref)])
    return ref.id, ref.epoch


async def test_an_event_of_a_type_that_is_not_known_is_told_at_its_place(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        upload, sequence = await _one_of_a_newer_version(house)
        await telling.placed()
        told = await telling.all()
        assert [each.event.type for each in told] == [EventType.RECEIVED, NEWER, EventType.ENCRYPTED]
        assert await telling.feed.of_upload(upload, -1) == told
        assert await telling.feed.of_organizations([house.organization.id], 0, 10) == told
        newer = told[1].event
        assert newer.model_dump(mode="json", exclude_none=True)["data"] == {
            "organization_id": str(house.organization.id),
            "upload_id": str(upload),
            "sequence": sequence,
            "party_id": str(house.party.id),
            "kind": "csd",
            "problems": [],
        }
        assert b'"type":"certificate.expiring"' in newer.body()


async def test_its_deliveries_go_to_who_wants_every_type_or_that_one_and_no_other_is_held_up(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        every, others, that = (
            await telling.endpoint(),
            await telling.endpoint(EventType.RECEIVED, EventType.ENCRYPTED),
            await telling.endpoint(EventType.RECEIVED),
        )
        await house.database.execute("UPDATE certpipe.endpoints SET types = $2 WHERE id = $1", that, [NEWER])
        upload, sequence = await _one_of_a_newer_version(house)
        await telling.placed()
        claimed = {each: await telling.claim(each) for each in (every, others, that)}
        assert {each: [one.told.event.type for one in some] for each, some in claimed.items()} == {
            every: [EventType.RECEIVED, NEWER, EventType.ENCRYPTED],
            others: [EventType.RECEIVED, EventType.ENCRYPTED],
            that: [NEWER],
        }
        await telling.settle(*(one for some in claimed.values() for one in map(taken, some)))
        assert not await telling.deliveries.waiting(NOW + timedelta(days=1))
        id_ = f"evt_{upload.hex}_{sequence}"
        page: DeliveryPage = await telling.endpoints.deliveries(every, state=None, event_id=id_, cursor=None, limit=5)
        assert [(each.event_id, each.type) for each in page.items] == [(id_, NEWER)]
        assert DeliveryPage.model_validate_json(page.model_dump_json()) == page


async def test_a_known_event_with_a_stage_and_members_that_are_not_known_is_told_and_shown(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        (ref,) = await house.accepted()
        await house.validate.settle([postponed(ref)])
        newer = json.dumps([{**AWAY.view().model_dump(mode="json"), "newer": True}])
        await house.database.execute("UPDATE certpipe.uploads SET problems = $2 WHERE id = $1", ref.id, newer)
        await house.database.execute(
            "UPDATE certpipe.events SET stage = 'weigh', problems = $2 WHERE subject_id = $1 AND type = $3",
            ref.id,
            newer,
            EventType.RETRIED,
        )
        await telling.placed()
        told = (await telling.all())[-1].event
        assert (told.type, told.data.stage, told.data.problems) == (EventType.RETRIED, "weigh", (AWAY.view(),))
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert (status.history[-1].stage, status.problems) == ("weigh", (AWAY.view(),))
        assert UploadStatus.model_validate_json(status.model_dump_json()) == status


async def test_an_endpoint_that_asked_for_it_is_shown(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint(EventType.RECEIVED)
        await house.database.execute("UPDATE certpipe.endpoints SET types = $2 WHERE id = $1", endpoint, [NEWER])
        (view,) = await telling.endpoints.endpoints([house.organization.id])
        assert view.types == (NEWER,)
