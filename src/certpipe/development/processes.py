"""Server processes that outlive the process that started them, and are found again by who comes next."""

import json
import os
import secrets
import select
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from certpipe.core.clock import Clock, SystemClock

_MARK = "CERTPIPE_DAEMON"

# A detached shell: when the owner is gone (or dead and not yet buried), so is the group; when the group is gone, so
# is the shell.
_WATCH = """
lives() { read -r stat <"/proc/$1/stat" && case "${stat##*) }" in [ZX]*) false ;; esac; }
while lives "$1" && kill -0 "-$2"; do sleep 1; done
kill -9 "-$2"
"""


def started(pid: int) -> str | None:
    """When process `pid` began, in the machine's own words, or None when it does not run. With the pid it is unique."""
    stat = _stat(pid)
    return stat[19] if stat else None


def _stat(pid: int) -> list[str] | None:
    """The fields of a live process from its state on (3 in proc(5)); None when it is gone or has only to be buried."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else fields


def _all() -> Iterator[tuple[int, Path]]:
    return ((int(entry.name), entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def working_in(folder: Path) -> list[int]:
    """The live processes whose working folder is `folder`."""
    found = []
    for pid, entry in _all():
        with suppress(OSError):
            if (entry / "cwd").readlink() == folder and started(pid):
                found.append(pid)
    return found


def kill_all(pids: Iterable[int]) -> None:
    """Kill these processes, and return when they are gone (or after ten seconds each)."""
    handles = []
    for pid in pids:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
            signal.pidfd_send_signal(handles[-1], signal.SIGKILL)
    for handle in handles:
        select.select([handle], [], [], 10)
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process of ours, known by its number and the time it began: a reused number is not taken for it.

    `mark` stands in the environment of the process and of all that it started.
    """

    pid: int
    group: int
    started: str
    mark: str
    owner: int | None = None
    owner_started: str | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return started(self.pid) == self.started

    @property
    def stays(self) -> bool:
        """Whether it runs and goes on: without its owner it would end in a moment."""
        return self.alive and (self.owner is None or started(self.owner) == self.owner_started)

    def send(self, signal_number: signal.Signals) -> None:
        """Signal the process alone; nothing when it is gone."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal_number)

    def kill(self) -> None:
        """End at once what is left of its group, also when the process itself has gone; nothing when nothing is."""
        kill_all(self._members())

    def _members(self) -> Iterator[int]:
        for pid, entry in _all():
            stat = _stat(pid)
            if stat is None or int(stat[2]) != self.group:
                continue
            # After a reboot the number of the group may be somebody else's: the mark is not.
            with suppress(OSError):
                if f"{_MARK}={self.mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    yield pid

    async def gone(self, seconds: float, clock: Clock | None = None) -> bool:
        """Wait until it has ended, at most about `seconds`; false when it still runs."""
        clock = clock or SystemClock()
        for _ in range(int(seconds / 0.02)):
            if not self.alive:
                return True
            await clock.wait(0.02)
        return not self.alive

    def dump(self) -> str:
        """As text, for a file."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, file: Path) -> "Daemon | None":
        """What `dump` wrote to `file`; None when there is none, or when it is damaged."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def spawn(command: Sequence[str], *, env: Mapping[str, str], log: Path, owner: int | None = None) -> Daemon:
    """Start `command` in a session of its own, its output appended to `log`; nobody has to wait for it.

    With `owner`, the death of that process ends it too, however that process died.

    Raises:
        RuntimeError: it ended at once; `log` says why.
    """
    mark = secrets.token_hex(8)
    script = '"$@" </dev/null >>"$CERTPIPE_LOG" 2>&1 & echo $!'
    with subprocess.Popen(  # noqa: S603 -- the commands are our own
        ["/bin/sh", "-c", script, "sh", *command],
        env={**env, "CERTPIPE_LOG": str(log), _MARK: mark},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as shell:
        pid = int(shell.communicate()[0])
    began = started(pid)
    if began is None:
        raise RuntimeError(f"{command[0]} ended at once: see {log}")
    daemon = Daemon(pid=pid, group=shell.pid, started=began, mark=mark, owner=owner, owner_started=started(owner or 0))
    if owner is not None:
        _tie(daemon, owner)
    return daemon


def _tie(daemon: Daemon, owner: int) -> None:
    with subprocess.Popen(  # noqa: S603 -- a constant script
        ["/bin/sh", "-c", f"({_WATCH}) >/dev/null 2>&1 </dev/null &", "sh", str(owner), str(daemon.group)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as shell:
        shell.wait()
