"""The whole check: every rule has its code, and every fault is told at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certpipe.core.bundle import Bundle
from certpipe.sat import rsa_proof
from certpipe.sat.check import Verdict
from certpipe.sat.trust import Anchors
from certpipe.simulators import der
from certpipe.simulators.authority import Authority, Issued, Subject, encrypted
from schemas.base import Kind
from tests.unit.sat import build
from tests.unit.sat.build import BASIC, CSD_USAGE, changed, codes, public_half
from tests.unit.sat.conftest import NOW

Check = Callable[..., Verdict]
YEAR = timedelta(days=365)


def test_a_good_pair_is_valid_and_canonical(prove: Check, csd: Issued, fiel: Issued) -> None:
    for issued, kind in ((csd, Kind.CSD), (fiel, Kind.FIEL)):
        verdict = prove(issued.bundle, kind=kind, rfc="eku9003173c9 ")
        assert verdict.valid
        assert (verdict.problems, verdict.warnings) == ((), ())
        assert verdict.canonical is not None
        assert verdict.canonical.certificate == issued.bundle.certificate
        assert verdict.canonical.private_key == issued.bundle.private_key
        assert verdict.canonical.password == issued.bundle.password


def test_the_facts_are_read(prove: Check, csd: Issued) -> None:
    facts = prove(csd.bundle).facts
    assert facts.number == csd.number
    assert (facts.rfc, facts.representative_rfc) == ("EKU9003173C9", "VADA800927DJ3")
    assert (facts.legal_name, facts.branch) == ("ESCUELA KEMPER URGATE SA DE CV", "Sucursal 1")
    assert (facts.kind, facts.environment, facts.issuer) == (Kind.CSD, "uat", "AC SIMULADA DE CERTPIPE")
    assert facts.sha256 is not None
    assert len(facts.sha256) == 64


def test_all_faults_are_told_at_once_in_the_order_of_the_list(prove: Check, csd: Issued) -> None:
    verdict = prove(
        changed(csd.bundle, password="wrong"),
        kind=Kind.FIEL,
        rfc="XAXX010101000",
        environment="production",
        at=NOW + 9 * YEAR,
    )
    expected = ["wrong_password", "wrong_environment", "wrong_kind_csd", "rfc_mismatch", "expired"]
    assert codes(verdict.problems) == expected
    assert all(fault.message_es and fault.message_en and fault.field for fault in verdict.problems)


def test_a_fault_of_the_certificate_does_not_hide_one_of_the_key(prove: Check, csd: Issued) -> None:
    verdict = prove(changed(csd.bundle, certificate=b"\x30\x03abc", password="wrong"))
    assert codes(verdict.problems) == ["cer_unreadable", "wrong_password"]


def test_nothing_at_all_is_told_part_by_part(prove: Check) -> None:
    verdict = prove(Bundle(certificate=b"", private_key=b" \n", password=""))
    assert [(fault.code, fault.field) for fault in verdict.problems] == [
        ("missing_field", "password"), ("empty_file", "certificate"), ("empty_file", "private_key")
    ]  # fmt: skip


def test_files_over_64_kib_are_too_large(prove: Check, csd: Issued) -> None:
    large = b"x" * (64 * 1024 + 1)
    verdict = prove(changed(csd.bundle, certificate=large, private_key=large))
    assert codes(verdict.problems) == ["file_too_large", "file_too_large"]


def test_swapped_files_are_told_and_looked_at_all_the_same(prove: Check, csd: Issued) -> None:
    swapped = changed(csd.bundle, certificate=csd.bundle.private_key, private_key=csd.bundle.certificate)
    verdict = prove(swapped, kind=Kind.FIEL)
    assert codes(verdict.problems) == ["swapped_files", "wrong_kind_csd"]
    assert verdict.facts.number == csd.number


def test_the_key_of_another_certificate_does_not_match(prove: Check, csd: Issued, fiel: Issued) -> None:
    verdict = prove(changed(fiel.bundle, private_key=csd.bundle.private_key))
    assert codes(verdict.problems) == ["key_mismatch"]


def test_the_representatives_rfc_gets_a_hint(prove: Check, csd: Issued) -> None:
    (fault,) = prove(csd.bundle, rfc="VADA800927DJ3").problems
    assert fault.code == "rfc_mismatch"
    assert "EKU9003173C9" in fault.message_es
    assert "VADA800927DJ3" in fault.message_es
    assert "representative" in (fault.hint or "")
    (other,) = prove(csd.bundle, rfc="XAXX010101000").problems
    assert other.hint is None


def test_a_wanted_rfc_that_is_none_is_not_echoed(prove: Check, csd: Issued) -> None:
    (fault,) = prove(csd.bundle, rfc="<script>" * 100).problems
    assert fault.code == "rfc_mismatch"
    assert "script" not in fault.message_es + fault.message_en


def test_both_bounds_belong_to_the_validity(prove: Check, csd: Issued) -> None:
    facts = prove(csd.bundle).facts
    assert facts.valid_from is not None
    assert facts.valid_to is not None
    second = timedelta(seconds=1)
    assert prove(csd.bundle, at=facts.valid_from).valid
    assert prove(csd.bundle, at=facts.valid_to).valid
    assert codes(prove(csd.bundle, at=facts.valid_from - second).problems) == ["not_yet_valid"]
    (expired,) = prove(csd.bundle, at=facts.valid_to + second).problems
    assert f"{facts.valid_to:%Y-%m-%d}" in expired.message_es


def test_an_instant_without_an_offset_is_utc(prove: Check, csd: Issued) -> None:
    end = prove(csd.bundle).facts.valid_to
    assert end is not None
    assert prove(csd.bundle, at=end.replace(tzinfo=None)).valid


@pytest.mark.parametrize(
    ("left", "warnings"), [(timedelta(days=30), ["expiring_soon"]), (timedelta(days=30, seconds=1), [])]
)
def test_the_last_thirty_days_are_warned_of(prove: Check, csd: Issued, left: timedelta, warnings: list[str]) -> None:
    end = prove(csd.bundle).facts.valid_to
    assert end is not None
    verdict = prove(csd.bundle, at=end - left)
    assert verdict.valid
    assert codes(verdict.warnings) == warnings


def test_a_wrong_check_digit_is_only_a_warning(prove: Check, authority: Authority, csd: Issued) -> None:
    verdict = prove(authority.issue(Kind.CSD, Subject(rfc="AAA010101AAA"), key=csd.key).bundle)
    assert verdict.valid
    assert codes(verdict.warnings) == ["rfc_missing_or_invalid"]


@pytest.mark.parametrize(
    ("password", "given", "told"),
    [
        ("contraseña".encode("cp1252"), "contraseña", "as windows-1252"),
        ("contraseña".encode("cp1252"), "contrasen\u0303a", "as windows-1252"),
        ("contraseña".encode(), "contrasen\u0303a", "as NFC"),
        (b"12345678a", "12345678a\r\n", "without its trailing line break"),
        ("contraseña".encode("cp1252"), "contraseña\n", "without its trailing line break, as windows-1252"),
    ],
)
def test_another_reading_of_the_password_is_taken_and_told(
    prove: Check, csd: Issued, password: bytes, given: str, told: str
) -> None:
    verdict = prove(changed(csd.bundle, private_key=encrypted(csd.key, password), password=given))
    (warning,) = verdict.warnings
    assert verdict.valid
    assert told in warning.message_en
    assert verdict.canonical is not None
    assert verdict.canonical.password == given.replace("n\u0303", "ñ").rstrip("\r\n")


@pytest.mark.parametrize(
    "given", ["12345678A", " 12345678a", "12345678a ", "\n12345678a", "\0", "\ud800", "😀" * 300, "%s{}", "a" * 10**6]
)
def test_no_other_liberty_is_taken_with_the_password(prove: Check, csd: Issued, given: str) -> None:
    assert codes(prove(changed(csd.bundle, password=given)).problems) == ["wrong_password"]


def test_names_with_enye_are_read(prove: Check, authority: Authority, csd: Issued) -> None:
    subject = Subject(
        rfc="IAÑL750210963", legal_name="LUIS IAN ÑUZCO", branch="Peña & Cía_1 ", curp="IANL750210HSRNZS09"
    )
    verdict = prove(authority.issue(Kind.CSD, subject, key=csd.key).bundle, rfc="ian\u0303l750210963")
    assert verdict.valid
    assert (verdict.facts.legal_name, verdict.facts.branch) == ("LUIS IAN ÑUZCO", "Peña & Cía_1 ")


def test_a_production_pair_is_kept_apart_from_test_ones(prove: Check, csd: Issued) -> None:
    production = Authority.create(at=NOW, key=csd.key, environment="production")
    both = Anchors.packaged().with_extra([production.anchor()])
    bundle = production.issue(Kind.CSD, key=csd.key).bundle
    assert prove(bundle, anchors=both, environment="production").valid
    assert codes(prove(bundle, anchors=both, environment="uat").problems) == ["wrong_environment"]


def test_a_self_made_authority_of_the_same_name_is_not_sat(prove: Check, csd: Issued) -> None:
    forger = Authority.create(at=NOW, key=csd.key)
    assert codes(prove(forger.issue(Kind.CSD, key=csd.key).bundle).problems) == ["not_issued_by_sat"]


def test_an_authority_cannot_issue_outside_its_life(prove: Check, authority: Authority, csd: Issued) -> None:
    early = authority.issue(Kind.CSD, key=csd.key, valid_from=authority.not_before - YEAR, valid_to=NOW + YEAR)
    assert codes(prove(early.bundle).problems) == ["not_issued_by_sat"]


def forged(prove: Check, authority: Authority, csd: Issued, **parts: object) -> list[str]:
    """The codes for a certificate with these odd parts, which the authority signed all the same."""
    made = build.certificate(authority, **({"key": public_half(csd.key)} | parts))  # type: ignore[arg-type] # a test's
    return codes(prove(changed(csd.bundle, certificate=made)).problems)


def test_the_certificate_made_by_hand_is_good_but_for_what_a_test_changes(
    prove: Check, authority: Authority, csd: Issued
) -> None:
    assert forged(prove, authority, csd) == []


@pytest.mark.parametrize(
    "hashing", [("1.2.840.113549.1.1.5", hashes.SHA1()), ("1.2.840.113549.1.1.4", hashes.MD5())]  # noqa: S303 - refused
)  # fmt: skip
def test_broken_hashes_prove_nothing(prove: Check, authority: Authority, csd: Issued, hashing: object) -> None:
    assert forged(prove, authority, csd, hashing=hashing) == ["not_issued_by_sat"]


@pytest.mark.parametrize("serial", [b"\x01", b"3000100000050000341", b"3000100000050000341x", b"\x80" * 20, b"0" * 21])
def test_a_serial_that_is_not_20_digits_is_not_sats(
    prove: Check, authority: Authority, csd: Issued, serial: bytes
) -> None:
    assert forged(prove, authority, csd, serial=serial) == ["not_sat_number"]


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        (BASIC,),
        (build.extension("2.5.29.19", der.sequence(b"\x01\x01\xff")), CSD_USAGE),
        (BASIC, build.extension("2.5.29.15", der.bits(b"\x06", 1))),
        (BASIC, build.extension("2.5.29.15", der.bits(b"\xc6", 1))),
        (BASIC, CSD_USAGE, build.extension("2.5.29.37", der.sequence(der.oid("1.3.6.1.5.5.7.3.9")))),
        (BASIC, CSD_USAGE, build.extension("1.2.3.4", b"", critical=True)),
    ],
    ids=["none", "no usage", "authority", "signs certificates", "signs both", "responder", "unknown critical"],
)
def test_what_is_not_a_taxpayers(
    prove: Check, authority: Authority, csd: Issued, extensions: tuple[bytes, ...]
) -> None:
    assert forged(prove, authority, csd, extensions=extensions) == ["is_ca_or_bad_usage"]


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        ("PACEKU9003173C9", ["is_ca_or_bad_usage"]),
        ("MEGAPAC EKU9003173C9", ["is_ca_or_bad_usage"]),
        ("PACHUCA", []),
        ("PAC", []),
        ("MEGAPACAS", []),
    ],
)
def test_a_pacs_own_certificate_is_not_a_taxpayers_but_pachuca_is(
    prove: Check, authority: Authority, csd: Issued, branch: str, expected: list[str]
) -> None:
    found = codes(prove(authority.issue(Kind.CSD, Subject(branch=branch), key=csd.key).bundle).problems)
    assert found == expected


def test_signals_that_disagree_are_an_unknown_kind(prove: Check, authority: Authority, csd: Issued) -> None:
    fiels_name = Subject().encoded(Kind.FIEL)
    assert forged(prove, authority, csd, subject=fiels_name) == ["kind_unknown"]
    usage = build.extension("2.5.29.15", der.bits(b"\xd8", 3))
    assert forged(prove, authority, csd, extensions=(BASIC, usage)) == ["kind_unknown"]


@pytest.mark.parametrize(
    ("kind", "wanted", "code"), [(Kind.FIEL, Kind.CSD, "wrong_kind_fiel"), (Kind.CSD, Kind.FIEL, "wrong_kind_csd")]
)
def test_the_wrong_kind_is_named(prove: Check, csd: Issued, fiel: Issued, kind: Kind, wanted: Kind, code: str) -> None:
    issued = fiel if kind is Kind.FIEL else csd
    assert codes(prove(issued.bundle, kind=wanted).problems) == [code]


def name_with(*identifiers: tuple[str, str]) -> bytes:
    return der.name(
        ("2.5.4.3", der.text("ALGUIEN")),
        *((oid, der.text(text)) for oid, text in identifiers),
        ("2.5.4.11", der.text("Uno")),
    )


@pytest.mark.parametrize(
    "subject",
    [
        name_with(),
        name_with(("2.5.4.5", "EKU9003173C9")),
        name_with(("2.5.4.45", "EKU900317")),
        name_with(("2.5.4.45", " / VADA800927DJ3")),
        name_with(("2.5.4.45", "EKU9013173C9")),
        name_with(("2.5.4.45", "EKU9003173C9"), ("2.5.4.45", "AAA010101AAA")),
    ],
    ids=["none", "wrong attribute", "short", "representative only", "month 13", "two"],
)
def test_a_certificate_without_one_valid_rfc(prove: Check, authority: Authority, csd: Issued, subject: bytes) -> None:
    assert forged(prove, authority, csd, subject=subject) == ["rfc_missing_or_invalid"]


def test_a_curp_in_the_second_half_is_no_representative(prove: Check, authority: Authority, csd: Issued) -> None:
    made = build.certificate(
        authority, key=public_half(csd.key), subject=name_with(("2.5.4.45", "EKU9003173C9 / VADA800927HSRSRL05"))
    )
    facts = prove(changed(csd.bundle, certificate=made)).facts
    assert (facts.rfc, facts.representative_rfc) == ("EKU9003173C9", None)


def test_weak_and_foreign_keys_are_too_weak(prove: Check, authority: Authority, csd: Issued) -> None:
    small = public_half(rsa.generate_private_key(65537, 1024))  # noqa: S505 - to be refused
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    curve_key = curve.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    modulus = csd.key.public_key().public_numbers().n
    assert forged(prove, authority, csd, key=small) == ["key_too_weak", "key_mismatch"]
    assert forged(prove, authority, csd, key=curve_key) == ["key_too_weak"]
    for odd in (build.spki(modulus, 1), build.spki(-modulus, 65537), build.spki(modulus - 1, 65537)):
        assert forged(prove, authority, csd, key=odd) == ["key_too_weak", "key_mismatch"]
    assert forged(prove, authority, csd, key=build.spki(2**16383 + 1, 65537)) == ["key_too_weak"]


def test_dates_after_2050_are_read(prove: Check, authority: Authority, csd: Issued) -> None:
    dates = der.sequence(der.utc_time(authority.not_before), der.tlv(0x18, b"99991231235959Z"))
    made = build.certificate(authority, key=public_half(csd.key), dates=dates)
    verdict = prove(changed(csd.bundle, certificate=made))
    assert verdict.valid
    assert verdict.facts.valid_to == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_text_that_would_forge_a_log_line_is_defused(prove: Check, authority: Authority, csd: Issued) -> None:
    subject = der.name(
        ("2.5.4.3", der.utf8("A\n2026 ERROR \u202eB")),
        ("2.5.4.45", der.text("EKU9003173C9")),
        ("2.5.4.11", der.text("Uno")),
    )
    made = build.certificate(authority, key=public_half(csd.key), subject=subject)
    assert prove(changed(csd.bundle, certificate=made)).facts.legal_name == "A\ufffd2026 ERROR \ufffdB"


def test_no_fault_echoes_the_password(prove: Check, csd: Issued) -> None:
    verdict = prove(changed(csd.bundle, password="hunter2hunter2"))
    assert "hunter2" not in repr(verdict)


def test_a_failed_self_test_is_told(monkeypatch: pytest.MonkeyPatch, prove: Check, csd: Issued) -> None:
    monkeypatch.setattr(rsa_proof, "signs", lambda _numbers: False)
    assert codes(prove(csd.bundle).problems) == ["key_roundtrip"]
    assert prove(csd.bundle, self_test=False).valid


def test_two_different_signature_algorithms_are_unreadable(prove: Check, csd: Issued) -> None:
    outer = csd.bundle.certificate.rindex(bytes.fromhex("2a864886f70d01010b"))
    odd = bytearray(csd.bundle.certificate)
    odd[outer + 8] = 0x0C
    assert codes(prove(changed(csd.bundle, certificate=bytes(odd))).problems) == ["cer_unreadable"]


def test_an_attribute_with_a_tail_is_unreadable(prove: Check, authority: Authority, csd: Issued) -> None:
    odd = der.sequence(der.tlv(0x31, der.sequence(der.oid("2.5.4.3"), der.text("A"), der.null())))
    assert forged(prove, authority, csd, subject=odd) == ["cer_unreadable"]
