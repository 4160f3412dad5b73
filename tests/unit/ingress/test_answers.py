"""How problems look from outside."""

import json
from dataclasses import replace

import pytest

from certpipe.ingress.answers import problem_answer, retry_after
from certpipe.ingress.envelope import BAD_BASE64, missing
from certpipe.ingress.multipart import TOO_LARGE_FOR_THE_WIRE
from schemas.status import ProblemDocument


def test_all_faults_are_told_in_both_languages_under_the_first_code() -> None:
    answer = problem_answer([missing("password"), BAD_BASE64.about("certificate")], instance="urn:uuid:1")
    assert isinstance(answer.body, bytes)
    document = ProblemDocument.model_validate_json(answer.body)
    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert (document.code, document.type) == ("missing_field", "urn:certpipe:problem:missing_field")
    assert document.detail == "Falta la contraseña de la llave; El archivo no es base64 válido"
    assert [(each.code, each.field, each.message_en) for each in document.errors] == [
        ("missing_field", "password", "Missing: the key's password"),
        ("bad_base64", "certificate", "The file is not valid base64"),
    ]
    assert document.instance == "urn:uuid:1"


def test_the_status_is_the_gravest_of_the_faults() -> None:
    assert problem_answer([missing("kind"), TOO_LARGE_FOR_THE_WIRE]).status == 413
    assert problem_answer([missing("kind")], status=503).status == 503


def test_what_is_not_known_is_left_out() -> None:
    answer = problem_answer([replace(missing("kind"), hint=None)])
    assert isinstance(answer.body, bytes)
    assert {"hint", "provider_code"}.isdisjoint(json.loads(answer.body)["errors"][0])


@pytest.mark.parametrize(("seconds", "header"), [(None, "2"), (0, "1"), (0.2, "1"), (4.1, "5")])
def test_retry_after_is_whole_seconds_and_never_none(seconds: float | None, header: str) -> None:
    assert retry_after(seconds) == {"Retry-After": header}
