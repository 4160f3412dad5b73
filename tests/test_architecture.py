"""The import contracts hold, and each of them would notice: it is broken in a copy, and must say so."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("src", "workers", "schemas")


def lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Run the import linter on the tree in `folder`."""
    which = [word for contract in contracts for word in ("--contract", contract)]
    program = Path(sys.executable).with_name("lint-imports")
    path = os.pathsep.join([str(folder / "src"), str(folder)])
    return subprocess.run(
        [program, "--no-cache", *which],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's sources, to be spoilt."""
    for tree in TREES:
        shutil.copytree(ROOT / tree, tmp_path / tree, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    [
        ("roots", "schemas/upload.py", "import certpipe.core.errors"),
        ("roots", "src/certpipe/pipeline.py", "import workers.ingress"),
        ("star", "src/certpipe/stages/validate.py", "import certpipe.store"),
        ("star", "src/certpipe/ingress/app.py", "import certpipe.broker"),
        ("star", "src/certpipe/core/errors.py", "import certpipe.sat"),
        ("star", "src/certpipe/utils.py", "NOTHING = None"),
        ("plugins", "src/certpipe/stages/persist.py", "import certpipe.stages.validate"),
        ("processes", "workers/validate.py", "import workers.ingress"),
        ("pure", "src/certpipe/sat/names.py", "import aiohttp"),
        ("pure", "src/certpipe/core/clock.py", "import socket"),
        ("pure", "src/certpipe/dialects/lummy.py", "import aiohttp"),
        ("plugins", "src/certpipe/dialects/lummy.py", "import certpipe.dialects.timbrix"),
        ("star", "src/certpipe/ingress/dialects.py", "import certpipe.dialects"),
        ("amqp", "src/certpipe/runtime/worker.py", "import aio_pika"),
        ("sql", "src/certpipe/ingress/app.py", "import asyncpg"),
        ("logs", "src/certpipe/runtime/worker.py", "import structlog"),
        ("tokens", "src/certpipe/connectors/__init__.py", "import joserfc"),
        ("forms", "src/certpipe/connectors/__init__.py", "import multipart"),
        ("settings", "src/certpipe/store/intake.py", "import certpipe.settings"),
        ("development", "workers/validate.py", "import certpipe.development.identity"),
        ("keyless", "workers/ingress.py", "import certpipe.crypto.opening"),
        ("keyless", "workers/sweeper.py", "import certpipe.connectors"),
        ("acyclic", "src/certpipe/sat/names.py", "import certpipe.sat.trust"),
    ],
)
def test_a_broken_contract_is_noticed(copy: Path, contract: str, file: str, line: str) -> None:
    target = copy / file
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(f"{before}\n{line}\n", encoding="utf-8")
    done = lint(copy, contract)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_only_crypto_uses_the_hpke_module() -> None:
    """The linter knows whole packages of others alone."""
    module = "cryptography.hazmat.primitives.hpke"
    importers = {
        file.relative_to(ROOT / "src" / "certpipe").parts[0]
        for file in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.module == module)
        or (isinstance(node, ast.Import) and any(name.name == module for name in node.names))
    }
    assert importers == {"crypto"}
