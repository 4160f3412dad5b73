"""Switchable faults: rules that are asked, in their order, before each request is served."""

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class FaultKind(StrEnum):
    """What goes wrong.

    `status`: that status with an error envelope. `delay`: `seconds` later, then as usual. `hang`: no answer, for
    `seconds` or until the client leaves; nothing is stored. `cut_before_storing` and `cut_after_storing`: the
    connection is cut in place of the answer. `html`: a page of a proxy, nothing is stored. `wrong_token`: 401, as if
    the token were unknown. `malformed`: stored, but the answer is broken JSON.
    """

    STATUS = "status"
    DELAY = "delay"
    HANG = "hang"
    CUT_BEFORE_STORING = "cut_before_storing"
    CUT_AFTER_STORING = "cut_after_storing"
    HTML = "html"
    WRONG_TOKEN = "wrong_token"  # noqa: S105 - the name of a fault
    MALFORMED = "malformed"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Strict):
    """Which requests. Whatever is left out matches all; `path` is a prefix."""

    path: str | None = None
    method: str | None = None
    service: Literal["auth", "vault", "efisco"] | None = None

    def fits(self, method: str, path: str, service: str) -> bool:
        """Whether the request is meant."""
        return (
            (self.path is None or path.startswith(self.path))
            and (self.method is None or method == self.method.upper())
            and (self.service is None or service == self.service)
        )


class Rule(_Strict):
    """One fault: `times` it strikes (for ever if left out), with the probability `rate` (drawn from `seed`)."""

    match: Match = Match()
    kind: FaultKind
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    retry_after: Annotated[str | int, Field(union_mode="left_to_right")] | None = None
    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    times: Annotated[int, Field(ge=1)] | None = None
    rate: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: int = 0


RULES: TypeAdapter[list[Rule]] = TypeAdapter(list[Rule])


class _Armed:
    """A rule, how often it struck, and its own chance."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.struck = 0
        self._chance = random.Random(rule.seed)  # noqa: S311 - a repeatable fault, not a secret

    def strikes(self) -> bool:
        rule = self.rule
        if rule.times is not None and self.struck >= rule.times:
            return False
        if rule.rate is not None and self._chance.random() >= rule.rate:
            return False
        self.struck += 1
        return True


class Faults:
    """The rules in force. The first that fits and strikes wins."""

    def __init__(self) -> None:
        self._armed: tuple[_Armed, ...] = ()

    def arm(self, rules: Sequence[Rule]) -> None:
        """Put these rules in the place of all others; counts begin again."""
        self._armed = tuple(_Armed(rule) for rule in rules)

    def next(self, method: str, path: str, service: str) -> Rule | None:
        """The fault that this request is to suffer."""
        for armed in self._armed:
            if armed.rule.match.fits(method, path, service) and armed.strikes():
                return armed.rule
        return None

    def view(self) -> list[dict[str, Any]]:
        """The rules and how often each struck."""
        return [
            armed.rule.model_dump(mode="json", exclude_defaults=True) | {"struck": armed.struck}
            for armed in self._armed
        ]
