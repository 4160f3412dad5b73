"""Every role in one process, where an upload of a certain party takes down whatever process validates it.

python -m tests.poisoned                          as `python -m workers.all`
python -m tests.poisoned validate --only ID:EPOCH as `python -m workers.validate`, for its quarantine
"""

import os
import signal
import sys

from certpipe import process
from certpipe.core.uploads import Received, Validated
from certpipe.development.up import up
from certpipe.stages.validate import Validate
from certpipe.starting import run
from schemas.messages import UploadRef
from schemas.status import Stage
from workers import encrypt, forward, ingress, notify, persist, sweeper, validate

POISON = "POI010101AB0"
_good = Validate.__call__


async def _deadly(self: Validate, upload: Received) -> Validated:
    if upload.rfc == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return await _good(self, upload)


def _quarantine(stage: Stage, ref: UploadRef) -> list[str]:
    return [sys.executable, "-m", "tests.poisoned", stage, process.ONLY, f"{ref.id}:{ref.epoch}"]


if __name__ == "__main__":
    Validate.__call__ = _deadly  # type: ignore[method-assign] # what a defect in a library would do
    process._quarantine = _quarantine
    if sys.argv[1:]:
        del sys.argv[1]
        process.main("validate", validate.role)
    else:
        others = [validate.role, encrypt.role, persist.role, forward.role, notify.role, sweeper.role]
        run("all", up(ingress.role, others))
