"""The languages of the examples, with the libraries that they need. What is missing is installed where the user may."""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
_APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends")


@dataclass(frozen=True)
class Language:
    """How an example is started, what tells whether all it needs is there, and what brings it.

    In a command and in `build`, which is done first, `{port}` and `{folder}` (for what is built) may stand.
    """

    command: tuple[str, ...]
    probe: tuple[str, ...]
    packages: tuple[str, ...] = ()
    library: tuple[str, ...] = ()
    build: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether the language and its library are there."""
        return shutil.which(self.probe[0]) is not None and _run(self.probe) is None


LANGUAGES = {
    "python": Language((sys.executable, "python/producer.py"), (sys.executable, "-c", "import pika")),
    "node": Language(
        ("node", "node/producer.mjs"),
        ("node", "-e", "require('./node/node_modules/amqplib')"),
        packages=("nodejs", "npm"),
        library=("npm", "install", "--prefix", "node", "--no-audit", "--no-fund", "--no-package-lock"),
    ),
    "php": Language(
        ("php", "php/producer.php"),
        ("php", "-r", "exit((int) !@include 'PhpAmqpLib/autoload.php');"),
        packages=("php-cli", "php-amqplib"),
    ),
}
"""Of the producers."""

RECEIVERS = {
    "python": Language((sys.executable, "webhooks/receiver.py", "{port}"), (sys.executable, "-c", "")),
    "node": Language(("node", "webhooks/receiver.mjs", "{port}"), ("node", "-e", ""), packages=("nodejs",)),
    "php": Language(
        ("php", "-S", "127.0.0.1:{port}", "webhooks/receiver.php"),
        ("php", "-r", "exit((int) !function_exists('sodium_crypto_sign_verify_detached'));"),
        packages=("php-cli",),
    ),
    "go": Language(
        ("{folder}/receiver", "{port}"),
        ("go", "version"),
        packages=("golang-go",),
        build=("go", "build", "-o", "{folder}/receiver", "webhooks/receiver.go"),
    ),
    "java": Language(
        ("java", "-cp", "{folder}", "Receiver", "{port}"),
        ("javac", "-version"),
        packages=("default-jdk-headless",),
        build=("javac", "-d", "{folder}", "webhooks/Receiver.java"),
    ),
    # Debian has no .NET SDK. Mono's compiler and class library take the same file.
    "csharp": Language(
        ("mono", "{folder}/Receiver.exe", "{port}"),
        ("mcs", "--version"),
        packages=("mono-mcs", "mono-runtime"),
        build=("mcs", "-warnaserror", "-out:{folder}/Receiver.exe", "webhooks/Receiver.cs"),
    ),
}
"""Of the receivers of webhooks."""


@cache
def fault(language: Language) -> str | None:
    """Why the examples of a language cannot run, after what could be installed was; None when they can."""
    said = None
    with (EXAMPLES / "README.md").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other worker of this test run installs too
        if not language.there and language.library and shutil.which(language.library[0]):
            said = _run(language.library)
        if not language.there and language.packages:
            said = _install(language)
        if language.there:
            return None
    return f"{language.probe[0]} or a library is missing (see examples/README.md) and cannot be installed: {said}"


def _install(language: Language) -> str | None:
    may = () if os.geteuid() == 0 else ("sudo", "-n")
    calm = ("env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive")
    for command in (("apt-get", "update"), (*_APT, *language.packages)):
        if said := _run((*may, *calm, *command)):
            return said
    return _run(language.library) if language.library else None


def _run(command: tuple[str, ...]) -> str | None:
    """What it complains of; None when it went well."""
    try:
        done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip() or f"{command[0]} failed")[-500:]
