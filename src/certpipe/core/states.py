"""The one table of what an upload may become."""

from collections.abc import Mapping
from types import MappingProxyType

from schemas.status import Stage, State

TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.RECEIVED: frozenset({State.VALIDATED, State.REJECTED, State.FAILED, State.SUPERSEDED}),
        State.VALIDATED: frozenset({State.ENCRYPTED, State.REJECTED, State.FAILED, State.SUPERSEDED}),
        State.ENCRYPTED: frozenset({State.STORED, State.REJECTED, State.FAILED, State.SUPERSEDED}),
        State.STORED: frozenset({State.FORWARDED, State.REJECTED, State.FAILED, State.SUPERSEDED}),
        State.FORWARDED: frozenset(),
        State.REJECTED: frozenset(),
        State.FAILED: frozenset(),
        State.SUPERSEDED: frozenset(),
    }
)

WAITS_FOR: Mapping[State, Stage] = MappingProxyType(
    {
        State.RECEIVED: Stage.VALIDATE,
        State.VALIDATED: Stage.ENCRYPT,
        State.ENCRYPTED: Stage.PERSIST,
        State.STORED: Stage.FORWARD,
    }
)

ENDS: frozenset[State] = frozenset(state for state, following in TRANSITIONS.items() if not following)
ACTIVE: frozenset[State] = frozenset(WAITS_FOR)

__all__ = ["ACTIVE", "ENDS", "TRANSITIONS", "WAITS_FOR", "Stage", "State"]
