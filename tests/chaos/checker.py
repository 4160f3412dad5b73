"""Afterwards: what became of every 202."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.states import ENDS
from tests.chaos.holdings import look_at_pac, look_at_store
from tests.chaos.mischief import POISON
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario
from tests.chaos.verdict import Verdict

SECONDS_WITHOUT_EVENTS: Final = 100
"""What a notify worker that was killed had taken on is told when its lease ends, after a minute."""
ENOUGH_TO_TELL: Final = 10_000
"""Uploads with which a run goes on for long enough after its fault to say whether the rate was back in time."""

EVERY: Final = 5.0
_END_OF: Final = {
    "certificate.forwarded": "forwarded",
    "upload.rejected": "rejected",
    "upload.failed": "failed",
    "upload.superseded": "superseded",
}
_WAY: Final = ["upload.received", "upload.validated", "upload.encrypted", "certificate.stored", "certificate.forwarded"]
_STEPS: Final = {*_WAY, *_END_OF}


async def judge(rig: Rig, verdict: Verdict, scenario: Scenario) -> Verdict:
    """Wait until nothing moves any more; then count what is not as it was promised."""
    await rig.progress.quiet(scenario.patience)
    accepted = [UUID(one) for one in rig.load.accepted]
    verdict.accepted, verdict.refused = len(accepted), len(rig.load.refused)
    verdict.unsent = len(rig.load.pairs) - verdict.accepted - verdict.refused
    verdict.notes += sorted(set(rig.load.refused))
    rows = {row["id"]: row for row in await rig.query(_ROWS)}
    histories: defaultdict[UUID, list[tuple[int, str]]] = defaultdict(list)
    for event in await rig.query(_EVENTS):
        histories[event["subject_id"]].append((event["sequence"], event["type"]))
    verdict.lost = sum(one not in rows for one in accepted)
    verdict.extra = len(rows.keys() - set(accepted))
    verdict.stuck = sum(row["due_at"] is not None for row in rows.values())
    verdict.ends = dict(Counter(row["state"] for row in rows.values()))
    for one, row in rows.items():
        look_at_row(verdict, row, histories[one])
    poison = Counter(one for one, row in rows.items() if _is_poison(row))
    dead = Counter(row["upload_id"] for row in await rig.query("SELECT upload_id FROM certpipe.dead_letters"))
    verdict.dead_wrong = (poison - dead).total() + (dead - poison).total()
    if scenario.told:
        await _look_at_events(rig, verdict, histories)
    look_at_store(verdict, list(rows.values()), await rig.query(_ACTIVE))
    look_at_pac(verdict, list(rows.values()), rig.load.accepted, await rig.received())
    verdict.deaths = sum(len(program.deaths) for program in rig.programs)
    verdict.left = await _left_in_queues(rig)
    verdict.bad_exits = sum(code != 0 for code in rig.codes)
    verdict.hollow = len(rig.hollow)
    verdict.notes += [*rig.hollow, *rig.notes]
    _recovery(rig, verdict, scenario)
    return verdict


_ROWS = """
SELECT id, state::text AS state, due_at, accepted_order, party_id, kind::text AS kind, rfc
FROM certpipe.uploads WHERE NOT is_check ORDER BY accepted_order
"""
_EVENTS = "SELECT subject_id, sequence, type FROM certpipe.events ORDER BY subject_id, sequence"
_ACTIVE = "SELECT party_id, kind::text AS kind, upload_id FROM certpipe.certificates WHERE replaced_at IS NULL"


def look_at_row(verdict: Verdict, row: Mapping[str, Any], history: Sequence[tuple[int, str]]) -> None:
    """One end, which is that of the row and comes last; each step once, in order; no number left out."""
    steps = [kind for _, kind in history if kind in _STEPS]
    types = Counter(steps)
    ends = [end for kind, end in _END_OF.items() for _ in range(types[kind])]
    ended = row["state"] in {state.value for state in ENDS}
    verdict.ended_twice += ends != ([row["state"]] if ended else [])
    verdict.unexpected += ended and row["state"] not in ({"failed"} if _is_poison(row) else {"forwarded", "superseded"})
    verdict.repeated += any(count > 1 for count in types.values())
    late = bool(ends) and steps[-1] not in _END_OF
    verdict.skipped += late or (ends == ["forwarded"] and len(steps) == len(types) and steps != _WAY)
    verdict.gaps += [sequence for sequence, _ in history] != list(range(len(history)))


def _is_poison(row: Mapping[str, Any]) -> bool:
    return bool(row["rfc"].startswith(POISON))


async def _look_at_events(rig: Rig, verdict: Verdict, histories: Mapping[UUID, Sequence[tuple[int, str]]]) -> None:
    """Wait for the last of them as long as some arrive."""
    expected = {f"evt_{one.hex}_{sequence}" for one, history in histories.items() for sequence, _ in history}
    last, since = -1, time.monotonic()
    while expected - rig.receiver.taken.keys() and time.monotonic() - since < SECONDS_WITHOUT_EVENTS:
        if len(rig.receiver.taken) != last:
            last, since = len(rig.receiver.taken), time.monotonic()
        await SystemClock().wait(0.2)
    verdict.missing = len(expected - rig.receiver.taken.keys())
    verdict.untrue = len(rig.receiver.taken.keys() - expected)


async def _left_in_queues(rig: Rig) -> int:
    """What waits after all have stopped, so that what they held counts too."""
    before = await rig.broker.waiting()
    await rig.stop()
    after = await rig.broker.waiting()
    rig.notes += [f"{count} in {name}" for name, count in after.items()]
    return max(sum(before.values()), sum(after.values()))


def _recovery(rig: Rig, verdict: Verdict, scenario: Scenario) -> None:
    if not rig.faults:
        return
    verdict.rate_before = rig.progress.before(rig.faults[0])
    found = rig.progress.recovery(rig.faults[-1], verdict.rate_before, len(rig.load.pairs))
    if found is not None:
        verdict.recovery_seconds, verdict.recovery_rate = found
    if verdict.rate_before and verdict.uploads >= ENOUGH_TO_TELL:
        verdict.slow = int(found is None or found[0] > scenario.recovers)
    rates = [rig.progress.rate(at, at + EVERY) for at in (rig.faults[-1] + EVERY * n for n in range(24))]
    verdict.notes.append(f"per second, each {EVERY:.0f} s after the fault: {' '.join(f'{rate:.0f}' for rate in rates)}")
