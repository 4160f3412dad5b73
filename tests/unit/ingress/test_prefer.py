"""What of the `Prefer` header is honoured."""

import pytest

from certpipe.ingress.prefer import Preference


@pytest.mark.parametrize(
    ("headers", "seconds", "applied"),
    [
        ([], 0, {}),
        (["wait=10"], 10, {"Preference-Applied": "wait=10"}),
        (['WAIT = "10"; foo=bar'], 10, {"Preference-Applied": "wait=10"}),
        (["wait=1000"], 30, {"Preference-Applied": "wait=30"}),
        (["wait=0"], 0, {"Preference-Applied": "wait=0"}),
        (["respond-async"], 0, {"Preference-Applied": "respond-async"}),
        (["respond-async, wait=5"], 5, {"Preference-Applied": "respond-async, wait=5"}),
        (["respond-async", "wait=5"], 5, {"Preference-Applied": "respond-async, wait=5"}),
        (["wait=5, wait=9"], 5, {"Preference-Applied": "wait=5"}),
        (["return=minimal"], 0, {}),
        (["wait=1e9"], 0, {}),
        (["wait=-1"], 0, {}),
        (["wait=" + "9" * 400], 0, {}),
        (["wait"], 0, {}),
        (["wait=٣"], 0, {}),
        ([",,;="], 0, {}),
    ],
)
def test_a_preference_is_honoured_capped_or_ignored(headers: list[str], seconds: int, applied: dict[str, str]) -> None:
    preference = Preference.of(headers)
    assert (preference.seconds, preference.applied) == (seconds, applied)
