"""The checker sees each kind of fault, and none where there is none; so does the watch for what grows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from schemas.base import Kind
from tests.chaos.checker import look_at_pac, look_at_row
from tests.chaos.material import Pair
from tests.chaos.progress import Progress, Sample
from tests.chaos.soak import Reading, grew
from tests.chaos.verdict import Verdict

ONE, TWO = UUID(int=1), UUID(int=2)
STEPS = ("upload.received", "upload.validated", "upload.encrypted", "certificate.stored")
GOOD = [*enumerate((*STEPS, "destination.forwarded", "certificate.forwarded"))]


def verdict() -> Verdict:
    return Verdict("none", "none", 0, 2, accepted=2)


def row(upload: UUID, state: str, *, order: int = 1, due_at: object = None) -> Mapping[str, Any]:
    return {"id": upload, "state": state, "due_at": due_at, "accepted_order": order, "rfc": "R", "kind": "csd"}


def pair(number: str) -> Pair:
    return Pair(0, UUID(int=9), "R", Kind.CSD, number, "", "")


def receipt(number: str) -> Mapping[str, Any]:
    return {"service": "vault", "number": number, "rfc": "R", "kind": "csd"}


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


def test_recovery_is_when_the_rate_is_back_or_nothing_is_left() -> None:
    progress = Progress("")
    rates = [10] * 20 + [0] * 10 + [2] * 6 + [10] * 20
    ended = 0
    for number, rate in enumerate(rates):
        ended += rate
        progress.samples.append(Sample(number * 0.5, ended, 500 - ended))
    assert progress.before(10.0) == pytest.approx(20.0, rel=0.1)
    found = progress.recovery(15.0, 20.0)
    assert found is not None
    assert found[0] == pytest.approx(2.5, abs=0.6)
    assert progress.recovery(15.0, 1_000.0) is None


def test_what_grows_is_named_and_what_does_not_is_not() -> None:
    def sample(rss: float, files: float) -> Sequence[Reading]:
        return [Reading("forward", "rss_kb", rss), Reading("forward", "files", files)]

    flat = [sample(80_000 + number % 3, 20) for number in range(40)]
    leak = [sample(80_000 + 4_000 * number, 20 + 2 * number) for number in range(40)]
    assert grew(flat) == []
    assert [line.split(":")[0] for line in grew(leak)] == ["forward", "forward"]
