"""The checker sees each kind of fault, and none where there is none; so does the watch for what grows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from schemas.base import Kind
from tests.chaos.checker import look_at_row
from tests.chaos.holdings import hashes, look_at_pac, look_at_store
from tests.chaos.material import Pair
from tests.chaos.progress import Progress, Sample
from tests.chaos.soak import Reading, grew
from tests.chaos.verdict import Verdict

ONE, TWO = UUID(int=1), UUID(int=2)
PARTY = UUID(int=9)
STEPS = ("upload.received", "upload.validated", "upload.encrypted", "certificate.stored")
GOOD = [*enumerate((*STEPS, "destination.forwarded", "certificate.forwarded"))]


def verdict() -> Verdict:
    return Verdict("none", "none", 0, 2, accepted=2)


def row(upload: UUID, state: str, *, order: int = 1, due_at: object = None) -> Mapping[str, Any]:
    known = {"due_at": due_at, "accepted_order": order, "party_id": PARTY, "rfc": "R", "kind": "csd"}
    return {"id": upload, "state": state, **known}


def pair(number: str) -> Pair:
    return Pair(0, PARTY, "R", Kind.CSD, number, "", "", "password")


def receipt(number: str, content: str | None = None) -> Mapping[str, Any]:
    sha256 = hashes(pair(number)) if content is None else {}
    return {"service": "vault", "number": number, "rfc": "R", "kind": "csd", "sha256": sha256}


@pytest.mark.parametrize(
    ("state", "history", "faults"),
    [
        ("forwarded", GOOD, {}),
        ("forwarded", GOOD[:3] + [(n + 1, kind) for n, kind in GOOD[3:]], {"gaps": 1}),
        ("forwarded", [*GOOD, (6, "upload.superseded")], {"ended_twice": 1}),
        ("superseded", GOOD, {"ended_twice": 1}),
        ("forwarded", GOOD[:-1], {"ended_twice": 1}),
        ("stored", [*enumerate((*STEPS, "certificate.stored"))], {"repeated": 1}),
        ("stored", [*enumerate((*STEPS, "upload.retried", "upload.retried"))], {}),
        ("forwarded", [*enumerate((*STEPS[:-1], "certificate.forwarded"))], {"skipped": 1}),
        ("forwarded", [*enumerate(("upload.received", "certificate.forwarded", *STEPS[1:]))], {"skipped": 1}),
        ("rejected", [(0, "upload.received"), (1, "upload.rejected")], {"unexpected": 1}),
        ("failed", [(0, "upload.received"), (1, "upload.failed")], {"unexpected": 1}),
    ],
)
def test_a_history_is_judged(state: str, history: Sequence[tuple[int, str]], faults: Mapping[str, int]) -> None:
    found = verdict()
    look_at_row(found, row(ONE, state), history)
    assert found.faults == faults


@pytest.mark.parametrize(
    ("rows", "received", "faults"),
    [
        ([row(ONE, "superseded"), row(TWO, "forwarded", order=2)], ["a", "b"], {}),
        ([row(ONE, "superseded"), row(TWO, "forwarded", order=2)], ["b"], {}),
        ([row(ONE, "forwarded"), row(TWO, "forwarded", order=2)], ["b", "a"], {"pac_wrong": 1}),
        ([row(ONE, "forwarded"), row(TWO, "superseded", order=2)], ["a"], {"pac_wrong": 1}),
        ([row(ONE, "forwarded"), row(TWO, "rejected", order=2)], ["a"], {}),
        ([row(ONE, "forwarded"), row(TWO, "rejected", order=2)], ["b", "a"], {"pac_wrong": 1}),
        ([row(ONE, "superseded"), row(TWO, "forwarded", order=2)], ["a"], {"pac_wrong": 2}),
        ([row(ONE, "superseded"), row(TWO, "forwarded", order=2)], ["a", "b", "b"], {"duplicates": 1}),
    ],
)
def test_what_the_pac_holds_is_judged(
    rows: Sequence[Mapping[str, Any]], received: Sequence[str], faults: Mapping[str, int]
) -> None:
    found = verdict()
    look_at_pac(found, rows, {str(ONE): pair("a"), str(TWO): pair("b")}, [receipt(number) for number in received])
    assert found.faults == faults


def test_what_the_pac_got_has_to_be_what_was_sent() -> None:
    found = verdict()
    look_at_pac(found, [row(ONE, "forwarded")], {str(ONE): pair("a")}, [receipt("a", content="another")])
    assert found.faults == {"pac_wrong": 1}


@pytest.mark.parametrize(
    ("rows", "active", "wrong"),
    [
        ([row(ONE, "superseded"), row(TWO, "forwarded", order=2)], [TWO], 0),
        ([row(ONE, "superseded"), row(TWO, "forwarded", order=2)], [ONE], 1),
        ([row(ONE, "forwarded"), row(TWO, "rejected", order=2)], [ONE], 0),
        ([row(ONE, "forwarded")], [], 1),
        ([row(ONE, "rejected")], [ONE], 1),
        ([row(ONE, "received", due_at="now")], [], 0),
    ],
)
def test_what_the_store_holds_is_judged(rows: Sequence[Mapping[str, Any]], active: Sequence[UUID], wrong: int) -> None:
    found = verdict()
    look_at_store(found, rows, [{"party_id": PARTY, "kind": "csd", "upload_id": one} for one in active])
    assert found.store_wrong == wrong


@pytest.mark.parametrize("fault", ["broke", "unsent", "hollow", "lost", "stuck", "missing", "untrue", "slow", "left"])
def test_any_fault_makes_a_run_bad_and_a_control_good(fault: str) -> None:
    found = verdict()
    assert found.good
    setattr(found, fault, 1)
    assert not found.good
    found.control = fault
    assert found.good


def test_a_control_that_finds_nothing_is_bad() -> None:
    found = verdict()
    found.control = "stuck"
    assert not found.good


def progress_of(rates: Sequence[int]) -> Progress:
    """So many ends in each half second."""
    progress, ended = Progress(""), 0
    for number, rate in enumerate(rates):
        ended += rate
        progress.samples.append(Sample(number * 0.5, ended, sum(rates) - ended))
    return progress


def test_recovery_is_when_the_rate_is_back() -> None:
    progress = progress_of([10] * 20 + [0] * 10 + [2] * 6 + [10] * 20)
    assert progress.before(10.0) == pytest.approx(20.0, rel=0.1)
    found = progress.recovery(15.0, 20.0, 412)
    assert found is not None
    assert found[0] == pytest.approx(2.5, abs=0.6)
    assert found[1] == pytest.approx(20.0, rel=0.1)
    assert progress.recovery(15.0, 20.0, 10_000) is not None


def test_a_heap_that_is_let_go_is_no_rate_that_is_back() -> None:
    progress = progress_of([10] * 20 + [60] + [0] * 30 + [1] * 10)
    assert progress.recovery(10.0, 20.0, 10_000) is None


def test_where_nothing_is_left_or_there_was_no_rate_it_is_over_when_all_have_ended() -> None:
    progress = progress_of([10] * 20 + [0] * 10 + [5] * 2 + [0] * 4)
    assert progress.recovery(15.0, 20.0, 210) == (0.5, None)
    assert progress.recovery(0.0, 0.0, 210) == (15.5, None)
    assert progress.recovery(15.0, 20.0, 211) is None


def test_what_grows_is_named_and_what_does_not_is_not() -> None:
    def sample(rss: float, files: float) -> Sequence[Reading]:
        return [Reading("forward", "rss_kb", rss), Reading("forward", "files", files)]

    flat = [sample(80_000 + number % 3, 20) for number in range(40)]
    leak = [sample(80_000 + 4_000 * number, 20 + 2 * number) for number in range(40)]
    assert grew(flat) == []
    assert [line.split(":")[0] for line in grew(leak)] == ["forward", "forward"]
