"""What cannot work is refused at the start: exit code 2, one line with the remedy, no traceback."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from certpipe.crypto.keymaking import init_keys
from certpipe.store.migrate import migrate
from tests import servers

ROOT = Path(__file__).parents[2]
SECONDS_TO_REFUSE = 60


def refusal(role: str, **environment: str) -> str:
    """What `python -m workers.<role>` says when it refuses to start."""
    return refusal_in(ROOT, role, environment)


def refusal_in(root: Path, role: str, environment: Mapping[str, str]) -> str:
    """The same of another tree."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CERTPIPE_")}
    done = subprocess.run(
        [sys.executable, "-m", f"workers.{role}"],
        cwd=root,
        env={**clean, "CERTPIPE_HTTP_PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_REFUSE,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Traceback" not in said
    lines = done.stderr.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith(f"certpipe {role}: ")
    return lines[0]


@pytest.fixture(scope="module")
def migrated(shared_folder: Path) -> Iterator[str]:
    """A database of certpipe's, for the module."""
    with servers.fresh_database_url(shared_folder) as url:
        servers.run(migrate(url))
        yield url


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_HTTP_PORT=port)
    assert port in said
    assert "CERTPIPE_HTTP_PORT" in said


def test_a_data_folder_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("7\n", encoding="ascii")
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path))
    assert "version 7" in said
    assert "CERTPIPE_DATA_DIR" in said


def test_a_folder_with_files_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine", encoding="ascii")
    assert "CERTPIPE_DATA_DIR" in refusal("all", CERTPIPE_DATA_DIR=str(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_production_with_the_development_set_up() -> None:
    assert "workers/" in refusal("all", CERTPIPE_ENVIRONMENT="production")


def test_production_with_what_is_for_development() -> None:
    said = refusal("validate", CERTPIPE_ENVIRONMENT="production", CERTPIPE_EXTRA_ANCHORS="anchors.json")
    assert "CERTPIPE_SAT_ENVIRONMENT" in said
    assert "CERTPIPE_EXTRA_ANCHORS" in said


def test_every_setting_that_cannot_be_is_named_and_no_value_is_shown() -> None:
    wrong = {
        "CERTPIPE_LOG_LEVEL": "LOUD",
        "CERTPIPE_AMQP_URL": "amqp://user:hush-hush@host:port/",
        "CERTPIPE_DATABASE_URL": "postgresql://user:hush-hush@host:port/name",
    }
    said = refusal("all", **wrong)
    assert all(name in said for name in wrong)
    assert "hush-hush" not in said


def test_settings_of_the_wrong_kind_are_named() -> None:
    wrong = {
        "CERTPIPE_HTTP_PORT": "99999",
        "CERTPIPE_RABBITMQ": "remote",
        "CERTPIPE_ENVIRONMENT": "staging",
        "CERTPIPE_BYTES_IN_FLIGHT": "1",
    }
    said = refusal("ingress", **wrong)
    assert all(name in said for name in wrong)


def test_a_worker_of_its_own_without_servers() -> None:
    said = refusal("validate")
    assert "CERTPIPE_DATABASE_URL" in said
    assert "CERTPIPE_AMQP_URL" in said


def test_a_database_that_nobody_serves(tmp_path: Path) -> None:
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_DATABASE_URL="postgresql://u:word@127.0.0.1:1/x")
    assert "CERTPIPE_DATABASE_URL" in said
    assert "word" not in said


def test_a_database_of_somebody_else(tmp_path: Path, database_url: str) -> None:
    servers.run(execute(database_url, "CREATE TABLE invoices (id integer)"))
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_DATABASE_URL=database_url)
    assert "invoices" in said
    assert "CERTPIPE_DATABASE_URL" in said


def test_a_newer_schema(tmp_path: Path, database_url: str) -> None:
    servers.run(migrate(database_url))
    newer = "INSERT INTO certpipe.schema_versions (version, name, checksum) VALUES (9999, 'x', 'x')"
    servers.run(execute(database_url, newer))
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_DATABASE_URL=database_url)
    assert "9999" in said
    assert "install the newer certpipe" in said


def test_a_broker_that_refuses_the_user(tmp_path: Path, migrated: str, amqp_url: str) -> None:
    password = urlsplit(amqp_url).password or ""
    settings = {
        "CERTPIPE_DATA_DIR": str(tmp_path),
        "CERTPIPE_DATABASE_URL": migrated,
        "CERTPIPE_AMQP_URL": amqp_url.replace(password, "not-the-word"),
    }
    for role in ("all", "persist"):  # a worker of its own waits for a broker that is away, but not for this
        said = refusal(role, **settings)
        assert "refuses this user" in said
        assert "not-the-word" not in said


