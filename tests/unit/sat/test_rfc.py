"""The RFC's pattern and check digit."""

import pytest

from certpipe.sat.rfc import has_right_check_digit, is_rfc, normal

GOOD = ["EKU9003173C9", "VADA800927DJ3", "JES900109Q90", "CAÑF770131PA3", "L&O950913MSA", "XEXX010101000"]


@pytest.mark.parametrize("rfc", GOOD)
def test_real_ones_have_the_form_and_the_digit(rfc: str) -> None:
    assert is_rfc(rfc)
    assert has_right_check_digit(rfc)


@pytest.mark.parametrize("rfc", ["AAA010101AAA", "AAAA010101AAA", "XAXX010101000"])
def test_some_in_use_have_a_wrong_digit(rfc: str) -> None:
    assert is_rfc(rfc)
    assert not has_right_check_digit(rfc)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "EKU9003173C",
        "EKU9013173C9",
        "EKU9003323C9",
        "EKU9003173CB",
        "eku9003173c9",
        "EKU9003173C9\n",
        "ÉKU9003173C9",
        "EKU\u0669003173C9",
    ],
)
def test_what_is_none(text: str) -> None:
    assert not is_rfc(text)


def test_they_are_compared_in_upper_case_and_composed() -> None:
    assert normal(" can\u0303f770131pa3\t") == "CAÑF770131PA3"
