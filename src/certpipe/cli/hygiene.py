"""What a process that holds a password does first."""

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def leave_no_core() -> None:
    """No core file, and (on Linux) no reading of this memory by another process of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
