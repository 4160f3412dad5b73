"""What every connector does. Each test is run against every connector and its simulator."""

import asyncio
import csv
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from certpipe.connectors import CONNECTORS, Credentials
from certpipe.core.bundle import Bundle
from certpipe.core.errors import AccountRefused, CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.simulators.sw.auth import Account
from schemas.base import Kind
from schemas.status import Actor, CertificateFacts
from tests.conformance.pac import OPENED_BY, PASSWORD, Pac, Sample, running_pac

SAMPLES = Path(__file__).parents[3] / "shared" / "sat-samples"
BRIEF = 3.0
"""Seconds: short for a test, and long enough that a request goes out on a busy machine."""


@pytest.fixture(params=sorted(CONNECTORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def pac(name: str) -> AsyncIterator[Pac]:
    async with running_pac(name) as running:
        yield running


async def failure(pac: Pac, kind: type[CertpipeError]) -> CertpipeError:
    """Send, and expect this failure. Whatever it is, it leads to no secret."""
    with pytest.raises(CertpipeError) as caught:
        await pac.connector.send(pac.good.bundle, pac.good.facts)
    assert isinstance(caught.value, kind)
    assert caught.value.__context__ is None
    assert PASSWORD not in repr(caught.value) + repr(caught.value.problems)
    return caught.value


async def test_it_takes_exactly_one_kind(pac: Pac) -> None:
    assert [pac.connector.takes(kind) for kind in Kind].count(True) == 1


async def test_what_is_sent_arrives_byte_for_byte_and_the_receipt_names_it(pac: Pac) -> None:
    receipt = await pac.connector.send(pac.good.bundle, pac.good.facts)
    assert (receipt.destination, receipt.reference, receipt.at) == (
        pac.connector.name,
        pac.good.facts.number,
        pac.clock.now(),
    )
    assert receipt.confirmed_by in {"answer", "lookup"}
    (item,) = (await pac.received())["items"]
    assert item["sha256"] == pac.good.hashes()
    assert (item["number"], item["rfc"]) == (pac.good.facts.number, pac.good.facts.rfc)
    assert item["kind"] == pac.good.facts.kind


async def test_it_is_found_only_after_it_was_sent(pac: Pac) -> None:
    assert await pac.connector.find(pac.good.facts) is None
    await pac.connector.send(pac.good.bundle, pac.good.facts)
    found = await pac.connector.find(pac.good.facts)
    assert found is not None
    assert (found.confirmed_by, found.reference) == ("lookup", pac.good.facts.number)


async def test_another_number_of_the_same_rfc_is_not_found(pac: Pac) -> None:
    await pac.connector.send(pac.good.bundle, pac.good.facts)
    other = pac.good.facts.model_copy(update={"number": "30001000000500000000"})
    assert await pac.connector.find(other) is None


async def test_a_refusal_is_final_and_passes_on_the_providers_words(pac: Pac) -> None:
    pac.good = replace(pac.good, bundle=pac.of_the_other_kind.bundle)
    problem = (await failure(pac, Rejected)).problems[0]
    assert (problem.code, problem.actor, problem.status) == ("pac_rejected", Actor.SUBMITTER, 422)
    assert problem.provider_code == "400"
    assert "[inventado] El certificado es un" in (problem.provider_message or "")


async def test_one_refused_token_is_renewed_without_anybody_noticing(pac: Pac) -> None:
    await pac.connector.find(pac.good.facts)
    logins = {"kind": "delay", "seconds": 0, "match": {"service": "auth"}}
    await pac.fault({"kind": "wrong_token", "times": 1}, logins)
    await pac.connector.send(pac.good.bundle, pac.good.facts)
    assert (await pac.struck(0), await pac.struck(1)) == (1, 1)
    assert (await pac.received())["total"] == 1


async def test_a_second_refusal_is_the_operators_and_is_remembered_for_a_minute(pac: Pac) -> None:
    await pac.fault({"kind": "wrong_token"})
    refused = await failure(pac, Unavailable)
    assert (refused.problems[0].code, refused.problems[0].actor) == ("pac_auth", Actor.OPERATOR)
    for _ in range(3):
        await failure(pac, Unavailable)
    assert await pac.struck() == 2
    await pac.fault()
    pac.clock.move(seconds=61)
    await pac.connector.send(pac.good.bundle, pac.good.facts)


async def test_an_expired_token_is_replaced_before_it_is_used(pac: Pac) -> None:
    await pac.connector.find(pac.good.facts)
    await pac.count_logins()
    pac.clock.move(seconds=7_100)
    await pac.connector.find(pac.good.facts)
    assert await pac.struck() == 0
    pac.clock.move(seconds=50)
    await pac.connector.find(pac.good.facts)
    assert await pac.struck() == 1


async def test_all_who_need_a_token_at_once_share_one_login(pac: Pac) -> None:
    await pac.count_logins()
    await asyncio.gather(*(pac.connector.find(pac.good.facts) for _ in range(20)))
    assert await pac.struck() == 1


async def test_who_gives_up_waiting_for_a_token_leaves_it_to_the_others(pac: Pac) -> None:
    first = asyncio.create_task(pac.connector.find(pac.good.facts))
    second = asyncio.create_task(pac.connector.find(pac.good.facts))
    await asyncio.wait([first], timeout=0)
    first.cancel()
    assert await second is None


async def test_bad_credentials_are_tried_once_a_minute_and_not_more(name: str) -> None:
    async with running_pac(name, account=Account(user="somebody", password="else")) as pac:
        await pac.count_logins()
        for _ in range(3):
            refused = await failure(pac, Unavailable)
            problem = refused.problems[0]
            assert (problem.code, problem.actor, problem.provider_code) == ("pac_auth", Actor.OPERATOR, "AU2000")
        assert await pac.struck() == 1
        pac.clock.move(seconds=61)
        await failure(pac, Unavailable)
        assert await pac.struck() == 2


async def test_who_is_told_that_the_account_is_mended_forgets_that_it_was_refused(pac: Pac) -> None:
    await pac.fault({"kind": "wrong_token"})
    await failure(pac, AccountRefused)
    await pac.fault()
    pac.connector.forget_refusal()
    await pac.connector.send(pac.good.bundle, pac.good.facts)


async def test_bad_credentials_that_were_not_mended_are_tried_once_more_and_remembered_again(name: str) -> None:
    async with running_pac(name, account=Account(user="somebody", password="else")) as pac:
        await pac.count_logins()
        await failure(pac, AccountRefused)
        pac.connector.forget_refusal()
        for _ in range(3):
            await failure(pac, AccountRefused)
        assert await pac.struck() == 2


async def test_a_token_without_an_end_needs_no_login(name: str) -> None:
    account = Account(user="nobody", password="nothing", infinite_token="one")
    async with running_pac(name, account=account, credentials=Credentials(token="one")) as pac:
        await pac.count_logins()
        await pac.connector.send(pac.good.bundle, pac.good.facts)
        assert await pac.struck() == 0
        await pac.fault({"kind": "wrong_token", "times": 1})
        assert (await failure(pac, Unavailable)).problems[0].code == "pac_auth"


async def test_a_login_that_fails_for_another_reason_is_not_remembered(pac: Pac) -> None:
    await pac.fault({"kind": "status", "status": 503, "times": 1, "match": {"service": "auth"}})
    assert (await failure(pac, Unavailable)).problems[0].code == "pac_unavailable"
    await pac.connector.send(pac.good.bundle, pac.good.facts)


@pytest.mark.parametrize("asked", ["17", "Thu, 01 Jan 2026 00:00:17 GMT"])
async def test_a_provider_that_asks_to_wait_is_heard(pac: Pac, asked: str) -> None:
    await pac.fault({"kind": "status", "status": 429, "retry_after": asked})
    busy = await failure(pac, Unavailable)
    assert isinstance(busy, Unavailable)
    assert (busy.problems[0].code, busy.retry_after) == ("pac_rate_limited", 17.0)


@pytest.mark.parametrize(
    ("fault", "code", "actor"),
    [
        ({"kind": "status", "status": 500}, "pac_unavailable", Actor.PROVIDER),
        ({"kind": "html"}, "pac_unavailable", Actor.PROVIDER),
        ({"kind": "html", "status": 400}, "pac_unreadable", Actor.PROVIDER),
        ({"kind": "status", "status": 403}, "pac_forbidden", Actor.OPERATOR),
        ({"kind": "status", "status": 404}, "pac_address", Actor.OPERATOR),
    ],
)
async def test_what_did_not_happen_can_be_tried_later(
    pac: Pac, fault: dict[str, object], code: str, actor: Actor
) -> None:
    await pac.fault(fault)
    problem = (await failure(pac, Unavailable)).problems[0]
    assert (problem.code, problem.actor) == (code, actor)
    assert (await pac.received())["total"] == 0


async def test_a_redirect_is_not_followed(pac: Pac) -> None:
    await pac.fault({"kind": "status", "status": 307})
    problem = (await failure(pac, Unavailable)).problems[0]
    assert (problem.code, problem.provider_code) == ("pac_address", "307")


@pytest.mark.parametrize("credentials", [OPENED_BY, Credentials(token="one")], ids=["user", "token"])
async def test_a_server_that_is_not_there_did_nothing(name: str, credentials: Credentials) -> None:
    async with running_pac(name, credentials=credentials) as pac:
        await pac.simulator.stop()
        assert (await failure(pac, Unavailable)).problems[0].code == "pac_unavailable"


async def test_no_answer_in_time_is_uncertain(name: str) -> None:
    async with running_pac(name, patience=BRIEF) as pac:
        await pac.connector.find(pac.good.facts)
        await pac.fault({"kind": "hang", "times": 1})
        await failure(pac, Uncertain)
        assert await pac.connector.find(pac.good.facts) is None


async def test_a_lookup_without_an_answer_cannot_tell(name: str) -> None:
    async with running_pac(name, patience=BRIEF) as pac:
        await pac.fault({"kind": "hang"})
        with pytest.raises(Unavailable):
            await pac.connector.find(pac.good.facts)


@pytest.mark.parametrize("kind", ["cut_after_storing", "malformed"])
async def test_a_lost_answer_is_uncertain_and_a_lookup_finds_what_arrived(pac: Pac, kind: str) -> None:
    await pac.fault({"kind": kind, "times": 1, "match": {"service": pac.service, "method": "POST"}})
    await failure(pac, Uncertain)
    assert await pac.connector.find(pac.good.facts) is not None
    assert (await pac.received())["total"] == 1


async def test_a_cut_before_it_was_stored_is_uncertain_and_a_lookup_finds_nothing(pac: Pac) -> None:
    await pac.fault({"kind": "cut_before_storing", "times": 1})
    await failure(pac, Uncertain)
    assert await pac.connector.find(pac.good.facts) is None


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 504}, {"kind": "html", "status": 200}])
async def test_an_answer_that_proves_nothing_is_uncertain(pac: Pac, fault: dict[str, object]) -> None:
    await pac.fault(fault)
    await failure(pac, Uncertain)


