"""What is stored is read by the versions before the one that wrote it, too: an operator may go back to one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from certpipe.core.problems import INTERNAL
from certpipe.store.documents import acts_of, attempts_of, facts_of, history_of, problems_of, receipts_of, views_of
from schemas.status import HistoryEntry, Stage

AT = "2026-05-06T07:08:09Z"
PROBLEM = INTERNAL.view().model_dump(mode="json")
STEP = {"sequence": 1, "type": "upload.retried", "at": AT, "stage": "validate"}
RECEIPT = {"destination": "sw", "at": AT, "reference": None, "confirmed_by": "answer"}
ACT = {"act": "dropped", "by": "olivia", "at": AT}
ATTEMPT = {"at": AT, "status": 200, "milliseconds": 5}


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (views_of, PROBLEM),
        (problems_of, PROBLEM),
        (history_of, STEP),
        (receipts_of, RECEIPT),
        (acts_of, ACT),
        (attempts_of, ATTEMPT),
    ],
)
def test_members_that_a_newer_version_added_are_passed_over(read: Callable[[str], Any], document: Any) -> None:
    assert read(json.dumps([{**document, "newer": {"more": True}}])) == read(json.dumps([document]))


def test_so_are_those_of_what_a_certificate_says() -> None:
    assert facts_of('{"rfc": "EKU9003173C9", "newer": 1}') == facts_of('{"rfc": "EKU9003173C9"}')


def test_a_stage_that_a_newer_version_added_is_told_as_it_stands_and_a_known_one_is_known() -> None:
    newer, known = history_of(json.dumps([{**STEP, "stage": "weigh"}, STEP]))
    assert (newer.stage, known.stage) == ("weigh", Stage.VALIDATE)
    assert isinstance(known.stage, Stage)
    assert HistoryEntry.model_validate_json(newer.model_dump_json()) == newer
