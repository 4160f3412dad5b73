"""What the simulated authority issues looks like SAT's, to our reader and to the library."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certpipe.sat import certificate as certificates
from certpipe.sat import private_key
from certpipe.simulators.authority import PASSWORD, Authority, Subject, new_key
from schemas.base import Kind

NOW = datetime(2025, 6, 15, tzinfo=UTC)
EXTENSIONS = {
    Kind.CSD: {"2.5.29.19": "3000", "2.5.29.15": "030206c0"},
    Kind.FIEL: {
        "2.5.29.19": "3000",
        "2.5.29.15": "030203d8",
        "2.16.840.1.113730.1.1": "030205a0",
        "2.5.29.37": "301406082b0601050507030406082b06010505070302",
    },
}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return new_key()


@pytest.fixture(scope="module")
def authority(key: rsa.RSAPrivateKey) -> Authority:
    return Authority.create(at=NOW, key=key)


@pytest.mark.parametrize("kind", Kind)
def test_extensions_are_sats_byte_for_byte(authority: Authority, key: rsa.RSAPrivateKey, kind: Kind) -> None:
    made = x509.load_der_x509_certificate(authority.issue(kind, key=key).bundle.certificate)
    found = {extension.oid.dotted_string: extension.value.public_bytes().hex() for extension in made.extensions}
    assert found == EXTENSIONS[kind]
    assert [extension.critical for extension in made.extensions] == [True] + [False] * (len(found) - 1)


def test_the_library_verifies_what_it_issues(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    made = x509.load_der_x509_certificate(authority.issue(Kind.FIEL, key=key).bundle.certificate)
    made.verify_directly_issued_by(x509.load_der_x509_certificate(authority.certificate()))


@pytest.mark.parametrize("kind", Kind)
def test_the_subject_has_sats_layout(authority: Authority, key: rsa.RSAPrivateKey, kind: Kind) -> None:
    subject = Subject(representative_rfc="VADA800927DJ3")
    made = x509.load_der_x509_certificate(authority.issue(kind, subject, key=key).bundle.certificate)
    layout = [attribute.oid.dotted_string for attribute in made.subject]
    names, contact = ["2.5.4.3", "2.5.4.41", "2.5.4.10"], ["2.5.4.6", "1.2.840.113549.1.9.1"]
    ids = ["2.5.4.45", "2.5.4.5"]
    assert layout == (names + ids + ["2.5.4.11"] if kind is Kind.CSD else names + contact + ids)
    values = {attribute.oid.dotted_string: attribute.value for attribute in made.subject}
    assert values["2.5.4.45"] == "EKU9003173C9 / VADA800927DJ3"
    assert values["2.5.4.5"] == " / VADA800927HSRSRL05"


def test_an_enye_is_a_latin_byte_in_a_teletex_string(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    issued = authority.issue(Kind.CSD, Subject(rfc="IAÑL750210963", legal_name="LUIS ÑUZCO"), key=key)
    assert b"\x14\x0aLUIS \xd1UZCO" in issued.bundle.certificate
    with pytest.raises(ValueError, match="subject"):
        _ = x509.load_der_x509_certificate(issued.bundle.certificate).subject


def test_the_number_is_20_ascii_digits(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    issued = authority.issue(Kind.CSD, key=key)
    assert certificates.read(issued.bundle.certificate).number == issued.number
    chosen = authority.issue(Kind.CSD, key=key, number="30001000000500009999")
    assert chosen.number == "30001000000500009999"


def test_the_key_is_encrypted_as_sat_does(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    der = authority.issue(Kind.CSD, key=key).bundle.private_key
    found = private_key.read(der)
    assert (found.prf.name, found.iterations, len(found.salt)) == ("sha1", 2048, 8)
    assert found.salt == bytes.fromhex("0201000282010100")
    library = load_der_private_key(der, PASSWORD.encode())
    assert library.public_key() == key.public_key()


def test_dates_can_be_chosen_and_are_now_by_default(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    usual = certificates.read(authority.issue(Kind.CSD, key=key).bundle.certificate)
    assert usual.not_before < NOW - timedelta(days=300) < NOW + timedelta(days=900) < usual.not_after
    start, end = NOW + timedelta(days=1), NOW + timedelta(days=2)
    chosen = certificates.read(authority.issue(Kind.CSD, key=key, valid_from=start, valid_to=end).bundle.certificate)
    assert (chosen.not_before, chosen.not_after) == (start, end)
