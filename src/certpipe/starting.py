"""How a process begins and ends for its operator: what it refuses to start with, and how it says so."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from typing import Final, TypeVar

from pydantic import ValidationError

from certpipe.broker.problems import BROKER_REFUSED, BROKER_UNAVAILABLE, TopologyError
from certpipe.core.errors import Unavailable, place
from certpipe.core.hygiene import leave_no_core
from certpipe.crypto.keyfiles import KeyFolderError
from certpipe.observability import configure
from certpipe.sat.trust import AnchorsError
from certpipe.settings import Settings
from certpipe.store.migrate import DatabaseRefusedError

Refusal = TypeVar("Refusal", bound=Exception)


class RefusedToStart(Exception):  # noqa: N818 - it is what the operator reads
    """Something is not as it must be. The text says what, and what to do."""


REFUSALS: Final = (RefusedToStart, DatabaseRefusedError, TopologyError, KeyFolderError, AnchorsError)
"""What is wrong at the start in a way that the operator can mend. Their texts say how."""


def read_settings() -> Settings:
    """The settings, or `RefusedToStart` with the names of those that cannot be."""
    try:
        settings = Settings()
    except ValidationError as wrong:
        told = [
            f"CERTPIPE_{str(error['loc'][0]).upper()}: {error['msg']}" for error in wrong.errors(include_input=False)
        ]
        raise RefusedToStart("; ".join(told)) from None
    if faults := list(settings.faults()):
        raise RefusedToStart("; ".join(faults))
    return settings


def configured(role: str) -> Settings:
    """The settings of a process that is no development one, and its log. Raises `RefusedToStart`."""
    settings = read_settings()
    if left := list(settings.left_of_development()):
        raise RefusedToStart("CERTPIPE_ENVIRONMENT is production, but " + "; ".join(left))
    configure(role=role, level=settings.log_level)
    return settings


def run(role: str, life: Coroutine[None, None, None]) -> None:
    """Run to the end; what the operator can mend is told in one line, with exit code 2, and a defect with 70."""
    leave_no_core()
    code = 0
    # The exits come after: some releases of Python wrap what is raised within `except*` in a group of its own.
    try:
        asyncio.run(life)
    except* REFUSALS as refusals:
        sys.stderr.write("".join(f"certpipe {role}: {no}\n" for no in _flat(refusals)))
        code = 2
    except* Unavailable as aways:
        sys.stderr.write("".join(f"certpipe {role}: {_told(away)}\n" for away in _flat(aways)))
        code = 2
    except* Exception as defects:  # noqa: BLE001 - no traceback: the text of an unknown error may quote anything
        told = (f"certpipe {role}: this should not have happened ({place(error)})\n" for error in _flat(defects))
        sys.stderr.write("".join(told))
        code = 70
    if code:
        sys.exit(code)


def _flat(group: BaseExceptionGroup[Refusal]) -> Iterator[Refusal]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flat(error)
        else:
            yield error


def _told(away: Unavailable) -> str:
    """What is away, in one line, with what to do."""
    problem = away.problems[0]
    broker = problem.code in {BROKER_UNAVAILABLE.code, BROKER_REFUSED.code}
    name, setting = ("RabbitMQ", "CERTPIPE_AMQP_URL") if broker else ("PostgreSQL", "CERTPIPE_DATABASE_URL")
    remedy = problem.hint or f"See whether {name} runs there"
    return f"the server at {setting} cannot be used. {remedy}; `certpipe doctor` tells more"
