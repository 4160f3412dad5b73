"""Every row of SAT's published test data gets the verdict that its manifest names."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.sat import private_key
from certpipe.sat.check import Verdict, check
from certpipe.sat.trust import Anchors, Environment
from tests.unit.sat.build import THOROUGH, codes

SAMPLES = Path(__file__).parents[4] / "shared" / "sat-samples"
MANIFEST = SAMPLES / "manifest.csv"
ROWS = list(csv.DictReader(StringIO(MANIFEST.read_text("utf-8")))) if MANIFEST.is_file() else []
NAMES = [f"{number}-{row['case']}-{row['verdict_ignoring_dates']}" for number, row in enumerate(ROWS)]

KIND_UNKNOWN = {"files/emisor-e1fa8f0a.cer", "files/pac-25079c7f.cer"}
"""Of 2010, with a branch and an extended key usage at once."""

Row = dict[str, str]

pytestmark = pytest.mark.skipif(not ROWS, reason="SAT's sample certificates are not beside the checkout")


@pytest.fixture(scope="module")
def packaged() -> Anchors:
    return Anchors.packaged()


def bundle_of(row: Row) -> Bundle:
    certificate, key = (
        (SAMPLES / row[part]).read_bytes() if row[part] else b"" for part in ("certificate", "private_key")
    )
    return Bundle(certificate=certificate, private_key=key, password=row["password"])


def start_of(row: Row) -> datetime:
    return datetime.fromisoformat(row["valid_from"]) if row["valid_from"] else datetime(2024, 1, 1, tzinfo=UTC)


def environment_of(row: Row) -> Environment:
    return Environment.PRODUCTION if row["certificate_number"].startswith("0000") else Environment.UAT


def verdict_at(row: Row, at: datetime, anchors: Anchors) -> Verdict:
    return check(bundle_of(row), anchors=anchors, environment=environment_of(row), at=at)


def expected(row: Row) -> set[str]:
    missing = {"empty_file"} if not row["certificate"] else set()
    if row["case"] == "cert_only":
        return {"empty_file", "missing_field"}
    return (
        missing
        | {
            "valid_pair": set(),
            "valid_cert": set(),
            "key_opens": set(),
            "wrong_password": {"wrong_password"},
            "mismatched_pair": {"key_mismatch"},
            "unencrypted_key": {"key_not_encrypted"},
            "not_sat": {"not_issued_by_sat", "key_too_weak"}
            | ({"kind_unknown"} if row["certificate"] in KIND_UNKNOWN else set()),
        }[row["verdict_ignoring_dates"]]
    )


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_verdict_inside_the_validity_is_the_manifests(row: Row, packaged: Anchors) -> None:
    verdict = verdict_at(row, start_of(row) + timedelta(days=100), packaged)
    assert set(codes(verdict.problems)) == expected(row)
    assert verdict.valid == (row["verdict_ignoring_dates"] == "valid_pair")


@pytest.mark.parametrize("row", [row for row in ROWS if row["certificate"]], ids=lambda row: row["certificate"][6:])
def test_the_facts_are_the_manifests(row: Row, packaged: Anchors) -> None:
    facts = verdict_at(row, start_of(row), packaged).facts
    assert facts.valid_from == datetime.fromisoformat(row["valid_from"])
    assert facts.valid_to == datetime.fromisoformat(row["valid_to"])
    assert facts.number == row["certificate_number"]
    assert facts.legal_name == row["legal_name"]
    assert (facts.branch or "") == row["branch"]
    assert facts.rfc == row["rfc"]
    assert (facts.representative_rfc or "") == row["rfc_representative"]
    assert facts.kind == (None if row["certificate"] in KIND_UNKNOWN else row["kind"])


@pytest.mark.parametrize("row", [row for row in ROWS if row["certificate"]], ids=lambda row: row["certificate"][6:])
def test_one_second_outside_the_validity_is_told(row: Row, packaged: Anchors) -> None:
    second = timedelta(seconds=1)
    start, end = datetime.fromisoformat(row["valid_from"]), datetime.fromisoformat(row["valid_to"])
    early = {"not_yet_valid"} & set(codes(verdict_at(row, start - second, packaged).problems))
    late = {"expired"} & set(codes(verdict_at(row, end + second, packaged).problems))
    assert early == {"not_yet_valid"}
    assert late == {"expired"}
    for bound in (start, end):
        assert not {"not_yet_valid", "expired"} & set(codes(verdict_at(row, bound, packaged).problems))


@pytest.mark.parametrize("row", [row for row in ROWS if row["verdict_ignoring_dates"] == "valid_pair"][::8])
def test_a_test_certificate_is_refused_in_production(row: Row, packaged: Anchors) -> None:
    verdict = check(bundle_of(row), anchors=packaged, environment="production", at=start_of(row))
    assert codes(verdict.problems) == ["wrong_environment"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["certificate_number"].startswith("0000")])
def test_a_production_certificate_is_refused_among_test_ones(row: Row, packaged: Anchors) -> None:
    verdict = check(bundle_of(row), anchors=packaged, environment="uat", at=start_of(row))
    assert "wrong_environment" in codes(verdict.problems)


def test_a_windows_password_opens_the_key_and_is_named(packaged: Anchors) -> None:
    (row,) = (row for row in ROWS if row["password_encoding"] == "windows-1252")
    (warning,) = verdict_at(row, start_of(row), packaged).warnings
    assert "windows-1252" in warning.message_en


OPENING = [row for row in ROWS if row["private_key"] and "it=" in row["key_algorithm"]]


@pytest.mark.parametrize("row", OPENING if THOROUGH else OPENING[::12], ids=lambda row: row["private_key"][6:])
def test_the_proof_is_the_librarys_full_check_on_real_keys(row: Row) -> None:
    der = (SAMPLES / row["private_key"]).read_bytes()
    opened = row["verdict_ignoring_dates"] != "wrong_password"
    password = row["password"].encode(row["password_encoding"])
    if not opened:
        with pytest.raises(ValueError, match="password"):
            load_der_private_key(der, password)
        with pytest.raises(Rejected, match="wrong_password"):
            private_key.unlock(private_key.read(der), row["password"])
        return
    library = load_der_private_key(der, password).public_key()
    assert isinstance(library, RSAPublicKey)
    proved = private_key.numbers(private_key.unlock(private_key.read(der), row["password"]).plain)
    assert (proved.n, proved.e) == (library.public_numbers().n, library.public_numbers().e)
