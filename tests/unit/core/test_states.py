from certpipe.core.states import ACTIVE, ENDS, TRANSITIONS, WAITS_FOR, Stage, State


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_a_state_is_an_end_or_waits_for_exactly_one_stage() -> None:
    assert set(State) == ENDS | ACTIVE
    assert not ENDS & ACTIVE
    assert sorted(WAITS_FOR.values()) == sorted(Stage)


def test_every_active_state_can_be_refused_parked_and_superseded() -> None:
    for state in ACTIVE:
        assert {State.REJECTED, State.FAILED, State.SUPERSEDED} < TRANSITIONS[state]
