"""What can go wrong inside, as a closed tree.

    CertpipeError
    ├── Rejected     final: the bundle, or the PAC, says no; somebody must act before it can be tried again
    ├── Unavailable  it did not happen; trying later may help
    │   ├── AccountRefused  nor will it, for anybody, until the operator has mended the account
    │   └── Barred          it was not tried, or failed as it does for everybody now: no attempt of the upload's
    └── Uncertain    it may have happened; look before trying again

Anything else that is raised is a defect: it is retried a few times, then the upload is parked as `failed`, and its
text never leaves the process.
"""

from collections.abc import Sequence

from certpipe.core.problems import Problem
from schemas.status import CertificateFacts


class CertpipeError(Exception):
    """The root. `problems` is never empty; the exception's text holds codes only, so that it may be logged.

    `destination`: which one it was, where it was one.
    """

    destination: str | None = None

    def __init__(self, *problems: Problem) -> None:
        super().__init__(", ".join(problem.code for problem in problems))
        self.problems = problems


class Rejected(CertpipeError):
    """Final. Every fault that was found, at once, and what could be read all the same."""

    def __init__(
        self, *problems: Problem, facts: CertificateFacts | None = None, warnings: Sequence[Problem] = ()
    ) -> None:
        super().__init__(*problems)
        self.facts = facts
        self.warnings = tuple(warnings)


class Unavailable(CertpipeError):
    """It did not happen. `retry_after`: seconds that the other side asked us to wait, where it did."""

    def __init__(self, *problems: Problem, retry_after: float | None = None) -> None:
        super().__init__(*problems)
        self.retry_after = retry_after


class AccountRefused(Unavailable):
    """The other side does not take our account. `at_all`: for nothing, as far as can be told."""

    def __init__(self, *problems: Problem, retry_after: float | None = None, at_all: bool = True) -> None:
        super().__init__(*problems, retry_after=retry_after)
        self.at_all = at_all


class Barred(Unavailable):
    """Come again in `delay` seconds, and count no attempt: the service is left alone, or it was not the turn."""

    def __init__(self, problem: Problem, *, delay: float) -> None:
        super().__init__(problem, retry_after=delay)
        self.delay = delay


class Uncertain(CertpipeError):
    """It may have happened: the answer was lost, or made no sense."""


def place(error: BaseException) -> str:
    """The type of an exception and the last frames it came through: all that may be told of an unknown one.

    Its text may quote what was sent, and is never logged or shown.
    """
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-4:])}"
