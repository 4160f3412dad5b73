"""What `certpipe webhooks ping` advises."""

from datetime import UTC, datetime

import pytest

from certpipe.cli.webhooks.advice import advice
from certpipe.notify.outcomes import OurError
from certpipe.notify.sending import SendError
from schemas.webhooks import AttemptView


def attempt(error: str | None, status: int | None = None) -> AttemptView:
    return AttemptView(at=datetime(2026, 1, 2, tzinfo=UTC), status=status, milliseconds=1, error=error)


@pytest.mark.parametrize("error", [*SendError, *OurError])
def test_whatever_goes_wrong_there_is_something_to_do(error: str) -> None:
    assert advice(attempt(error))


def test_a_status_that_says_more_has_advice_of_its_own() -> None:
    assert advice(attempt("status", 401)) != advice(attempt("status", 500))
    assert "enable" in (advice(attempt("status", 410)) or "")


def test_what_was_taken_needs_none() -> None:
    assert advice(attempt(None, 204)) is None
