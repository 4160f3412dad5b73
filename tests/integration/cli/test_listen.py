"""`certpipe listen` against a real HTTP server that streams like the API."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from certpipe.cli.sse import MOST_WAITING
from schemas.event_examples import example
from schemas.events import EventType
from tests.integration.cli.conftest import TOKEN, Run
from tests.integration.cli.fake_api import FakeApi, Reply
from tests.integration.cli.receivers import careful, receiver
from tests.integration.cli.test_terminal import PROGRAM, environment
from tests.unit.cli.samples import ORGANIZATION

STORED, REJECTED, PING = (example(type_) for type_ in (EventType.STORED, EventType.REJECTED, EventType.ENDPOINT_PING))
REFUSED = Reply(401, {"code": "unauthorized", "title": "A token is needed"})


def streamed(*texts: str) -> Reply:
    return Reply(200, "retry: 1\n\n" + "".join(texts), kind="text/event-stream")


def as_sent(*events: object) -> str:
    return "".join(
        f"id: {place}\nevent: {event.type}\ndata: {event.body().decode()}\n\n"  # type: ignore[attr-defined]
        for place, event in enumerate(events, start=7)
    )


ALL = as_sent(STORED, REJECTED, PING)


def test_each_event_is_a_line_and_the_next_stream_begins_after_the_last(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/events", streamed(":\n\n", ALL), REFUSED)
    result = run("listen")
    assert result.exit_code == 2
    assert "--token-file" in result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["certificate.stored", "upload.rejected", "endpoint.ping"]
    assert lines[0].split()[2:] == [str(STORED.data.upload_id), "EKU9003173C9"]
    assert lines[1].split()[2:] == [str(REJECTED.data.upload_id), "EKU9003173C9", "wrong_password"]
    assert lines[2].split()[2:] == [str(PING.data.endpoint_id)]
    assert "Last-Event-ID" not in api.received[0].headers
    assert api.received[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert api.received[1].headers["Last-Event-ID"] == "9"


def test_as_json_each_event_is_a_line_as_it_came(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/events", streamed(ALL), REFUSED)
    lines = run("listen", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines[:3]] == [json.loads(event.body()) for event in (STORED, REJECTED, PING)]
    assert json.loads(lines[3])["code"] == "unauthorized"


def test_only_what_is_wanted_is_asked_for(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/events", streamed(), REFUSED)
    run("listen", "--type", "endpoint.ping", "--type", "upload.rejected", "--organization", str(ORGANIZATION))
    path = f"/v1/events?types=endpoint.ping,upload.rejected&organization_id={ORGANIZATION}"
    assert [one.path for one in api.received] == [path, path]


def test_events_are_forwarded_to_the_byte_and_signed_so_that_the_public_library_takes_them(
    api: FakeApi, run: Run, files: Path
) -> None:
    api.answers("GET /v1/events", streamed(ALL), REFUSED)
    with receiver(lambda _headers, body: 500 if b"rejected" in body else 204) as there:
        result = run("listen", "--forward-to", there.url)
    secret = (files / ".certpipe" / "webhook.secret").read_text().strip()
    assert secret in result.stderr
    assert [body for _, body in there.deliveries] == [event.body() for event in (STORED, REJECTED, PING)]
    for headers, body in there.deliveries:
        Webhook(secret).verify(body, headers)
        assert headers["webhook-id"] == json.loads(body)["id"]
    told = [line.split()[:2] for line in result.stdout.splitlines() if line.startswith("  ")]
    assert told == [["✓", "204"], ["✗", "500"], ["✓", "204"]]


def test_a_receiver_that_is_away_is_told_and_the_listening_goes_on(api: FakeApi, run: Run, files: Path) -> None:
    (files / "secret").write_text("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")
    api.answers("GET /v1/events", streamed(ALL), REFUSED)
    result = run("listen", "--forward-to", "http://127.0.0.1:1/", "--secret-file", "secret", "--json")
    told = [json.loads(line)["forwarded"] for line in result.stdout.splitlines()[:3]]
    assert [each["status"] for each in told] == [None] * 3
    assert told[0]["error"]
    assert "whsec_" not in result.output


def test_a_type_that_this_version_does_not_know_is_told_too_and_no_control_character(api: FakeApi, run: Run) -> None:
    newer = {"id": "evt_1", "type": "certificate.expiring", "data": {"code": "soon\x1b[2J"}}
    api.answers("GET /v1/events", streamed(f"data: {json.dumps(newer)}\n\n"), REFUSED)
    assert run("listen").stdout.split() == ["certificate.expiring", "soon", "[2J"]


@pytest.mark.parametrize(
    "garbage",
    [
        "data: hello\n\n",
        "data: []\n\n",
        "data: {}\n\n",
        'data: {"id": "a", "type": "b"}\n\n',
        'data: {"id": "a\\r\\nX: y", "type": "b", "data": {}}\n\n',
        f"data: {'[' * 100_000}\n\n",
        "x" * (MOST_WAITING + 1),
    ],
)
def test_what_streams_no_events_is_exit_code_3(api: FakeApi, run: Run, garbage: str) -> None:
    api.answers("GET /v1/events", streamed(as_sent(STORED), garbage))
    with receiver(careful("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")) as there:
        result = run("listen", "--forward-to", there.url)
    assert result.exit_code == 3
    assert "no events" in result.stderr
    assert len(there.deliveries) == 1


@pytest.mark.usefixtures("run")
def test_ctrl_c_ends_listening_quietly_with_130(api: FakeApi, files: Path) -> None:
    api.answers("GET /v1/events", streamed(as_sent(STORED)))
    with subprocess.Popen(
        [*PROGRAM, "listen"],
        cwd=files,
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        restore_signals=True,
    ) as program:
        assert program.stdout
        assert program.stderr
        assert "certificate.stored" in program.stdout.readline()
        os.kill(program.pid, signal.SIGINT)
        assert program.wait(60) == 130
        assert program.stderr.read() == f"certpipe: listening at {api.url}; Ctrl-C ends it.\n"
