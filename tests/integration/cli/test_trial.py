"""`certpipe webhooks test`: receivers that do it well, and receivers that do not."""

import json
from pathlib import Path

import pytest

from schemas.events import Event, EventType
from tests.integration.cli.conftest import Run
from tests.integration.cli.receivers import careful, receiver

SECRET = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
KNOWN = ("--secret-file", "secret")
NAMES = [
    "a signed event is taken",
    "the same event again is taken",
    "a changed byte is refused",
    "an old timestamp is refused",
    "a foreign secret is refused",
    "no signature is refused",
]


@pytest.fixture(autouse=True)
def _secret(files: Path) -> None:
    (files / "secret").write_text(f"{SECRET}\n")


def test_a_receiver_that_verifies_as_the_public_library_does_passes(run: Run) -> None:
    with receiver(careful(SECRET)) as there:
        result = run("webhooks", "test", there.url, *KNOWN, "--type", "upload.rejected")
    assert result.exit_code == 0, result.output
    assert [line[:2] + line[2:31].rstrip() for line in result.stdout.splitlines()] == [f"✓ {name}" for name in NAMES]
    assert SECRET not in result.output
    headers, body = there.deliveries[0]
    assert headers["content-type"] == "application/json"
    assert Event.model_validate_json(body).type is EventType.REJECTED


@pytest.mark.parametrize(
    ("status", "failed"),
    [(204, NAMES[2:]), (401, NAMES[:2]), (500, NAMES), (302, NAMES), (410, NAMES[:2])],
)
def test_a_receiver_that_looks_at_nothing_is_told_what_to_mend(run: Run, status: int, failed: list[str]) -> None:
    with receiver(lambda _headers, _body: status) as there:
        result = run("webhooks", "test", there.url, *KNOWN)
        as_json = run("webhooks", "test", there.url, *KNOWN, "--json")
    assert result.exit_code == as_json.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line[2:31].rstrip() for line in lines if line.startswith("✗")] == failed
    assert len([line for line in lines if line.startswith("  → ")]) == len(failed)
    told = json.loads(as_json.stdout)
    assert told["passed"] is False
    assert [trial["name"] for trial in told["trials"] if trial["hint"]] == failed
    assert {trial["status"] for trial in told["trials"]} == {status}


def test_a_secret_that_is_missing_is_made_and_told_for_the_receiver(run: Run, files: Path) -> None:
    with receiver(lambda _headers, _body: 204) as there:
        result = run("webhooks", "test", there.url)
        assert there.deliveries == []
        secret = (files / ".certpipe" / "webhook.secret").read_text().strip()
        assert result.exit_code == 2
        assert secret in result.stderr
        assert "run this again" in result.stderr
    with receiver(careful(secret)) as there:
        assert run("webhooks", "test", there.url).exit_code == 0


def test_without_a_data_folder_the_secret_must_be_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTPIPE_DATA_DIR", "nowhere")
    result = run("webhooks", "test", "http://127.0.0.1:1/")
    assert result.exit_code == 2
    assert "--secret-file" in result.stderr


def test_a_receiver_that_is_not_there_is_exit_code_3(run: Run) -> None:
    result = run("webhooks", "test", "http://127.0.0.1:1/", *KNOWN)
    assert result.exit_code == 3
    assert "is it running" in result.stderr
