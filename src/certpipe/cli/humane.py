"""Errors of other parts whose text is written for the operator, told as such. Anything else is a defect."""

import sys
from collections.abc import Mapping

from certpipe.cli.failure import CommandError, ExitCode

WRITTEN_FOR_PEOPLE: Mapping[str, str] = {
    "certpipe.store.migrate": "DatabaseRefusedError",
    "certpipe.broker.problems": "TopologyError",
    "certpipe.crypto.keyfiles": "KeyFolderError",
    "certpipe.sat.trust": "AnchorsError",
    "certpipe.starting": "RefusedToStart",
}
"""Module → class. Looked up among what is loaded: what was raised has been imported."""


def humane(error: BaseException) -> CommandError | None:
    """The same as a sentence, or None when its text is not for people."""
    for module, name in WRITTEN_FOR_PEOPLE.items():
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], name)):
            return CommandError(str(error))
    if getattr(error, "title", None) == "Settings":
        return _bad_settings(error)
    if "certpipe.core.errors" in sys.modules:
        return _of_core(error)
    return None


def _bad_settings(error: BaseException) -> CommandError | None:
    """A value of the environment that cannot be: named, never shown."""
    from pydantic import ValidationError  # noqa: PLC0415 - it is loaded already when this is what happened

    if not isinstance(error, ValidationError):
        return None
    faults = (f"\n  CERTPIPE_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
    return CommandError("the environment is not as it must be." + "".join(faults), hint="correct it, or unset it.")


def _of_core(error: BaseException) -> CommandError | None:
    from certpipe.core.errors import CertpipeError, Rejected  # noqa: PLC0415 - likewise

    if not isinstance(error, CertpipeError):
        return None
    lines = [f"{problem.message_es} / {problem.message_en} [{problem.code}]" for problem in error.problems]
    hints = [problem.hint for problem in error.problems if problem.hint]
    hints = hints or ([] if isinstance(error, Rejected) else ["see whether it runs; certpipe doctor looks further."])
    return CommandError(
        "\n  ".join(lines),
        hint=" ".join(hints) or None,
        exit_code=ExitCode.NO if isinstance(error, Rejected) else ExitCode.UNREACHABLE,
    )