@pytest.mark.parametrize("kind", ["html", "status", "malformed", "cut_before_storing"])
async def test_a_lookup_that_fails_never_says_that_nothing_is_there(pac: Pac, kind: str) -> None:
    await pac.fault({"kind": kind})
    with pytest.raises(Unavailable):
        await pac.connector.find(pac.good.facts)


async def test_a_success_that_cannot_be_read_back_is_uncertain() -> None:
    async with running_pac("sw-vault") as pac:
        await pac.fault({"kind": "html", "match": {"method": "GET"}})
        await failure(pac, Uncertain)


async def test_a_success_for_another_certificate_is_uncertain(pac: Pac) -> None:
    pac.good = Sample(pac.good.bundle, pac.good.facts.model_copy(update={"number": "30001000000500000000"}))
    await failure(pac, Uncertain)


async def test_the_real_pairs_of_sat_arrive(pac: Pac) -> None:
    """The published test taxpayer's CSD and e.firma, whichever the connector takes."""
    if not SAMPLES.exists():
        pytest.skip("the samples of SAT are not beside this checkout")
    with (SAMPLES / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["case"] == "pair" and row["rfc"] == "EKU9003173C9"]
    rows = [row for row in rows if pac.connector.takes(Kind(row["kind"]))]
    assert rows
    for row in rows:
        bundle = Bundle(
            certificate=(SAMPLES / row["certificate"]).read_bytes(),
            private_key=(SAMPLES / row["private_key"]).read_bytes(),
            password=row["password"],
        )
        facts = CertificateFacts(number=row["certificate_number"], rfc=row["rfc"])
        await pac.connector.send(bundle, facts)
        assert (await pac.received())["items"][-1]["sha256"] == Sample(bundle, facts).hashes()


