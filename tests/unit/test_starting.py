"""How a process ends."""

import pytest

from certpipe import starting
from certpipe.core.errors import Unavailable
from certpipe.starting import RefusedToStart
from certpipe.store.problems import DATABASE_UNAVAILABLE


async def _raises(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("groups", [0, 2])
@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (RefusedToStart("do this"), 2, "certpipe all: do this\n"),
        (Unavailable(DATABASE_UNAVAILABLE), 2, "CERTPIPE_DATABASE_URL"),
        (ValueError("a secret"), 70, "certpipe all: this should not have happened (ValueError at "),
    ],
)
def test_every_end_is_one_line_and_an_exit_code_and_a_defect_quotes_nothing(
    error: Exception,
    code: int,
    told: str,
    groups: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(starting, "leave_no_core", lambda: None)
    raised = error
    for _ in range(groups):
        raised = ExceptionGroup("services", [raised])
    with pytest.raises(SystemExit) as ended:
        starting.run("all", _raises(raised))
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert "secret" not in said
