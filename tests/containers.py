"""The tests' servers in containers, where there is Docker. One container serves all workers of a session."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Image:
    """An image, and how its server is asked whether it is there."""

    name: str
    reference: str
    port: int
    url: str
    ready: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)


_WORD = secrets.token_hex(16)

RABBITMQ = Image(
    name="rabbitmq",
    reference="rabbitmq:4",
    port=5672,
    url=f"amqp://certpipe:{_WORD}@{{host}}:{{port}}/",
    ready=("rabbitmqctl", "await_startup", "--timeout", "100"),
    environment={"RABBITMQ_DEFAULT_USER": "certpipe", "RABBITMQ_DEFAULT_PASS": _WORD},
)

POSTGRES = Image(
    name="postgres",
    reference="postgres:18",
    port=5432,
    url=f"postgresql://postgres:{_WORD}@{{host}}:{{port}}/postgres",
    # Over TCP: the server that only initializes the data listens on its socket alone.
    ready=("sh", "-c", "timeout 100 sh -c 'until pg_isready -h 127.0.0.1; do sleep 0.2; done'"),
    environment={"POSTGRES_PASSWORD": _WORD},
)


@dataclass(frozen=True, slots=True)
class Started:
    """A running container."""

    id: str
    url: str = field(repr=False)


def start(image: Image) -> Started | None:
    """Start a container and wait for its server; None where there is no Docker, or no image to be had."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return None
    import docker  # type: ignore[import-untyped] # noqa: PLC0415 -- has no types; slow, and useless without a daemon
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415 -- likewise
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 -- likewise

    # Its own cleaner works for the worker that started the container. Ours works for the session.
    testcontainers_config.ryuk_disabled = True
    try:
        container = DockerContainer(image.reference).with_exposed_ports(image.port)
        for name, value in image.environment.items():
            container = container.with_env(name, value)
        container.start()
    except (docker.errors.DockerException, OSError):
        return None
    wrapped = container.get_wrapped_container()
    execute(wrapped.id, image.ready)
    url = image.url.format(host=container.get_container_host_ip(), port=container.get_exposed_port(image.port))
    return Started(id=wrapped.id, url=url)


def execute(container_id: str, command: Sequence[str]) -> None:
    """Run `command` in the container.

    Raises:
        RuntimeError: it failed.
    """
    import docker  # noqa: PLC0415 -- as above

    code, output = docker.from_env().containers.get(container_id).exec_run(list(command))
    if code:
        raise RuntimeError(f"{command[0]} in a container: {output.decode(errors='replace')}")


def remove(container_id: str) -> None:
    """End a container and forget it."""
    import docker  # noqa: PLC0415 -- as above

    docker.from_env().containers.get(container_id).remove(force=True, v=True)
