"""Whatever may happen, in any order: the rules that hypothesis plays, and what must hold after each and in the end."""

from collections import Counter
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from certpipe.core.states import ACTIVE, ENDS
from schemas.messages import StageMessage
from schemas.status import Stage, State
from tests.model.stage import Fate
from tests.model.system import System
from tests.model.tables import ATTEMPT, NOTED

PICK: Final = st.integers(0, 11)
SOON: Final = 2 * ATTEMPT
"""Seconds within which everything ends when the faults have stopped. The reconciler's quarter of an hour is longer, so
that what only it would find counts as lost, unless the broker really lost something."""
MOST_CALLS: Final = 4_000
MOST_REPEATED: Final = 32


class Deaths(RuleBasedStateMachine):
    """A whole certpipe whose processes die, and that forgets or repeats nothing else."""

    kind: dict[str, Any] = {}  # noqa: RUF012 - what a seeded defect replaces

    def __init__(self) -> None:
        super().__init__()
        self.system = System(**self.kind)
        self.broker_lost = False

    @property
    def _calls(self) -> list[Any]:
        return self.system.theatre.calls

    @rule(party=st.integers(0, 1), good=st.booleans(), published=st.booleans())
    def accept(self, *, party: int, good: bool, published: bool) -> None:
        """An upload is committed; its publishing may be lost at once."""
        if len(self.system.tables.uploads) < 6:
            upload_id = UUID(int=len(self.system.tables.uploads) + 1)
            ref = self.system.tables.accept(upload_id, party)
            if not good:
                self.system.refused.add(upload_id)
            if published:
                message = StageMessage(stage=Stage.VALIDATE, uploads=(ref,))
                self.system.broker.put(Stage.VALIDATE.value, message.model_dump_json().encode())
                self.system.theatre.run()

    @rule(picks=st.lists(PICK, min_size=1, max_size=12))
    def go_on(self, picks: list[int]) -> None:
        """Some calls happen, in this order."""
        for pick in picks:
            if self._calls:
                self.system.theatre.decide(self._calls[pick % len(self._calls)], Fate.DONE)

    @precondition(lambda self: self._calls)
    @rule(pick=PICK, turns=st.integers(5, 40))
    def dawdle(self, pick: int, turns: int) -> None:
        """One call takes long, and all others go on beside it, each in its turn."""
        slow = self._calls[pick % len(self._calls)]
        for _ in range(turns):
            others = [call for call in self._calls if call is not slow]
            if others:
                self.system.theatre.decide(others[0], Fate.DONE)

    @precondition(lambda self: self._calls)
    @rule(pick=PICK)
    def kill(self, pick: int) -> None:
        """Whoever stands before this call dies there."""
        self.system.kill(self._calls[pick % len(self._calls)].owner.name)

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0]))
    def pass_time(self, seconds: float) -> None:
        """No request to a PAC outlives its timeout, which is far shorter than an intent's."""
        for call in list(self._calls):
            if call.name in {"send", "look up"} and call in self._calls:
                self.system.theatre.decide(call, Fate.ANSWER_LOST if call.name == "send" else Fate.NOTHING)
        self.system.theatre.advance(seconds)

    @invariant()
    def whoever_has_not_ended_is_due_some_time(self) -> None:
        """The row is the outbox."""
        for row in self.system.tables.uploads.values():
            assert (row.due is None) == (row.state in ENDS)

    @invariant()
    def no_promise_of_the_rows_is_broken(self) -> None:
        """One change for each upload, stage and epoch; no step that there is not."""
        assert not self.system.tables.broken, self.system.tables.broken

    @invariant()
    def each_step_is_made_once(self) -> None:
        """And each end is the only one."""
        assert max(Counter(self.system.tables.steps).values(), default=1) == 1
        ended = Counter(upload for upload, _, to in self.system.tables.steps if to in ENDS)
        assert max(ended.values(), default=1) == 1

    @invariant()
    def the_newest_stored_is_active(self) -> None:
        """Of a party, by order of acceptance."""
        stored = {upload for upload, _, to in self.system.tables.steps if to is State.STORED}
        for party, active in self.system.tables.active.items():
            rows = [self.system.tables.uploads[each] for each in stored]
            assert active.place == max(row.place for row in rows if row.party == party)

    @invariant()
    def no_older_one_comes_to_the_pac_after_a_newer(self) -> None:
        """What a PAC holds is what came last."""
        last: dict[int, int] = {}
        for row in self.system.pac.got:
            assert row.place >= last.get(row.party, 0)
            last[row.party] = row.place

    def teardown(self) -> None:
        """The faults have stopped: everything ends, soon, and the newest good one of each party is the one that is."""
        try:
            self._end_of_faults()
        finally:
            self.system.end()

    def _end_of_faults(self) -> None:
        theatre, tables = self.system.theatre, self.system.tables
        until = theatre.seconds + SOON + (NOTED if self.broker_lost else 0)
        self._exhaust()
        while tables.waiting():
            assert theatre.seconds < until, f"lost: {tables.waiting()}"
            theatre.advance(1.0)
            self._exhaust()
        for upload in tables.uploads.values():
            assert (upload.state is State.REJECTED) == (upload.id in self.system.refused)
        for party in {row.party for row in tables.uploads.values()}:
            good = [row for row in tables.uploads.values() if row.party == party and row.id not in self.system.refused]
            if good:
                newest = max(good, key=lambda row: row.place)
                assert newest.state is State.FORWARDED
                assert tables.active[party] is newest
                assert [row for row in self.system.pac.got if row.party == party][-1] is newest
        assert not ACTIVE & {row.state for row in tables.uploads.values()}

    def _exhaust(self) -> None:
        for _ in range(MOST_CALLS):
            if not self._calls:
                return
            self.system.theatre.decide(self._calls[0], Fate.DONE)
        raise AssertionError("they never rest")


