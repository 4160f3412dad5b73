"""docker-compose.yml: one service per process, and in each only the secrets and networks of its security context."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from certpipe.broker.connection import HEARTBEAT
from certpipe.broker.migration import QUIET
from certpipe.settings import Settings

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
WORKERS = {path.stem for path in (ROOT / "workers").glob("*.py")} - {"__init__", "all"}
ONCE = {"migrate", "topology"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def secrets_of(service: dict[str, Any]) -> set[str]:
    """What is mounted into a service: named secrets, and folders of keys."""
    folders = {volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith("./")}
    return folders | set(service.get("secrets", []))


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(compose)


def test_docker_compose_reads_it_where_there_is_one() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        return  # the schema above says the same, without variables filled in
    required = re.findall(r"\$\{(\w+):\?\}", FILE.read_text(encoding="utf-8"))
    done = subprocess.run(
        [docker, "compose", "--file", str(FILE), "config", "--quiet"],
        env={"PATH": str(Path(docker).parent), **dict.fromkeys(required, "given")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_is_one_service_per_file_in_workers_and_two_that_prepare(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == WORKERS | ONCE | {"postgres", "rabbitmq"}
    for name in WORKERS:
        assert compose["services"][name]["command"] == ["python", "-m", f"workers.{name}"]


def test_each_role_is_given_the_secrets_of_its_security_context_alone(compose: dict[str, Any]) -> None:
    assert {name: secrets_of(compose["services"][name]) for name in WORKERS | ONCE} == {
        "ingress": {"./secrets/ingress", "jwks"},
        "validate": {"./secrets/validate"},
        "encrypt": {"./secrets/encrypt"},
        "forward": {"./secrets/forward", "sw_password"},
        "notify": {"./secrets/notify"},
        "persist": set(),
        "sweeper": set(),
        "migrate": set(),
        "topology": set(),
    }


def test_keys_are_mounted_read_only(compose: dict[str, Any]) -> None:
    for name in WORKERS:
        for volume in compose["services"][name].get("volumes", []):
            assert volume.endswith(":/keys:ro"), (name, volume)


def test_only_forward_and_notify_reach_out_and_only_the_doors_are_published(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert compose["networks"]["inside"] == {"internal": True}
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {"forward", "notify"}
    assert {name for name, service in services.items() if "doors" in service["networks"]} == {"ingress", "rabbitmq"}
    assert {name for name, service in services.items() if "ports" in service} == {"ingress", "rabbitmq"}
    for name in ("ingress", "rabbitmq"):
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])


def test_our_containers_can_change_nothing_and_gain_nothing(compose: dict[str, Any]) -> None:
    for name in WORKERS | ONCE:
        service = compose["services"][name]
        assert service["image"] == "certpipe:latest"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_worker_that_was_stopped_holds_a_message_when_its_queue_is_deleted(compose: dict[str, Any]) -> None:
    for name in WORKERS:
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) + 2 * HEARTBEAT < QUIET


def test_workers_start_when_the_database_and_the_broker_are_prepared(compose: dict[str, Any]) -> None:
    done = {"condition": "service_completed_successfully"}
    for name in WORKERS:
        assert compose["services"][name]["depends_on"] == {"migrate": done, "topology": done}
    for name in ("postgres", "rabbitmq", "ingress"):
        assert compose["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_every_variable_is_a_setting(compose: dict[str, Any]) -> None:
    known = {f"CERTPIPE_{name.upper()}" for name in Settings.model_fields}
    for name in WORKERS | ONCE:
        assert set(compose["services"][name]["environment"]) <= known
        assert compose["services"][name]["environment"]["CERTPIPE_ENVIRONMENT"] == "production"
