"""The one way in."""

import pytest

from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.doors import IdempotencyConflictError
from certpipe.core.uploads import Box
from certpipe.ingress.intake import PROMPT
from certpipe.ingress.submission import CheckRequest
from schemas.base import Kind
from schemas.status import Stage
from schemas.upload import SealFormat
from tests.unit.ingress.scene import Scene, bundle


async def test_an_upload_is_committed_and_dispatched_once_under_its_key() -> None:
    scene = Scene()
    first = await scene.service.submit(scene.submission(), subject="olivia", door="http", key="k")
    again = await scene.service.submit(scene.submission(), subject="olivia", door="http", key="k")
    assert (first.replayed, again.replayed, again.ref) == (False, True, first.ref)
    assert scene.dispatcher.dispatched == [(Stage.VALIDATE, first.ref.id)]


async def test_without_a_key_the_same_again_is_another_upload() -> None:
    scene = Scene()
    for _ in range(2):
        await scene.service.submit(scene.submission(), subject="olivia", door="http", key=None)
    assert len(scene.store.rows) == 2


@pytest.mark.parametrize("change", [{"password": "other"}, {"kind": Kind.FIEL}])
async def test_the_key_with_another_content_is_a_conflict(change: dict[str, str]) -> None:
    scene = Scene()
    await scene.service.submit(scene.submission(), subject="olivia", door="http", key="k")
    with pytest.raises(IdempotencyConflictError):
        await scene.service.submit(scene.submission(**change), subject="olivia", door="http", key="k")  # type: ignore[arg-type]


async def test_parts_cannot_run_into_one_another() -> None:
    scene = Scene()
    for certificate, private_key in ((b"ab", b"c"), (b"a", b"bc")):
        box = bundle(certificate=certificate, private_key=private_key)
        producer = scene.directory.producers["old-erp"]
        await scene.service.take(uuid7(), box, producer=producer, party_id=scene.party, kind=Kind.CSD, door="amqp")
    claims = [row.idempotency for row in scene.store.rows.values()]
    assert len({claim.fingerprint for claim in claims if claim}) == 2


async def test_keys_of_other_doors_are_other_keys() -> None:
    scene = Scene()
    for door, key in (("http", "k"), ("form", "k"), ("for", "mk")):
        await scene.service.submit(scene.submission(), subject="olivia", door=door, key=key)
    assert len(scene.store.rows) == 3


async def test_an_organization_that_has_too_much_on_its_way_is_busy_and_another_is_not() -> None:
    scene = Scene(limit=100, organization_limit=5)
    scene.store.waiting_of[scene.organization] = 5
    with pytest.raises(Unavailable) as busy:
        await scene.service.submit(scene.submission(), subject="olivia", door="http", key=None)
    assert [problem.code for problem in busy.value.problems] == ["organization_overloaded"]
    assert busy.value.retry_after
    await scene.service.submit(scene.submission(party=scene.foreign), subject="zoe", door="http", key=None)
    assert len(scene.store.rows) == 1


async def test_an_organization_with_much_on_its_way_is_published_by_the_sweeper_alone() -> None:
    scene = Scene(limit=100_000, organization_limit=100_000)
    for waiting in (PROMPT, PROMPT - 1):
        scene.store.waiting_of[scene.organization] = waiting
        await scene.service.submit(scene.submission(), subject="olivia", door="http", key=None)
    assert (len(scene.store.rows), len(scene.dispatcher.dispatched)) == (2, 1)


async def test_another_organizations_party_is_as_unknown_as_a_random_id() -> None:
    scene = Scene()
    told = []
    for party in (scene.foreign, uuid7()):
        with pytest.raises(Rejected) as refused:
            await scene.service.submit(scene.submission(party=party), subject="olivia", door="http", key=None)
        told.append(refused.value.problems)
    assert told[0] == told[1]
    assert told[0][0].code == "target_not_found"
    assert not scene.store.rows


async def test_a_backlog_that_is_full_takes_nothing() -> None:
    scene = Scene(limit=5)
    scene.store.waiting = 5
    with pytest.raises(Unavailable) as refused:
        await scene.service.submit(scene.submission(), subject="olivia", door="http", key=None)
    assert refused.value.retry_after
    assert not scene.store.rows


async def test_a_check_needs_no_party_and_takes_the_partys_rfc_where_it_has_one() -> None:
    scene = Scene()
    for party in (None, scene.party):
        await scene.service.check(CheckRequest(bundle(), party, None, None), subject="olivia", door="http")
    rows = list(scene.store.rows.values())
    assert [(row.check, row.party_id, row.rfc, row.organization_id) for row in rows] == [
        (True, None, None, scene.organization),
        (True, scene.party, "EKU9003173C9", scene.organization),
    ]


async def test_who_belongs_nowhere_cannot_check() -> None:
    scene = Scene()
    with pytest.raises(Rejected):
        await scene.service.check(CheckRequest(bundle(), None, None, None), subject="nobody", door="http")


async def test_a_producers_box_passes_as_it_is_under_the_producers_id() -> None:
    scene, upload_id, box = Scene(), uuid7(), Box(SealFormat.JWE, "intake-9", b"a.b.c.d.e")
    producer = scene.directory.producers["erp"]
    accepted = await scene.service.take(
        upload_id, box, producer=producer, party_id=scene.party, kind=Kind.FIEL, door="amqp"
    )
    row = scene.store.rows[upload_id]
    assert (accepted.ref.id, row.box, row.submitted_by) == (upload_id, box, "erp")


def test_a_service_never_shows_its_key() -> None:
    assert "kkkk" not in repr(Scene().service)
