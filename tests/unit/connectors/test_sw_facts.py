"""Comparing what SW says with what the certificate says."""

import pytest

from certpipe.connectors.sw.facts import number_of, same_number, same_rfc
from schemas.status import CertificateFacts

NUMBER = "30001000000500003415"


@pytest.mark.parametrize("told", [NUMBER, f" {NUMBER} ", NUMBER.encode().hex()])
def test_the_same_number_in_either_writing(told: str) -> None:
    assert same_number(told, NUMBER)


@pytest.mark.parametrize("told", [None, "", int(NUMBER), NUMBER[:-1], NUMBER + "0", NUMBER[1:]])
def test_another_number(told: object) -> None:
    assert not same_number(told, NUMBER)


def test_an_rfc_is_compared_whatever_its_case_and_only_when_it_is_known() -> None:
    assert same_rfc("eku9003173c9 ", "EKU9003173C9")
    assert same_rfc("CAÑF770131PA3", "cañf770131pa3")
    assert same_rfc("anything", None)
    assert not same_rfc("XAXX010101000", "EKU9003173C9")
    assert not same_rfc(None, "EKU9003173C9")


def test_a_certificate_without_a_number_is_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="without a number"):
        number_of(CertificateFacts())
