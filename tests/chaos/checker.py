"""Afterwards: what became of every 202."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.states import ENDS
from tests.chaos.material import Pair
from tests.chaos.mischief import POISON
from tests.chaos.rig import Rig
from tests.chaos.verdict import Verdict

SECONDS_WITHOUT_EVENTS: Final = 100
"""What a notify worker that was killed had taken on is told when its lease ends, after a minute."""

_END_OF: Final = {
    "certificate.forwarded": "forwarded",
    "upload.rejected": "rejected",
    "upload.failed": "failed",
    "upload.superseded": "superseded",
}
_STEPS: Final = {"upload.received", "upload.validated", "upload.encrypted", "certificate.stored", *_END_OF}
_LOOKUP: Final = "vault"


async def judge(rig: Rig, verdict: Verdict, *, patience: float, told: bool) -> Verdict:
    """Wait until nothing moves any more; then count what is not as it was promised."""
    await rig.progress.quiet(patience)
    verdict.accepted, verdict.refused = len(rig.load.accepted), len(rig.load.refused)
    verdict.notes += sorted(set(rig.load.refused))
    rows = {row["id"]: row for row in await rig.query(_ROWS)}
    histories: defaultdict[UUID, list[tuple[int, str]]] = defaultdict(list)
    for event in await rig.query(_EVENTS):
        histories[event["subject_id"]].append((event["sequence"], event["type"]))
    accepted = [UUID(one) for one in rig.load.accepted]
    verdict.lost = sum(one not in rows for one in accepted)
    verdict.stuck = sum(row["due_at"] is not None for row in rows.values())
    verdict.ends = dict(Counter(row["state"] for row in rows.values()))
    for one, row in rows.items():
        look_at_row(verdict, row, histories[one])
    poison = Counter(one for one, row in rows.items() if row["rfc"].startswith(POISON))
    dead = Counter(row["upload_id"] for row in await rig.query("SELECT upload_id FROM certpipe.dead_letters"))
    verdict.dead_wrong = (poison - dead).total() + (dead - poison).total()
    if told:
        await _look_at_events(rig, verdict, histories)
    look_at_pac(verdict, list(rows.values()), rig.load.accepted, await rig.received())
    verdict.left = await _left_in_queues(rig)
    verdict.deaths = sum(len(program.deaths) for program in rig.programs)
    _recovery(rig, verdict)
    return verdict


_ROWS = """
SELECT id, state::text AS state, due_at, accepted_order, party_id, kind::text AS kind, rfc
FROM certpipe.uploads WHERE NOT is_check ORDER BY accepted_order
"""
_EVENTS = """
SELECT subject_id, sequence, type FROM certpipe.events
WHERE subject_id IN (SELECT id FROM certpipe.uploads) ORDER BY subject_id, sequence
"""


def look_at_row(verdict: Verdict, row: Mapping[str, Any], history: Sequence[tuple[int, str]]) -> None:
    """One end, which is that of the row; no step twice; no number left out."""
    types = Counter(kind for _, kind in history)
    ends = [end for kind, end in _END_OF.items() for _ in range(types[kind])]
    expected = [row["state"]] if row["state"] in {state.value for state in ENDS} else []
    verdict.ended_twice += ends != expected
    verdict.repeated += any(types[step] > 1 for step in _STEPS)
    verdict.gaps += [sequence for sequence, _ in history] != list(range(len(history)))


async def _look_at_events(rig: Rig, verdict: Verdict, histories: Mapping[UUID, Sequence[tuple[int, str]]]) -> None:
    """Wait for the last of them as long as some arrive."""
    expected = {f"evt_{one.hex}_{sequence}" for one, history in histories.items() for sequence, _ in history}
    last, since = -1, time.monotonic()
    while expected - rig.receiver.taken.keys() and time.monotonic() - since < SECONDS_WITHOUT_EVENTS:
        if len(rig.receiver.taken) != last:
            last, since = len(rig.receiver.taken), time.monotonic()
        await SystemClock().wait(0.2)
    verdict.missing = len(expected - rig.receiver.taken.keys())


def look_at_pac(
    verdict: Verdict,
    rows: Sequence[Mapping[str, Any]],
    accepted: Mapping[str, Pair],
    received: Iterable[Mapping[str, Any]],
) -> None:
    """Of each certificate one receipt; of each party and kind the newest that was accepted came last."""
    sent: defaultdict[str, Counter[str]] = defaultdict(Counter)
    holds: dict[tuple[str, str], str] = {}
    for receipt in received:
        sent[receipt["service"]][receipt["number"]] += 1
        holds[receipt["rfc"], receipt["kind"]] = receipt["number"]
    for service, numbers in sent.items():
        again = numbers.total() - len(numbers)
        if service == _LOOKUP:
            verdict.duplicates += again
        else:
            verdict.duplicates_other += again
    numbers_of = {UUID(one): pair.number for one, pair in accepted.items()}
    arrived = {number for numbers in sent.values() for number in numbers}
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        if row["state"] == "forwarded" and numbers_of.get(row["id"]) not in arrived:
            verdict.pac_wrong += 1
        if row["state"] not in {"rejected", "failed"}:
            newest[row["rfc"], row["kind"]] = row
    for slot, row in newest.items():
        wrong = row["due_at"] is None and (row["state"] != "forwarded" or holds.get(slot) != numbers_of.get(row["id"]))
        verdict.pac_wrong += wrong


async def _left_in_queues(rig: Rig) -> int:
    """What waits after all have stopped, so that what they held counts too."""
    before = await rig.broker.waiting()
    await rig.stop()
    after = await rig.broker.waiting()
    rig.notes += [f"{count} in {name}" for name, count in after.items()]
    return max(sum(before.values()), sum(after.values()))


def _recovery(rig: Rig, verdict: Verdict) -> None:
    verdict.notes += rig.notes
    if not rig.faults:
        return
    verdict.rate_before = rig.progress.before(rig.faults[0])
    found = rig.progress.recovery(rig.faults[-1], verdict.rate_before)
    if found is not None:
        verdict.recovery_seconds, verdict.recovery_rate = found
