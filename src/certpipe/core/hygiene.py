"""What a process does first: one that holds a password, or has many connections."""

import ctypes
import resource
import sys
from typing import Final

PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4

_MANY: Final = 65_536
"""Where the system sets no limit: not every one takes that for a limit of its own."""


def may_open_many() -> None:
    """Let this process have as many sockets as it may: each listener keeps one, and each receiver that hangs.

    The usual soft limit of 1,024 is there for programs that call `select`, which cannot take more; none here does.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MANY if most == resource.RLIM_INFINITY else most, most))


def leave_no_core() -> None:
    """No core file, and (on Linux) no reading of this memory by another process of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_dumpable() -> bool:
    """Whether this process could leave a core."""
    if sys.platform == "linux":
        return bool(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
    return resource.getrlimit(resource.RLIMIT_CORE)[0] != 0
