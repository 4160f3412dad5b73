"""How several faults become one status and one line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from certpipe.core import telling
from certpipe.core.errors import Rejected
from certpipe.core.problems import INTERNAL, Problem
from schemas.status import Actor

BAD = Problem("bad", "malo", "bad", field="cerFile")
INVALID = Problem("invalid", "inválido", "invalid", status=422)
MISSING = Problem("missing", "no está", "not there", status=404)


@pytest.mark.parametrize(
    ("problems", "status", "decided_by"),
    [
        ([BAD], 400, BAD),
        ([INVALID], 422, INVALID),
        ([INVALID, BAD], 400, BAD),
        ([BAD, MISSING], 404, MISSING),
        ([BAD, INTERNAL], 500, INTERNAL),
        ([], 500, INTERNAL),
    ],
)
def test_the_gravest_fault_decides(problems: list[Problem], status: int, decided_by: Problem) -> None:
    assert telling.verdict(problems) == (status, decided_by)


@pytest.mark.parametrize(("status", "told"), [(408, 400), (413, 400), (415, 400), (200, 400), (405, 405), (409, 409)])
def test_other_statuses_of_the_submitter_become_one_that_vendors_know(status: int, told: int) -> None:
    assert telling.verdict([replace(BAD, status=status)])[0] == told


@pytest.mark.parametrize(
    ("actor", "status", "told"),
    [(Actor.PROVIDER, 202, 503), (Actor.OPERATOR, 400, 500), (Actor.OPERATOR, 503, 503), (Actor.PROVIDER, 500, 500)],
)
def test_what_the_submitter_cannot_mend_is_never_a_4xx(actor: Actor, status: int, told: int) -> None:
    assert telling.verdict([replace(BAD, actor=actor, status=status)])[0] == told


def test_all_faults_are_told_in_one_line_with_the_pac_in_its_own_words() -> None:
    refused = replace(INVALID, provider_code="306", provider_message="No es un CSD")
    assert telling.spanish([BAD, refused]) == "cerFile: malo; inválido: 306 No es un CSD"
    assert telling.english([BAD, refused]) == "cerFile: bad; invalid: 306 No es un CSD"


def test_times_are_written_as_javascript_writes_them() -> None:
    at = datetime(2026, 11, 30, 18, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=-6)))
    assert telling.instant(at) == "2026-12-01T00:30:00.999Z"
    assert telling.instant(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"
    assert telling.instant(None) is None


@pytest.mark.parametrize("key", ["x", "a b", "~" * 255])
def test_a_printable_key_is_taken(key: str) -> None:
    assert telling.idempotency_key({"idempotency-key": key}) == key


@pytest.mark.parametrize("key", ["", " ", " a", "a ", "ñ", "a\tb", "a" * 256])
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(Rejected) as refused:
        telling.idempotency_key({"idempotency-key": key})
    assert refused.value.problems[0].field == "Idempotency-Key"


def test_no_key_is_no_fault() -> None:
    assert telling.idempotency_key({}) is None


def test_a_body_is_readable_utf_8_whatever_it_quotes() -> None:
    assert telling.body({"a": "contraseña"}) == '{"a": "contraseña"}'.encode()
    assert telling.body({"a": "\ud800"}) == b'{"a": "?"}'
