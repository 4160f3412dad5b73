"""Three RabbitMQ nodes on one host, in one cluster, of which one may be lost."""

import asyncio
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from certpipe.core.clock import SystemClock
from certpipe.development.files import write_private
from certpipe.development.installation import Installation
from certpipe.development.ports import free_ports
from certpipe.development.processes import Daemon, spawn
from certpipe.development.rabbitmq import vhosts_expression

USER = "certpipe"
NAMES = ("one", "two", "three")
_BOOT_SECONDS = 180.0
_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
_CONFIGURATION = """\
listeners.tcp.local = 127.0.0.1:{port}
default_user = certpipe
default_pass = {password}
raft.wal_max_size_bytes = 64000000
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 50MB
cluster_formation.peer_discovery_backend = classic_config
{peers}
"""


class Cluster:
    """Nodes `one`, `two` and `three`, with an epmd of their own. Loopback only."""

    def __init__(self, folder: Path, *, owner: int) -> None:
        self.folder, self._owner = folder.resolve(), owner
        self._installation = Installation()
        self._password = secrets.token_hex(24)
        self._cookie = secrets.token_hex(24)
        self._ports: dict[str, int] = {}
        self._distribution: dict[str, int] = {}
        self._epmd_port = 0
        self._epmd: Daemon | None = None
        self._servers: dict[str, Daemon] = {}

    @property
    def targets(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", self._ports[name]) for name in NAMES]

    def url_for(self, vhost: str) -> str:
        """By the first node that lives."""
        name = next((name for name in NAMES if name in self._servers and self._servers[name].alive), NAMES[0])
        return f"amqp://{USER}:{self._password}@127.0.0.1:{self._ports[name]}/{quote(vhost, safe='')}"

    async def start(self) -> None:
        """Start what does not run, one after the other, and wait until all answer."""
        if self._epmd is None:
            self._draw()
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            command = ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            log = self.folder / "epmd.log"
            self._epmd = spawn(command, env=self._environment(NAMES[0]), log=log, owner=self._owner)
            await self._opened(self._epmd_port, self._epmd)
        for name in NAMES:
            await self.start_node(name)

    async def start_node(self, name: str) -> None:
        """Start one node, unless it runs. Raises `RuntimeError` when it does not come up."""
        if name in self._servers and self._servers[name].alive:
            return
        self._prepare(name)
        command = [str(self._installation.programs / "rabbitmq-server")]
        log = self.folder / name / "start.log"
        daemon = spawn(command, env=self._environment(name), log=log, owner=self._owner)
        self._servers[name] = daemon
        if not await self._opened(self._ports[name], daemon):
            raise RuntimeError(f"node {name} does not start: {log.read_text(errors='replace')[-1000:]}")

    async def stop(self) -> None:
        self.kill()

    def kill(self) -> None:
        """End all of it at once."""
        for name in NAMES:
            self.kill_node(name)
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd = None

    def kill_node(self, name: str) -> None:
        """End one node at once, as the loss of its machine would."""
        if name in self._servers:
            self._servers[name].kill()

    def wipe(self) -> None:
        """End all, and take their disks away."""
        self.kill()
        for name in NAMES:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    async def ctl(self, *words: str) -> str:
        """What `rabbitmqctl` says on the first node that lives. Raises `RuntimeError` when it fails."""
        name = next(name for name in NAMES if self._servers[name].alive)
        process = await asyncio.create_subprocess_exec(
            *(str(self._installation.programs / "rabbitmqctl"), "--quiet", *words),
            env=self._environment(name),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"rabbitmqctl {words[0]}: {said.decode(errors='replace')}")
        return said.decode()

    async def add_vhosts(self, *names: str) -> None:
        await self.ctl("eval", vhosts_expression(USER, names))

    def _draw(self) -> None:
        ports = free_ports(2 * len(NAMES) + 1)
        self._epmd_port = ports.pop()
        for name in NAMES:
            self._ports[name], self._distribution[name] = ports.pop(), ports.pop()

    def _prepare(self, name: str) -> None:
        folder = self.folder / name
        for part in ("home", "log", "data"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        peers = "\n".join(
            f"cluster_formation.classic_config.nodes.{number} = {peer}@localhost"
            for number, peer in enumerate(NAMES, start=1)
        )
        text = _CONFIGURATION.format(port=self._ports[name], password=self._password, peers=peers)
        write_private(folder / "home" / ".erlang.cookie", self._cookie)
        write_private(folder / "rabbitmq.conf", text)
        write_private(folder / "enabled_plugins", "[].")
        write_private(folder / "rabbitmq-env.conf", "")

    async def _opened(self, port: int, daemon: Daemon) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(_BOOT_SECONDS):
                while daemon.alive:
                    with suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        return True
                    await SystemClock().wait(0.1)
        return False

    def _environment(self, name: str) -> dict[str, str]:
        folder = self.folder / name
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"{name}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution[name]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK,
            "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK,
            "RABBITMQ_CTL_DIST_PORT_MIN": "32100",
            "RABBITMQ_CTL_DIST_PORT_MAX": "32700",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "data" / "config"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "data" / "rabbit.pid"),
        }
