"""Where, when and with what a run was made."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from bench.grounds import Grounds

_OURS = ("aio-pika", "aiohttp", "asyncpg", "cryptography")
_PEERS = ("celery", "kombu", "psycopg", "requests", "cryptography")


async def about(grounds: Grounds, command: str, layout: str) -> Mapping[str, str]:
    """One line each, for people."""
    connection = await asyncpg.connect(grounds.postgres.url)
    try:
        settings = ("server_version", "fsync", "synchronous_commit")
        postgres = [await connection.fetchval("SELECT current_setting($1)", name) for name in settings]
    finally:
        await connection.close()
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": f"`{command}`",
        "machine": f"{os.cpu_count()} cores, {processor()}, Linux {platform.release()}",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "PostgreSQL": "{}, fsync {}, synchronous_commit {}".format(*postgres),
        "RabbitMQ": (await grounds.rabbit.ctl("version")).strip(),
        "certpipe": _names(_OURS, [version(name) for name in _OURS]),
        "peer": _names(_PEERS, _versions(grounds.chain_python)),
        "layout of certpipe's processes": layout,
    }


def _names(names: tuple[str, ...], versions: list[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in zip(names, versions, strict=True))


def _versions(python: Path) -> list[str]:
    code = f"from importlib.metadata import version; print(*map(version, {_PEERS!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return done.stdout.split()


def processor() -> str:
    """Its name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), sys.platform)
