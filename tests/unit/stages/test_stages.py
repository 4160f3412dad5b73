"""The four stages, one upload at a time, with real keys in memory."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from certpipe.core.bundle import Bundle
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Barred, CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.core.ids import uuid7
from certpipe.core.ports.connector import Connector
from certpipe.core.ports.runtime import Run
from certpipe.core.problems import Problem
from certpipe.core.uploads import BoxBinding, Encrypted, Part, Receipt, Received, Stored, Validated
from certpipe.crypto.envelope import EnvelopeUnwrapper, EnvelopeWrapper
from certpipe.crypto.keys.local import LocalKeyProvider
from certpipe.crypto.opening import BoxOpener
from certpipe.crypto.sealing import HpkeSealer
from certpipe.pipeline import PIPELINE
from certpipe.sat.trust import Anchors, Environment
from certpipe.simulators.authority import RFC, Authority
from certpipe.stages.encrypt import Encrypt
from certpipe.stages.forward import Forward
from certpipe.stages.persist import Persist
from certpipe.stages.validate import Validate
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificateFacts, Stage
from tests.unit.stages.conftest import NOW

T = TypeVar("T")
INTAKE = X25519PrivateKey.generate()
OPENER = BoxOpener({"k1": INTAKE})
PROVIDER = LocalKeyProvider({("kek", 1): b"k" * 32}, current=("kek", 1))
AWAY = Problem("away", "fuera", "away")


class At(SystemClock):
    def now(self) -> datetime:
        return NOW


async def here(work: Callable[[], T]) -> T:
    return work()


def received(bundle: Bundle, *, kind: Kind | None = Kind.CSD, rfc: str | None = RFC) -> Received:
    upload_id, organization_id = uuid7(), uuid7()
    box = HpkeSealer("k1", INTAKE.public_key()).seal(bundle, BoxBinding(upload_id, organization_id))
    return Received(UploadRef(id=upload_id, epoch=0), organization_id, kind, rfc, box)


@pytest.fixture
def validate(anchors: Anchors) -> Validate:
    return Validate(opener=OPENER, anchors=anchors, environment=Environment.UAT, clock=At(), run=here)


async def encrypted(validated: Validated, run: Run[Bundle] = here) -> Encrypted:
    return await Encrypt(opener=OPENER, wrapper=EnvelopeWrapper(PROVIDER), run=run)(validated)


class Destination:
    """A connector whose answers are given; it remembers what it was asked."""

    def __init__(
        self,
        name: str = "pac",
        *,
        sends: Sequence[Receipt | CertpipeError] = (),
        finds: Sequence[Receipt | CertpipeError | None] = (),
    ) -> None:
        self.name = name
        self.sends, self.finds, self.asked = list(sends), list(finds), list[str]()
        self.got: Bundle | None = None

    def takes(self, kind: Kind, /) -> bool:
        return kind is Kind.CSD

    async def send(self, bundle: Bundle, _facts: CertificateFacts, /) -> Receipt:
        self.asked.append("send")
        self.got = bundle
        return answered(self.sends.pop(0))

    async def find(self, _facts: CertificateFacts, /) -> Receipt | None:
        self.asked.append("find")
        return answered(self.finds.pop(0))

    def forget_refusal(self) -> None:
        """Nothing is remembered here."""


def answered(answer: T | CertpipeError) -> T:
    if isinstance(answer, CertpipeError):
        raise answer
    return answer


RECEIPT = Receipt("pac", NOW, "answer", "ref")


class Way:
    """A gate that lets all through, or is shut; it remembers who came, and as what."""

    def __init__(self, *, shut: bool = False) -> None:
        self.shut = shut
        self.came: list[tuple[UUID, bool]] = []

    def check(self, *, probe: bool) -> None:
        if self.shut and not probe:
            raise Barred(AWAY, delay=1.0)

    async def through(self, hand_over: Callable[[], Awaitable[T]], upload: UUID, *, probe: bool) -> T:
        self.came.append((upload, probe))
        return await hand_over()


def forwarding(connectors: Mapping[str, Connector], gates: Mapping[str, Way] | None = None) -> Forward:
    return Forward(EnvelopeUnwrapper(PROVIDER), connectors, gates or {name: Way() for name in connectors})


async def stored(validate: Validate, csd: Bundle) -> Stored:
    return await Persist()(await encrypted(await validate(received(csd))))


async def test_a_bundle_comes_out_at_the_destination_byte_for_byte(validate: Validate, csd: Bundle) -> None:
    destination = Destination(sends=[RECEIPT])
    forward = forwarding({"pac": destination})
    done = await forward(await stored(validate, csd))
    assert done.receipts == (RECEIPT,)
    assert destination.got is not None
    got = destination.got
    assert (got.certificate, got.private_key, got.password) == (csd.certificate, csd.private_key, csd.password)


async def test_only_a_password_of_several_readings_has_its_key_opened_and_that_off_the_loop(
    validate: Validate, csd: Bundle
) -> None:
    ran: list[Bundle] = []

    async def elsewhere(work: Callable[[], Bundle]) -> Bundle:
        ran.append(work())
        return ran[-1]

    await encrypted(await validate(received(csd)), elsewhere)
    assert ran == []
    broken = Bundle(certificate=csd.certificate, private_key=csd.private_key, password=f"{csd.password}\n")
    await encrypted(await validate(received(broken)), elsewhere)
    assert [bundle.password for bundle in ran] == [csd.password]


async def test_a_bad_bundle_is_refused_with_all_its_problems_and_what_could_be_read(
    validate: Validate, csd: Bundle
) -> None:
    wrong = Bundle(certificate=csd.certificate, private_key=csd.private_key, password="not-the-password")
    with pytest.raises(Rejected) as no:
        await validate(received(wrong, kind=Kind.FIEL, rfc="AAA010101AAA"))
    assert {"wrong_password", "wrong_kind_csd", "rfc_mismatch"} <= {problem.code for problem in no.value.problems}
    assert no.value.facts is not None
    assert no.value.facts.rfc == RFC


async def test_a_box_for_another_upload_is_refused_and_not_retried(validate: Validate, csd: Bundle) -> None:
    swapped = replace(received(csd), ref=UploadRef(id=uuid7(), epoch=0))
    with pytest.raises(Rejected) as no:
        await validate(swapped)
    assert no.value.problems[0].code == "box_unopenable"


@pytest.mark.parametrize("part", list(Part))
async def test_a_version_that_lacks_a_part_is_never_stored(validate: Validate, csd: Bundle, part: Part) -> None:
    whole = await encrypted(await validate(received(csd)))
    with pytest.raises(Rejected):
        await Persist()(replace(whole, parts=tuple(each for each in whole.parts if each.part is not part)))


async def test_every_part_has_a_data_key_of_its_own(validate: Validate, csd: Bundle) -> None:
    parts = (await encrypted(await validate(received(csd)))).parts
    assert len({part.wrapped_key for part in parts}) == len({part.commitment for part in parts}) == 3


async def test_an_open_intent_is_looked_up_before_anything_is_sent(validate: Validate, csd: Bundle) -> None:
    upload = replace(await stored(validate, csd), open_intents=frozenset({"pac"}))
    found = Destination(finds=[RECEIPT])
    await forwarding({"pac": found})(upload)
    assert found.asked == ["find"]
    absent = Destination(finds=[None], sends=[RECEIPT])
    await forwarding({"pac": absent})(upload)
    assert absent.asked == ["find", "send"]


async def test_a_lost_answer_is_looked_up_and_never_sent_again_blindly(validate: Validate, csd: Bundle) -> None:
    upload = await stored(validate, csd)
    arrived = Destination(sends=[Uncertain(AWAY)], finds=[RECEIPT])
    assert (await forwarding({"pac": arrived})(upload)).receipts == (RECEIPT,)
    lost = Destination(sends=[Uncertain(AWAY)], finds=[None])
    with pytest.raises(Uncertain):
        await forwarding({"pac": lost})(upload)
    assert lost.asked == ["send", "find"]


@pytest.mark.parametrize("no", [Rejected(AWAY), Unavailable(AWAY), Uncertain(AWAY)])
async def test_whatever_a_destination_raises_is_told_with_its_name(
    validate: Validate, csd: Bundle, no: CertpipeError
) -> None:
    connectors = {"good": Destination("good", sends=[RECEIPT]), "bad": Destination("bad", sends=[no], finds=[None])}
    with pytest.raises(type(no)) as told:
        await forwarding(connectors)(await stored(validate, csd))
    assert told.value.destination == "bad"


async def test_a_destination_that_cannot_be_looked_at_is_told_of_too(validate: Validate, csd: Bundle) -> None:
    upload = replace(await stored(validate, csd), open_intents=frozenset({"pac"}))
    for sends in ([], [Uncertain(AWAY)]):
        blind = Destination(sends=sends, finds=[Unavailable(AWAY)])
        with pytest.raises(Unavailable) as told:
            await forwarding({"pac": blind})(upload)
        assert told.value.destination == "pac"
        upload = replace(upload, open_intents=frozenset())


async def test_without_a_destination_the_upload_waits_for_the_operator(validate: Validate, csd: Bundle) -> None:
    with pytest.raises(Unavailable) as away:
        await forwarding({})(await stored(validate, csd))
    assert away.value.problems[0].code == "no_destination"
    assert away.value.destination is None


def test_the_pipeline_is_a_chain_of_all_stages() -> None:
    assert [PIPELINE.following(stage) for stage in Stage] == [Stage.ENCRYPT, Stage.PERSIST, Stage.FORWARD, None]


async def test_a_provider_that_quotes_our_request_does_not_make_us_tell_its_secrets(
    validate: Validate, csd: Bundle
) -> None:
    quoted = f"bad request: {base64.b64encode(csd.private_key).decode()} with {csd.password}, folio 12345"
    no = Rejected(replace(AWAY, provider_message=quoted))
    with pytest.raises(Rejected) as told:
        await forwarding({"pac": Destination(sends=[no])})(await stored(validate, csd))
    assert told.value.problems[0].provider_message == "bad request: […] with […], folio 12345"


async def test_nor_where_it_quotes_it_as_json(validate: Validate, authority: Authority) -> None:
    own = authority.issue(Kind.CSD, password='Ñandú"\\1').bundle
    no = Rejected(replace(AWAY, provider_message=f"bad request: {json.dumps({'password': own.password})}"))
    with pytest.raises(Rejected) as told:
        await forwarding({"pac": Destination(sends=[no])})(await stored(validate, own))
    assert told.value.problems[0].provider_message == 'bad request: {"password": "[…]"}'


async def test_nothing_is_unwrapped_or_sent_while_a_destination_is_shut_but_for_its_probe(
    validate: Validate, csd: Bundle
) -> None:
    upload, destination, way = await stored(validate, csd), Destination(sends=[RECEIPT]), Way(shut=True)
    forward = forwarding({"pac": destination}, {"pac": way})
    broken = replace(upload, parts=upload.parts[:1])  # would be found out by unwrapping it
    with pytest.raises(Barred):
        await forward(broken)
    assert (destination.asked, way.came) == ([], [])
    done = await forward(replace(upload, probes=frozenset({"pac"})))
    assert done.receipts == (RECEIPT,)
    assert way.came == [(upload.ref.id, True)]