class Faults(Deaths):
    """And everything else that can go wrong."""

    @rule(seconds=st.sampled_from([ATTEMPT + 1, NOTED + 1]))
    def pass_much_time(self, seconds: float) -> None:
        """Leases and the reconciler's time run out."""
        self.pass_time(seconds)

    @precondition(lambda self: self._calls)
    @rule(pick=PICK, fate=st.sampled_from([Fate.NOTHING, Fate.ANSWER_LOST]))
    def fail(self, pick: int, fate: Fate) -> None:
        """One call does not happen, or happens and its answer is lost."""
        self.system.theatre.decide(self._calls[pick % len(self._calls)], fate)

    @rule(stage=st.sampled_from(sorted(Stage)))
    def cut(self, stage: Stage) -> None:
        """A consumer loses its connection; its process goes on."""
        if stage.value in self.system.inboxes:
            self.system.inboxes[stage.value].cut()
            self.system.theatre.run()

    @rule(stage=st.sampled_from(sorted(Stage)), pick=PICK)
    def duplicate(self, stage: Stage, pick: int) -> None:
        """A message comes twice."""
        queue = self.system.broker.queues[stage.value]
        if queue:
            self.system.broker.put(stage.value, queue[pick % len(queue)].body)
            self.system.theatre.run()

    @precondition(lambda self: sum(map(len, self.system.broker.queues.values())) <= MOST_REPEATED)
    @rule()
    def repeat_all(self) -> None:
        """Every message comes twice. There is an end to that, as each time makes them twice as many."""
        for stage, queue in self.system.broker.queues.items():
            for item in list(queue):
                self.system.broker.put(stage, item.body)
        self.system.theatre.run()

    @rule(stage=st.sampled_from(sorted(Stage)))
    def turn_round(self, stage: Stage) -> None:
        """Messages overtake each other."""
        self.system.broker.queues[stage.value].reverse()

    @rule(stage=st.sampled_from(sorted(Stage)))
    def lose(self, stage: Stage) -> None:
        """The broker forgets a queue."""
        self.broker_lost |= bool(self.system.broker.queues[stage.value])
        self.system.broker.lose(stage.value)
