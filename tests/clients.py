"""The programs that vendors' clients are written for. What is missing is installed where that is allowed."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests import servers

# A file that must be there (a program by its name, or a path), and the package of Debian's that brings it.
PROGRAMS: Mapping[str, str] = {"curl": "curl", "uuidgen": "uuid-runtime"}
NODE: Mapping[str, str] = {"node": "nodejs", "npm": "npm"}
PHP: Mapping[str, str] = {
    "php": "php-cli",
    "/usr/share/php/GuzzleHttp/autoload.php": "php-guzzlehttp-guzzle",
    "/usr/share/php/Ramsey/Uuid/autoload.php": "php-ramsey-uuid",
}
NODE_MODULES = ("axios@1", "form-data@4", "uuid@11", "esbuild@0.28")
SECONDS = 60


def need(wanted: Mapping[str, str], shared_folder: Path) -> None:
    """Install what is missing. Raises `RuntimeError` that says what to install where that does not work."""
    with servers.locked(shared_folder / "install.lock"):
        said = _install(sorted(_missing(wanted))) if _missing(wanted) else ""
    missing = " ".join(sorted(_missing(wanted)))
    if missing:
        raise RuntimeError(f"this test needs: apt-get install {missing}. (Tried to: {said.strip()[-500:]})")


def _missing(wanted: Mapping[str, str]) -> set[str]:
    return {package for file, package in wanted.items() if shutil.which(file) is None and not Path(file).exists()}


def _install(packages: list[str]) -> str:
    may = [] if os.geteuid() == 0 else ["sudo", "-n"]
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    said = ""
    for command in (["apt-get", "update"], install):
        try:
            done = subprocess.run(
                [*may, "env", "DEBIAN_FRONTEND=noninteractive", *command], capture_output=True, text=True, check=False
            )
        except OSError as error:
            return str(error)
        said = done.stderr
    return said


def node_modules(folder: Path, packages: Sequence[str] = NODE_MODULES) -> Path:
    """A folder with the packages that a Node client imports: Lummy's, and what turns its TypeScript into JavaScript."""
    flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--prefix", str(folder)]
    done = subprocess.run(["npm", "install", *flags, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"npm could not install {' '.join(packages)}: {done.stderr.strip()[-500:]}")
    return folder


async def run(*command: str, folder: Path, **environment: str) -> str:
    """What a program prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, out.decode() + err.decode()
    return out.decode()
