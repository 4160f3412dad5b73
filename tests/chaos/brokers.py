"""The brokers that the scenarios run on, behind one face."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import aio_pika
from yarl import URL

from certpipe.broker.declare import apply
from certpipe.broker.topology import QUEUES
from certpipe.development.rabbitmq import PrivateRabbit
from tests.chaos.cluster import Cluster
from tests.chaos.debian import tree
from tests.chaos.proxy import Target


class Node(Protocol):
    """What a scenario may do to RabbitMQ, be it one node or three."""

    @property
    def targets(self) -> list[tuple[str, int]]: ...

    def url_for(self, vhost: str) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def kill(self) -> None: ...

    def wipe(self) -> None: ...

    async def ctl(self, *words: str) -> str: ...

    async def add_vhosts(self, *names: str) -> None: ...


class OneNode(PrivateRabbit):
    """A private node, whose disk can be lost."""

    @property
    def targets(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", self.port)]

    def wipe(self) -> None:
        """Kill it, and take its disk away."""
        self.kill()
        shutil.rmtree(self.folder / "data")


class Broker:
    """One kind of broker, started. `node` is None for the one within the process."""

    def __init__(self, name: str, folder: Path, node: Node | None) -> None:
        self.name, self.folder, self.node = name, folder, node
        self._vhost = ""

    async def fresh(self) -> str | None:
        """The address of a virtual host of a scenario's own, with the topology in it."""
        if self.node is None:
            return None
        await self.node.start()
        self._vhost = f"chaos-{secrets.token_hex(4)}"
        return await self.renew()

    async def renew(self) -> str:
        """The same virtual host again, on a node that lost its disk."""
        assert self.node is not None
        await self.node.add_vhosts(self._vhost)
        await apply(self.url)
        return self.url

    @property
    def url(self) -> str:
        """Without anything between."""
        assert self.node is not None
        return self.node.url_for(self._vhost)

    @property
    def targets(self) -> list[Target]:
        """Where a proxy of the harness leads to."""
        return [] if self.node is None else list(self.node.targets)

    async def waiting(self) -> Mapping[str, int]:
        """How many messages wait in each queue that is not empty."""
        if self.node is None:
            return {}
        async with await aio_pika.connect(self.url, timeout=20) as connection:
            found = {}
            for queue in QUEUES:
                channel = await connection.channel()
                declared = await channel.declare_queue(queue.name, passive=True)
                found[queue.name] = declared.declaration_result.message_count or 0
        return {name: count for name, count in found.items() if count}

    async def close(self) -> None:
        """Stop it, and throw its data away."""
        if self.node is not None:
            self.node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def through(url: str, port: int, **query: int) -> str:
    """The same address, by the proxy that listens on `port`."""
    return str(URL(url).with_port(port).with_host("127.0.0.1").update_query(query))


def _folder(parent: Path | None = None) -> Path:
    return Path(tempfile.mkdtemp(prefix="certpipe-chaos-", dir=parent))


def _in_process() -> Broker:
    return Broker("inprocess", _folder(), None)


def _debian_12() -> Broker:
    folder = _folder()
    return Broker("rabbitmq310", folder, OneNode(folder / "rabbit", owner=os.getpid()))


def _debian_13() -> Broker:
    root = tree()
    folder = _folder(root)
    return Broker("rabbitmq4", folder, OneNode(folder / "rabbit", root=root, owner=os.getpid()))


def _three_nodes() -> Broker:
    folder = _folder()
    return Broker("cluster", folder, Cluster(folder / "rabbit", owner=os.getpid()))


BROKERS: Final[Mapping[str, Callable[[], Broker]]] = {
    "inprocess": _in_process,
    "rabbitmq310": _debian_12,
    "rabbitmq4": _debian_13,
    "cluster": _three_nodes,
}
