"""The catalogue keeps its promises."""

import pytest

from certpipe.sat.problems import CATALOGUE, in_order, problem

CODES = [
    "target_not_found",
    "missing_field",
    "bad_base64",
    "file_too_large",
    "empty_file",
    "swapped_files",
    "wrong_file_type",
    "cer_unreadable",
    "key_too_weak",
    "key_unreadable",
    "key_not_encrypted",
    "key_alg_unsupported",
    "key_kdf_too_costly",
    "wrong_password",
    "key_mismatch",
    "key_roundtrip",
    "not_sat_number",
    "not_issued_by_sat",
    "wrong_environment",
    "is_ca_or_bad_usage",
    "rfc_missing_or_invalid",
    "wrong_kind_fiel",
    "wrong_kind_csd",
    "kind_unknown",
    "rfc_mismatch",
    "not_yet_valid",
    "expired",
    "expiring_soon",
    "older_than_current",
    "revoked",
    "revocation_unknown",
    "not_in_lco",
    "pac_rejected",
    "internal",
]


def test_the_codes_and_their_order_are_a_contract() -> None:
    assert list(CATALOGUE) == CODES


def test_every_fault_speaks_both_languages() -> None:
    for entry in CATALOGUE.values():
        assert entry.message_es
        assert entry.message_en
        assert entry.message_es != entry.message_en


def test_an_unknown_code_or_a_missing_value_is_a_defect() -> None:
    with pytest.raises(KeyError):
        problem("unknown")
    with pytest.raises(KeyError):
        problem("expired")


def test_values_are_not_formatted_again() -> None:
    assert "{evil}" in problem("pac_rejected", why="{evil}").message_en


def test_faults_are_told_in_the_order_of_the_list() -> None:
    shuffled = [problem("kind_unknown"), problem("empty_file"), problem("wrong_password")]
    assert [each.code for each in in_order(shuffled)] == ["empty_file", "wrong_password", "kind_unknown"]
