"""`certpipe webhooks` against a real HTTP server that answers like the API."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EventType
from schemas.webhooks import (
    AttemptView,
    DeliveryPage,
    DeliveryState,
    DeliveryView,
    DisabledBecause,
    PingView,
    ReplayView,
    WebhookCreated,
    WebhookList,
    WebhookView,
)
from tests.integration.cli.conftest import Run
from tests.integration.cli.fake_api import FakeApi, Reply
from tests.unit.cli.samples import ORGANIZATION, START, UPLOAD

ID = str(UPLOAD)
PATH = f"/v1/webhooks/{ID}"
ADDRESS = "https://erp.example.com/certpipe"
SECRET = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
EVENT_ID = f"evt_{UPLOAD.hex}_4"


def endpoint(**changes: Any) -> dict[str, Any]:
    return {
        "id": UPLOAD,
        "organization_id": ORGANIZATION,
        "url": ADDRESS,
        "types": None,
        "description": "ERP",
        "headers": ("X-Api-Key",),
        "public_key": "whpk_x",
        "enabled": True,
        "created_at": START,
        "updated_at": START,
        **changes,
    }


CREATED = Reply(201, WebhookCreated(**endpoint(), secret=SECRET))
SHOWN = Reply(200, WebhookView(**endpoint()))


def delivery(state: DeliveryState, *attempts: AttemptView, **changes: Any) -> DeliveryView:
    known: dict[str, Any] = {"id": 412, "event_id": EVENT_ID, "type": EventType.STORED, "created_at": START}
    return DeliveryView(**{**known, "state": state, "attempts": attempts, **changes})


def test_an_endpoint_is_added_for_the_only_organization_and_its_secret_is_told(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/organizations", Reply(200, {"items": [{"id": str(ORGANIZATION)}]}))
    api.answers("POST /v1/webhooks", CREATED)
    result = run("webhooks", "add", ADDRESS, "--type", "certificate.stored", "--type", "upload.rejected")
    assert result.exit_code == 0, result.output
    assert SECRET in result.stdout
    assert api.received[-1].document == {
        "organization_id": str(ORGANIZATION),
        "url": ADDRESS,
        "types": ["certificate.stored", "upload.rejected"],
        "description": "",
    }


def test_headers_come_from_a_file_and_the_secret_goes_into_one(api: FakeApi, run: Run, files: Path) -> None:
    (files / "headers").write_text("X-Api-Key:  hunter2 \n\nX-Empty:\nX-Colon: a:b\n")
    api.answers("POST /v1/webhooks", CREATED)
    said = ("--organization", str(ORGANIZATION), "--headers-file", "headers", "--description", "ERP")
    result = run("webhooks", "add", ADDRESS, *said, "--secret-file", "secret")
    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    assert "hunter2" not in result.output
    assert (files / "secret").read_text() == f"{SECRET}\n"
    assert stat.S_IMODE((files / "secret").stat().st_mode) == 0o600
    assert api.received[0].document["headers"] == {"X-Api-Key": "hunter2", "X-Empty": "", "X-Colon": "a:b"}
    as_json = run("webhooks", "add", ADDRESS, *said, "--secret-file", "another", "--json")
    assert json.loads(as_json.stdout)["secret"] is None
    assert json.loads(run("webhooks", "add", ADDRESS, *said, "--json").stdout)["secret"] == SECRET


def test_a_secret_file_that_is_there_is_kept_and_nothing_is_asked(api: FakeApi, run: Run, files: Path) -> None:
    for command in (("add", ADDRESS, "--organization", ID), ("rotate", ID)):
        result = run("webhooks", *command, "--secret-file", "token")
        assert result.exit_code == 2
        assert "exists already" in result.stderr
    assert (files / "token").read_text()
    assert api.received == []


def test_a_refused_endpoint_leaves_no_secret_file(api: FakeApi, run: Run, files: Path) -> None:
    api.answers("POST /v1/webhooks", Reply(409, {"code": "endpoint_exists", "detail": "Ya existe"}))
    result = run("webhooks", "add", ADDRESS, "--organization", ID, "--secret-file", "secret")
    assert result.exit_code == 2
    assert "Ya existe" in result.stderr
    assert "in a moment" not in result.stderr
    assert not (files / "secret").exists()


@pytest.mark.parametrize(("items", "words"), [([], "no organizations"), ([{"id": ID}, {"id": "x"}], f"{ID}, x")])
def test_without_one_organization_it_must_be_named(
    api: FakeApi, run: Run, items: list[dict[str, str]], words: str
) -> None:
    api.answers("GET /v1/organizations", Reply(200, {"items": items}))
    result = run("webhooks", "add", ADDRESS)
    assert result.exit_code == 2
    assert words in result.stderr


def test_endpoints_are_listed_and_shown_with_how_they_stand(api: FakeApi, run: Run) -> None:
    gone = endpoint(enabled=False, disabled_because=DisabledBecause.GONE, types=(EventType.STORED,))
    items = (WebhookView(**endpoint()), WebhookView(**gone), WebhookView(**endpoint(failures=3, failing_since=START)))
    api.answers("GET /v1/webhooks", Reply(200, WebhookList(items=items)))
    api.answers(f"GET /v1/webhooks?organization_id={ORGANIZATION}", Reply(200, WebhookList(items=())))
    lines = run("webhooks", "list").stdout.splitlines()
    assert [line[38:60].strip() for line in lines] == ["✓ enabled", "✗ disabled (gone)", "! failing"]
    assert "certificate.stored" in lines[1]
    assert run("webhooks", "list", "--organization", str(ORGANIZATION)).stdout == "none.\n"
    assert len(json.loads(run("webhooks", "list", "--json").stdout)["items"]) == 3
    api.answers(f"GET {PATH}", Reply(200, items[2]))
    told = run("webhooks", "show", ID).stdout
    for words in ("! failing", ADDRESS, "X-Api-Key", "whpk_x", "2026-01-02 03:04:05 UTC", "every one"):
        assert words in told
    assert json.loads(run("webhooks", "show", ID, "--json").stdout)["failures"] == 3


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (("change", ID, "--address", ADDRESS), {"url": ADDRESS}),
        (("change", ID, "--type", "upload.failed"), {"types": ["upload.failed"]}),
        (("change", ID, "--every-type", "--no-headers"), {"types": None, "headers": {}}),
        (("change", ID, "--description", ""), {"description": ""}),
        (("change", ID, "--headers-file", "headers"), {"headers": {"X-Api-Key": "hunter2"}}),
        (("enable", ID), {"enabled": True}),
        (("disable", ID), {"enabled": False}),
    ],
)
def test_what_is_named_is_changed_and_nothing_else(
    api: FakeApi, run: Run, files: Path, arguments: tuple[str, ...], sent: dict[str, Any]
) -> None:
    (files / "headers").write_text("X-Api-Key: hunter2")
    api.answers(f"PATCH {PATH}", SHOWN)
    result = run("webhooks", *arguments)
    assert result.exit_code == 0, result.output
    assert "✓ enabled" in result.stdout
    assert api.received[-1].document == sent


def test_an_endpoint_is_removed(api: FakeApi, run: Run) -> None:
    api.answers(f"DELETE {PATH}", Reply(204))
    assert run("webhooks", "remove", ID).stdout == f"{ID} is removed.\n"
    assert json.loads(run("webhooks", "remove", ID, "--json").stdout) == {"id": ID, "removed": True}


def test_a_secret_is_rotated_and_the_old_one_revoked(api: FakeApi, run: Run, files: Path) -> None:
    api.answers(f"POST {PATH}/rotate", CREATED)
    api.answers(f"POST {PATH}/revoke", SHOWN)
    assert SECRET in run("webhooks", "rotate", ID).stdout
    assert api.received[-1].document == {"overlap_hours": 24}
    assert run("webhooks", "rotate", ID, "--overlap-hours", "0", "--secret-file", "new").exit_code == 0
    assert api.received[-1].document == {"overlap_hours": 0}
    assert (files / "new").read_text() == f"{SECRET}\n"
    assert run("webhooks", "revoke", ID).exit_code == 0
    assert api.received[-1].document is None


@pytest.mark.parametrize(
    ("state", "attempt", "code", "words"),
    [
        (DeliveryState.DELIVERED, AttemptView(at=START, status=204, milliseconds=12), 0, "✓ taken  204  12 ms"),
        (
            DeliveryState.PENDING,
            AttemptView(at=START, status=500, milliseconds=3, error="status", excerpt="no\x1b[2J"),
            1,
            "✗ not taken  500  status  3 ms\n  no [2J\n  → only 2xx counts",
        ),
        (
            DeliveryState.FAILED,
            AttemptView(at=START, milliseconds=1, error="forbidden_address"),
            1,
            "✗ not taken  forbidden_address  1 ms\n  → the name leads into",
        ),
    ],
)
def test_a_ping_waits_for_its_outcome_in_the_log(
    api: FakeApi, run: Run, state: DeliveryState, attempt: AttemptView, code: int, words: str
) -> None:
    api.answers(f"POST {PATH}/ping", Reply(202, PingView(event_id=EVENT_ID)))
    api.answers(
        f"GET {PATH}/deliveries?event_id={EVENT_ID}",
        Reply(200, DeliveryPage(items=())),
        Reply(200, DeliveryPage(items=(delivery(DeliveryState.PENDING),))),
        Reply(200, DeliveryPage(items=(delivery(state, attempt),))),
    )
    result = run("webhooks", "ping", ID)
    assert result.exit_code == code, result.output
    assert words in result.stdout
    as_json = run("webhooks", "ping", ID, "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["state"]) == (code, state)


def test_a_ping_of_which_nothing_is_known_in_time_is_exit_code_4(api: FakeApi, run: Run) -> None:
    api.answers(f"POST {PATH}/ping", Reply(202, PingView(event_id=EVENT_ID)))
    api.answers(f"GET {PATH}/deliveries", Reply(200, DeliveryPage(items=())))
    api.answers(f"GET {PATH}", SHOWN)
    result = run("webhooks", "ping", ID, "--wait", "0.2")
    assert result.exit_code == 4
    assert f"deliveries {ID}" in result.stderr


def test_a_ping_of_a_paused_endpoint_tells_of_the_pause_and_how_to_end_it(api: FakeApi, run: Run) -> None:
    paused = endpoint(failures=5, failing_since=START, paused_until=START)
    api.answers(f"POST {PATH}/ping", Reply(202, PingView(event_id=EVENT_ID)))
    api.answers(f"GET {PATH}/deliveries", Reply(200, DeliveryPage(items=())))
    api.answers(f"GET {PATH}", Reply(200, WebhookView(**paused)))
    result = run("webhooks", "ping", ID, "--wait", "0.2")
    assert result.exit_code == 4
    assert "failed 5 times on end, and is paused until 2026-01-02 03:04:05 UTC" in result.stderr
    assert f"webhooks enable {ID}" in result.stderr


def test_the_log_tells_each_deliverys_last_attempt_and_what_a_failing_receiver_said(api: FakeApi, run: Run) -> None:
    bad = AttemptView(at=START, status=500, milliseconds=31, error="status", excerpt="<h1>\x1b]0;gotcha\x07oops\n</h1>")
    good = AttemptView(at=START, status=200, milliseconds=12, excerpt="ok")
    late = START.replace(year=2999)
    items = (
        delivery(DeliveryState.PENDING, next_attempt_at=START),
        delivery(DeliveryState.PENDING, bad, bad, next_attempt_at=late),
        delivery(DeliveryState.FAILED, bad),
        delivery(DeliveryState.DELIVERED, bad, good),
    )
    api.answers(f"GET {PATH}/deliveries", Reply(200, DeliveryPage(items=items, next=99)))
    result = run("webhooks", "deliveries", ID, "--state", "failed", "--limit", "4", "--cursor", "500")
    assert result.exit_code == 0, result.output
    assert api.received[-1].path == f"{PATH}/deliveries?state=failed&limit=4&cursor=500"
    lines = result.stdout.splitlines()
    assert lines[0].endswith("0 attempts   due")
    assert lines[1].endswith("2 attempts   500  status  31 ms  next 2999-01-02 03:04:05")
    assert lines[2].strip() == "<h1> ]0;gotcha oops </h1>"
    assert lines[3].endswith("1 attempt    500  status  31 ms")
    assert lines[5].endswith("✓ delivered  certificate.stored       2026-01-02 03:04:05  2 attempts   200  12 ms")
    assert lines[6:] == ["more: add --cursor 99"]
    assert json.loads(run("webhooks", "deliveries", ID, "--json").stdout)["next"] == 99


def test_one_delivery_is_replayed(api: FakeApi, run: Run) -> None:
    api.answers(f"POST {PATH}/deliveries/412/replay", Reply(202, delivery(DeliveryState.PENDING)))
    result = run("webhooks", "replay", ID, "412")
    assert result.exit_code == 0, result.output
    assert "412  … pending" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (("--failed",), {"failed": True}),
        (("--since", "2026-01-02"), {"since": "2026-01-02T00:00:00+00:00"}),
        (
            ("--since", "2026-01-02T03:04-06:00", "--until", "2026-01-03T00:00Z"),
            {"since": "2026-01-02T09:04:00+00:00", "until": "2026-01-03T00:00:00+00:00"},
        ),
    ],
)
def test_many_are_replayed_slice_after_slice(
    api: FakeApi, run: Run, arguments: tuple[str, ...], sent: dict[str, Any]
) -> None:
    slices = (ReplayView(replayed=10_000, next=70_000), ReplayView(replayed=1, next=None))
    api.answers(f"POST {PATH}/replay", *(Reply(202, each) for each in slices))
    result = run("webhooks", "replay", ID, *arguments)
    assert result.stdout == "10001 deliveries will be sent again.\n"
    assert [one.document for one in api.received] == [{**sent, "after": 0}, {**sent, "after": 70_000}]


def test_a_server_that_always_says_the_same_next_does_not_hold_the_command(api: FakeApi, run: Run) -> None:
    api.answers(f"POST {PATH}/replay", Reply(202, ReplayView(replayed=1, next=5)))
    assert json.loads(run("webhooks", "replay", ID, "--failed", "--json").stdout) == {"replayed": 2}
