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
        # By an operator's replay alone, from the stage that failed.
        State.FAILED: frozenset({State.RECEIVED, State.VALIDATED, State.ENCRYPTED, State.STORED}),
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

ACTIVE: frozenset[State] = frozenset(WAITS_FOR)
ENDS: frozenset[State] = frozenset(TRANSITIONS) - ACTIVE

__all__ = ["ACTIVE", "ENDS", "TRANSITIONS", "WAITS_FOR", "Stage", "State"]
