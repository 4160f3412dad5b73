"""Which dialects are spoken, and how long their clients wait for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from certpipe.core.clock import Clock
from certpipe.core.ports.dialect import Dialect
from certpipe.ingress.fields import Fields
from schemas.status import State

UNTIL: Mapping[str, frozenset[State]] = {
    State.STORED: frozenset({State.STORED, State.FORWARDED}),
    State.FORWARDED: frozenset({State.FORWARDED}),
}


@dataclass(frozen=True, slots=True)
class Mounted:
    """A dialect as it is spoken here.

    Attributes:
        dialect: the vendor's.
        clock: tells the time that replies quote.
        seconds: how long an answer may wait.
        until: the state that it waits for, `stored` or `forwarded`.
        fields: what the bodies of its uploads hold.
    """

    dialect: Dialect
    clock: Clock
    seconds: float
    until: State
    fields: Fields = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", Fields.of(self.dialect.shape))


def mounted(
    registry: Mapping[str, Dialect], *, clock: Clock, seconds: float, names: str | None = None, until: str = ""
) -> Sequence[Mounted]:
    """The dialects of these `names`, all where that is None. `until`: `name=forwarded,…`, where not the dialect's own.

    Raises `ValueError` with a sentence about what is not known.
    """
    chosen = list(registry) if names is None else _words(names)
    states = dict(_pair(word) for word in _words(until))
    for name in (*chosen, *states):
        if name not in registry:
            raise ValueError(f"there is no dialect `{name}`: there are {', '.join(registry)}")
    for state in states.values():
        if state not in UNTIL:
            raise ValueError(f"no dialect waits for `{state}`: they wait for {' or '.join(UNTIL)}")
    return [
        Mounted(registry[name], clock, seconds, State(states.get(name, registry[name].until)))
        for name in dict.fromkeys(chosen)
    ]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _pair(word: str) -> tuple[str, str]:
    name, equals, state = word.partition("=")
    if not equals:
        raise ValueError(f"`{word}` is not like lummy=forwarded")
    return name.strip(), state.strip()
