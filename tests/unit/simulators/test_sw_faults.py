"""Which fault strikes which request."""

import pytest
from pydantic import ValidationError

from certpipe.simulators.sw.faults import RULES, Faults


def armed(*rules: dict[str, object]) -> Faults:
    faults = Faults()
    faults.arm(RULES.validate_python(list(rules)))
    return faults


def strikes(faults: Faults, count: int) -> list[bool]:
    return [faults.next("POST", "/certificates/save", "vault") is not None for _ in range(count)]


def test_a_rule_strikes_as_often_as_it_says() -> None:
    faults = armed({"kind": "status", "times": 2})
    assert strikes(faults, 4) == [True, True, False, False]
    assert faults.view()[0]["struck"] == 2


def test_a_rate_is_repeatable_and_about_right() -> None:
    first, second = (strikes(armed({"kind": "html", "rate": 0.25, "seed": 7}), 1_000) for _ in range(2))
    assert first == second
    assert 200 < sum(first) < 300


def test_a_rule_that_fits_no_more_gives_way_to_the_next() -> None:
    faults = armed({"kind": "html", "times": 1}, {"kind": "status", "times": 1})
    kinds = [rule and rule.kind.value for rule in (faults.next("GET", "/", "auth") for _ in range(3))]
    assert kinds == ["html", "status", None]


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({}, True),
        ({"path": "/certificates"}, True),
        ({"path": "/gestion"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"service": "vault"}, True),
        ({"service": "efisco"}, False),
        ({"path": "/certificates", "method": "POST", "service": "auth"}, False),
    ],
)
def test_everything_that_a_rule_names_must_fit(match: dict[str, str], *, hit: bool) -> None:
    assert strikes(armed({"kind": "html", "match": match}), 1) == [hit]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "fire"},
        {"kind": "status", "status": 99},
        {"kind": "delay", "seconds": -1},
        {"kind": "html", "rate": 2},
        {"kind": "html", "times": 0},
        {"kind": "html", "unknown": 1},
        {"kind": "html", "match": {"service": "other"}},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RULES.validate_python([wrong])