async def test_the_same_certificate_again_is_a_success_that_is_looked_up(pac: Pac) -> None:
    """Whatever a second sending is answered: as the first one, or that it contradicts what is there."""
    await pac.connector.send(pac.good.bundle, pac.good.facts)
    again = await pac.connector.send(pac.good.bundle, pac.good.facts)
    assert again.reference == pac.good.facts.number
    await pac.fault({"kind": "status", "status": 409, "times": 1})
    found = await pac.connector.send(pac.good.bundle, pac.good.facts)
    assert (found.confirmed_by, found.reference) == ("lookup", pac.good.facts.number)
    assert await pac.struck() == 1


async def test_a_conflict_with_another_certificate_is_a_refusal(pac: Pac) -> None:
    await pac.fault({"kind": "status", "status": 409, "times": 1})
    with pytest.raises(Rejected):
        await pac.connector.send(pac.good.bundle, pac.good.facts)


@pytest.mark.parametrize("status", [401, 403])
async def test_an_account_that_is_refused_is_told_apart_from_a_service_that_is_away(pac: Pac, status: int) -> None:
    await pac.fault({"kind": "status", "status": status})
    with pytest.raises(AccountRefused) as refused:
        await pac.connector.send(pac.good.bundle, pac.good.facts)
    assert refused.value.at_all is (status == 401)
    with pytest.raises(AccountRefused):
        await pac.connector.find(pac.good.facts)