def test_a_broker_on_an_unknown_host(tmp_path: Path, migrated: str) -> None:
    url = "amqp://u:word@certpipe-test.invalid/"
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_DATABASE_URL=migrated, CERTPIPE_AMQP_URL=url)
    assert "RabbitMQ cannot be reached" in said
    assert "CERTPIPE_AMQP_URL" in said
    assert "word" not in said


def test_a_key_file_that_others_may_read(tmp_path: Path, migrated: str) -> None:
    (tmp_path / "VERSION").write_text("1\n", encoding="ascii")
    init_keys(tmp_path / "keys")
    key = next((tmp_path / "keys").glob("intake-*.key"))
    key.chmod(0o644)
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_DATABASE_URL=migrated)
    assert f"chmod 600 {key}" in said


def test_an_issuer_key_that_others_may_read(tmp_path: Path, migrated: str) -> None:
    (tmp_path / "VERSION").write_text("1\n", encoding="ascii")
    key = tmp_path / "identity" / "signing-key.json"
    key.parent.mkdir()
    key.write_text("{}", encoding="ascii")
    key.chmod(0o644)
    said = refusal("all", CERTPIPE_DATA_DIR=str(tmp_path), CERTPIPE_DATABASE_URL=migrated)
    assert f"chmod 600 {key}" in said


def test_a_patience_that_would_outlast_what_others_count_with(tmp_path: Path, migrated: str) -> None:
    folder = {"CERTPIPE_DATA_DIR": str(tmp_path), "CERTPIPE_DATABASE_URL": migrated}
    said = refusal("all", **folder, CERTPIPE_PAC_TIMEOUT_SECONDS="31")
    assert "CERTPIPE_PAC_TIMEOUT_SECONDS" in said
    assert "at the most 30" in said


@pytest.mark.parametrize("content", [None, b"\xff{"], ids=["missing", "damaged"])
def test_anchors_of_the_operator_that_cannot_be_used(tmp_path: Path, migrated: str, content: bytes | None) -> None:
    anchors = tmp_path / "anchors.json"
    if content is not None:
        anchors.write_bytes(content)
    said = refusal(
        "all",
        CERTPIPE_DATA_DIR=str(tmp_path / "data"),
        CERTPIPE_DATABASE_URL=migrated,
        CERTPIPE_EXTRA_ANCHORS=str(anchors),
    )
    assert f"CERTPIPE_EXTRA_ANCHORS ({anchors})" in said


def test_anchors_of_sat_that_are_not_whole(tmp_path: Path, migrated: str) -> None:
    tree = tmp_path / "tree"
    for name in ("src", "workers", "schemas"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "published"))
    anchors = tree / "src" / "certpipe" / "sat" / "anchors.json"
    anchors.write_text(anchors.read_text(encoding="utf-8")[:-100], encoding="utf-8")
    settings = {
        "PYTHONPATH": f"{tree / 'src'}:{tree}",
        "CERTPIPE_DATA_DIR": str(tmp_path / "data"),
        "CERTPIPE_DATABASE_URL": migrated,
    }
    said = refusal_in(tree, "all", settings)
    assert "anchors.json" in said
    assert "reinstall certpipe" in said


def test_an_address_of_the_pac_that_is_none(tmp_path: Path, migrated: str) -> None:
    said = refusal(
        "all",
        CERTPIPE_DATA_DIR=str(tmp_path),
        CERTPIPE_DATABASE_URL=migrated,
        CERTPIPE_SIMULATOR_URL="localhost",
    )
    assert "CERTPIPE_SW_SERVICES_URL" in said


@pytest.mark.parametrize(
    ("left", "remedy"),
    [
        ({"CERTPIPE_SAT_ENVIRONMENT": "uat"}, "CERTPIPE_SAT_ENVIRONMENT=production"),
        ({"CERTPIPE_EXTRA_ANCHORS": "authority.json"}, "unset CERTPIPE_EXTRA_ANCHORS"),
        ({"CERTPIPE_JWKS": "jwks.json"}, "set CERTPIPE_JWT_ISSUER"),
    ],
)
def test_what_is_left_of_development_in_production(left: dict[str, str], remedy: str) -> None:
    said = refusal(
        "validate", **{"CERTPIPE_ENVIRONMENT": "production", "CERTPIPE_SAT_ENVIRONMENT": "production", **left}
    )
    assert remedy in said
