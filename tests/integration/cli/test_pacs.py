"""`certpipe services`."""

import json

from certpipe.ingress.service_examples import SERVICE_EXAMPLES
from schemas.services import ServiceList, ServiceView
from tests.integration.cli.conftest import Run
from tests.integration.cli.fake_api import FakeApi, Reply

LISTED = SERVICE_EXAMPLES[ServiceList]
CLOSED = SERVICE_EXAMPLES[ServiceView]


def test_the_services_are_listed_with_why_one_is_left_alone_and_how_many_wait(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/services", Reply(body=LISTED))
    result = run("services")
    efisco, vault, why = result.stdout.splitlines()
    assert efisco.split()[:2] == ["efisco", "used"]
    assert "sw-vault      left alone   since 2026-01-15 16:20:00Z  212 waiting  tried again at" in vault
    assert "pac_auth" in why
    assert "CERTPIPE_SW_USER" in why
    assert result.exit_code == 0


def test_before_any_forward_process_ran_there_are_none(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/services", Reply(body=ServiceList(items=())))
    assert "none yet" in run("services").stdout


def test_a_service_is_closed_by_hand(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/services/sw-vault/reset", Reply(body=CLOSED))
    result = run("services", "reset", "sw-vault")
    assert result.stdout.split()[:2] == ["sw-vault", "used"]
    assert [each.method for each in api.received] == ["POST"]


def test_both_as_json_are_what_the_server_said(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/services", Reply(body=LISTED))
    api.answers("POST /v1/services/sw-vault/reset", Reply(body=CLOSED))
    assert json.loads(run("services", "--json").stdout) == json.loads(LISTED.model_dump_json())
    assert json.loads(run("services", "reset", "sw-vault", "--json").stdout) == json.loads(CLOSED.model_dump_json())


def test_a_service_that_is_none_is_a_sentence(run: Run) -> None:
    result = run("services", "reset", "nobody")
    assert result.exit_code == 2
    assert "certpipe:" in result.stderr
