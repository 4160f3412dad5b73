"""`certpipe doctor`, against a server, a database and a broker."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from certpipe.store.migrate import migrate
from tests.integration.cli.conftest import Run
from tests.integration.cli.fake_api import FakeApi, Reply

Findings = dict[str, dict[str, str]]


def healthy(api: FakeApi) -> None:
    api.answers("GET /livez", Reply(200, {"status": "ok"}))
    api.answers("GET /readyz?verbose=1", Reply(200, {"status": "ok", "checks": []}))
    api.answers("GET /v1/organizations", Reply(200, {"items": []}))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certpipe.cli.machine.leave_no_core", lambda: None)
    monkeypatch.setattr("certpipe.cli.machine.is_dumpable", lambda: False)
    for name in ("DATABASE_URL", "AMQP_URL", "DATA_DIR", "KEYS_DIR", "ENVIRONMENT", "LOG_LEVEL", "EXTRA_ANCHORS"):
        monkeypatch.delenv(f"CERTPIPE_{name}", raising=False)


def examine(run: Run, *more: str) -> tuple[int, Findings]:
    result = run("doctor", "--json", *more)
    return result.exit_code, {each["name"]: each for each in json.loads(result.stdout)["findings"]}


def test_a_healthy_server_is_told_to_be_one(api: FakeApi, run: Run) -> None:
    healthy(api)
    _, found = examine(run)
    assert {found[name]["verdict"] for name in ("server", "readiness", "access", "clock")} == {"ok"}
    assert {found[name]["verdict"] for name in ("database", "broker")} == {"skipped"}


def test_everything_wrong_with_a_server_is_told_with_what_helps(api: FakeApi, run: Run) -> None:
    healthy(api)
    yesterday = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    api.answers("GET /livez", Reply(200, {"status": "ok"}, {"Date": yesterday}))
    checks = [{"name": "database", "ok": False, "required": True}]
    api.answers("GET /readyz?verbose=1", Reply(503, {"status": "not ready", "checks": checks}))
    api.answers("GET /v1/organizations", Reply(401, {"code": "unauthorized", "title": "A token is needed"}))
    code, found = examine(run)
    assert code == 1
    assert {found[name]["verdict"] for name in ("readiness", "access", "clock")} == {"wrong"}
    assert "database" in found["readiness"]["found"]
    assert all(found[name]["hint"] for name in ("readiness", "access", "clock"))


def test_a_server_without_something_that_it_can_do_without_is_warned_of(api: FakeApi, run: Run) -> None:
    healthy(api)
    checks = [{"name": "broker", "ok": False, "required": False}]
    api.answers("GET /readyz?verbose=1", Reply(200, {"status": "ok", "checks": checks}))
    assert examine(run)[1]["readiness"]["verdict"] == "warning"


def test_a_server_that_is_not_there_is_wrong_and_the_rest_is_looked_at_all_the_same(run: Run) -> None:
    code, found = examine(run, "--url", "http://127.0.0.1:1")
    assert (code, found["server"]["verdict"]) == (1, "wrong")
    assert found["SAT anchors"]["verdict"] == "ok"


def test_without_any_server_nothing_is_wrong(run: Run, files: Path) -> None:
    (files / ".certpipe" / "dev.json").unlink()
    code, found = examine(run)
    assert (code, found["server"]["verdict"]) == (0, "skipped")


def test_an_address_that_cannot_be_is_wrong(run: Run) -> None:
    code, found = examine(run, "--url", "nowhere")
    assert (code, found["address"]["verdict"]) == (1, "wrong")


def test_for_people_every_finding_is_a_line_and_what_helps_is_below_it(api: FakeApi, run: Run) -> None:
    healthy(api)
    told = run("doctor", "--url", "http://127.0.0.1:1").stdout
    assert "✓ python" in told
    assert "✗ server" in told
    assert "→ is it running there?" in told


def test_a_database_is_told_to_be_empty_ours_or_somebody_elses(
    run: Run, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("CERTPIPE_DATABASE_URL", database_url)
    assert examine(run)[1]["database"]["verdict"] == "wrong"
    assert run("migrate", "--check").exit_code == 1
    first = run("migrate")
    assert first.exit_code == 0
    assert "applied 0001" in first.stdout
    assert json.loads(run("migrate", "--json").stdout)["applied"] == []
    assert run("migrate", "--check").exit_code == 0
    assert examine(run)[1]["database"]["verdict"] == "ok"
    assert asyncio.run(migrate(database_url)) == []


def test_a_broker_is_told_to_lack_the_topology_until_it_is_applied(
    run: Run, monkeypatch: pytest.MonkeyPatch, amqp_url: str
) -> None:
    monkeypatch.setenv("CERTPIPE_AMQP_URL", amqp_url)
    assert examine(run)[1]["broker"]["verdict"] == "wrong"
    assert run("topology", "verify").exit_code == 2
    assert run("topology", "apply").exit_code == 0
    assert run("topology", "apply", "--json").exit_code == 0
    assert run("topology", "verify").exit_code == 0
    assert "no older queues" in run("topology", "migrate").stdout
    assert json.loads(run("topology", "migrate", "--json").stdout)["queues"] == []
    assert examine(run)[1]["broker"]["verdict"] == "ok"


def test_the_topology_is_shown_without_a_server(run: Run) -> None:
    assert "certpipe.dead.v1" in run("topology", "show").stdout
    names = [queue["name"] for queue in json.loads(run("topology", "show", "--json").stdout)["queues"]]
    assert "certpipe.uploads.v1" in names
