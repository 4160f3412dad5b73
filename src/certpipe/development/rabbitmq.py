"""A RabbitMQ node of one's own, from the machine's `rabbitmq-server`, with everything it has in one folder."""

import asyncio
import json
import os
import secrets
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from certpipe.core.clock import SystemClock
from certpipe.development.files import write_private
from certpipe.development.installation import Installation
from certpipe.development.ports import free_ports, is_free
from certpipe.development.processes import Daemon, spawn

USER = "certpipe"
_BOOT_SECONDS = 120.0
_STOP_SECONDS = 60.0

# The raft log of quorum queues takes three times its limit in memory, 512 MiB by default.
_CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
raft.wal_max_size_bytes = 64000000
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 50MB
collect_statistics_interval = 60000
log.file.level = info
"""


@dataclass(frozen=True, slots=True)
class _Ports:
    amqp: int
    distribution: int
    epmd: int

    @property
    def free(self) -> bool:
        return is_free(self.amqp) and is_free(self.distribution) and is_free(self.epmd)

    @classmethod
    def draw(cls) -> "_Ports":
        return cls(*free_ports(3))


class PrivateRabbit:
    """One node: own ports (also epmd's), own name, own cookie, loopback only. Shares nothing with another RabbitMQ.

    The node outlives this process, and is found again by the next `PrivateRabbit` on the same folder; with `owner`
    it ends when the process of that number ends. Ports and password stay the same over restarts, unless somebody
    took a port meanwhile.
    """

    def __init__(self, folder: Path, *, root: Path | None = None, owner: int | None = None) -> None:
        self.folder = folder.resolve()
        self._installation = Installation(root)
        self._owner = owner
        self._clock = SystemClock()

    @property
    def port(self) -> int:
        """The port of AMQP, once started."""
        return self._ports.amqp

    @property
    def url(self) -> str:
        """For the administrator, in the virtual host `/`."""
        return self.url_for("/")

    def url_for(self, vhost: str, *, user: str = USER, password: str | None = None) -> str:
        """For `user` (by default the administrator) in `vhost`."""
        word = self._password if password is None else password
        return f"amqp://{user}:{word}@127.0.0.1:{self.port}/{vhost.replace('/', '%2F')}"

    @property
    def running(self) -> bool:
        """Whether the node's process lives. It may not answer yet."""
        server = Daemon.load(self.folder / "server.json")
        return server is not None and server.alive

    async def start(self) -> None:
        """Return when the node answers. Idempotent: a node that runs already is kept, unless its owner has died.

        Raises:
            RuntimeError: RabbitMQ is not installed, or the node ended; the text says what its log says.
        """
        if not self._installation.present:
            raise RuntimeError("RabbitMQ is not installed: apt-get install rabbitmq-server")
        server = Daemon.load(self.folder / "server.json")
        if server and server.stays and await self._answers():
            return
        self.kill()
        for attempt in range(3):
            self._prepare(fresh_ports=attempt > 0)
            if await self._boot():
                return
            self.kill()
        raise RuntimeError(f"RabbitMQ does not start:\n{self._last_words()}")

    async def stop(self) -> None:
        """Stop cleanly; by force after a minute. Idempotent."""
        server = Daemon.load(self.folder / "server.json")
        if server is not None:
            server.send(signal.SIGTERM)
            await server.gone(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the node and its epmd at once, as a crash would. Idempotent; its data stays."""
        for name in ("server", "epmd"):
            daemon = Daemon.load(self.folder / f"{name}.json")
            if daemon is not None:
                daemon.kill()
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    async def ctl(self, *words: str, standard_input: str = "") -> str:
        """What `rabbitmqctl` answers. It takes about a second.

        Raises:
            RuntimeError: it failed; the text is its own.
        """
        program = str(self._installation.programs / "rabbitmqctl")
        process = await asyncio.create_subprocess_exec(
            *self._installation.command(program, "--quiet", *words),
            env=self._environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(standard_input.encode())
        if process.returncode:
            raise RuntimeError(f"rabbitmqctl {words[0]}: {err.decode().strip() or out.decode().strip()}")
        return out.decode()

    async def add_user(
        self,
        name: str,
        password: str,
        tags: Sequence[str] = (),
        permissions: tuple[str, str, str] = (".*", ".*", ".*"),
        *,
        vhost: str = "/",
    ) -> None:
        """Add a user who may configure, write and read in `vhost` what the three patterns match."""
        await self.ctl("add_user", name, standard_input=f"{password}\n")
        if tags:
            await self.ctl("set_user_tags", name, *tags)
        await self.ctl("set_permissions", "-p", vhost, name, *permissions)

    async def add_vhosts(self, *names: str) -> None:
        """Add virtual hosts, for the administrator, in one call (plain names: letters, digits, `-`, `_`)."""
        await self.ctl("eval", vhosts_expression(USER, names))

    @property
    def _ports(self) -> _Ports:
        return _Ports(**json.loads((self.folder / "ports.json").read_text(encoding="utf-8")))

    @property
    def _password(self) -> str:
        return (self.folder / "password").read_text(encoding="utf-8")

    def _prepare(self, *, fresh_ports: bool) -> None:
        for name in (".", "home", "log", "data"):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("password", "home/.erlang.cookie"):
            if not (self.folder / name).exists():
                write_private(self.folder / name, secrets.token_hex(24))
        if fresh_ports or not (self.folder / "ports.json").exists() or not self._ports.free:
            write_private(self.folder / "ports.json", json.dumps(asdict(_Ports.draw())))
        text = _CONFIGURATION.format(port=self._ports.amqp, user=USER, password=self._password)
        write_private(self.folder / "rabbitmq.conf", text)
        for name in ("enabled_plugins", "rabbitmq-env.conf"):
            write_private(self.folder / name, "[]." if name == "enabled_plugins" else "")

    async def _boot(self) -> bool:
        programs, log = self._installation.programs, self.folder / "log" / "start.log"
        # epmd would be started by the node as a process that nobody knows. Ours is known, and ends with the node.
        for name, command in (
            ("epmd", ["epmd", "-address", "127.0.0.1", "-port", str(self._ports.epmd)]),
            ("server", [str(programs / "rabbitmq-server")]),
        ):
            command_here = self._installation.command(*command)
            daemon = spawn(command_here, env=self._environment(), log=log, owner=self._owner)
            write_private(self.folder / f"{name}.json", daemon.dump())
            if name == "epmd":
                await self._opened(self._ports.epmd, daemon, 30)
        return await self._answers()

    async def _answers(self) -> bool:
        server = Daemon.load(self.folder / "server.json")
        return server is not None and await self._opened(self._ports.amqp, server, _BOOT_SECONDS)

    async def _opened(self, port: int, daemon: Daemon, seconds: float) -> bool:
        """Wait until somebody listens on `port`; false when the daemon ended, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while daemon.alive:
                    with suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        await writer.wait_closed()
                        return True
                    await self._clock.wait(0.05)
        return False

    def _last_words(self) -> str:
        words = ""
        for file in sorted((self.folder / "log").glob("*.log")):
            words += file.read_text(encoding="utf-8", errors="replace")[-2_000:]
        return words

    def _environment(self) -> dict[str, str]:
        inside, ports = self._installation.inside, self._ports
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": inside(self.folder / "home"),
            "ERL_EPMD_PORT": str(ports.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "certpipe@localhost",
            "RABBITMQ_DIST_PORT": str(ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # rabbitmqctl listens too. Its ten default ports are few for many test runs on one machine.
            "RABBITMQ_CTL_DIST_PORT_MIN": "32100",
            "RABBITMQ_CTL_DIST_PORT_MAX": "32700",
            "RABBITMQ_CONF_ENV_FILE": inside(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": inside(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": inside(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": inside(self.folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": inside(self.folder / "data" / "config"),
            "RABBITMQ_MNESIA_BASE": inside(self.folder / "data"),
            "RABBITMQ_LOG_BASE": inside(self.folder / "log"),
            "RABBITMQ_PID_FILE": inside(self.folder / "data" / "rabbit.pid"),
        }


def vhosts_expression(user: str, names: Sequence[str]) -> str:
    """What `rabbitmqctl eval` takes to add virtual hosts in which `user` may do everything: a call for each is slow."""
    quoted = ", ".join(f'<<"{name}">>' for name in names)
    rights = ", ".join(['<<".*">>'] * 3)
    grant = f'rabbit_auth_backend_internal:set_permissions(<<"{user}">>, V, {rights}, <<"{user}">>)'
    return f'[begin rabbit_vhost:add(V, <<"{user}">>), {grant} end || V <- [{quoted}]], ok.'
