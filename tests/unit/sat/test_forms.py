"""Whatever the file was wrapped in, it is recognised, or named for what it is."""

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PublicFormat, pkcs7, pkcs12

from certpipe.core.errors import Rejected
from certpipe.sat.check import Verdict
from certpipe.sat.forms import Form, canonical, sniff
from certpipe.simulators import der
from certpipe.simulators.authority import Issued, encrypted
from tests.unit.sat.build import changed, codes, pem
from tests.unit.sat.conftest import NOW

Check = Callable[..., Verdict]
Wrap = Callable[[bytes, str], bytes]


def one_line(content: bytes, label: str) -> bytes:
    return b"-----BEGIN %s-----%s-----END %s-----" % (label.encode(), b64encode(content), label.encode())


WRAPPINGS: dict[str, Wrap] = {
    "blanks around": lambda content, _: b"\r\n " + content + b"\r\n",
    "mark": lambda content, _: b"\xef\xbb\xbf" + content,
    "pem": lambda content, label: pem(label, content),
    "pem, CRLF": lambda content, label: pem(label, content).replace(b"\n", b"\r\n"),
    "pem, mark": lambda content, label: b"\xef\xbb\xbf" + pem(label, content),
    "pem, UTF-16": lambda content, label: pem(label, content).decode().encode("utf-16"),
    "pem, text before": lambda content, label: b"Bag Attributes\n  friendlyName: x\n" + pem(label, content),
    "pem, one line": one_line,
    "base64": lambda content, _: b64encode(content),
    "base64, wrapped": lambda content, _: b"\n".join(b64encode(content)[at : at + 76] for at in range(0, 4000, 76)),
    "base64 of pem": lambda content, label: b64encode(pem(label, content)),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_wrapped_files_are_the_same_bundle(prove: Check, csd: Issued, wrapping: str) -> None:
    wrap = WRAPPINGS[wrapping]
    wrapped = changed(
        csd.bundle,
        certificate=wrap(csd.bundle.certificate, "CERTIFICATE"),
        private_key=wrap(csd.bundle.private_key, "ENCRYPTED PRIVATE KEY"),
    )
    verdict = prove(wrapped)
    assert codes(verdict.problems) == []
    for found in (verdict.canonical, canonical(wrapped)):
        assert found is not None
        assert found.certificate == csd.bundle.certificate
        assert found.private_key == csd.bundle.private_key


def test_all_in_one_text_serves_both_slots(prove: Check, csd: Issued) -> None:
    both = pem("CERTIFICATE", csd.bundle.certificate) + pem("ENCRYPTED PRIVATE KEY", csd.bundle.private_key)
    assert prove(changed(csd.bundle, certificate=both, private_key=both)).valid


def test_a_chain_of_two_certificates_is_not_one(prove: Check, csd: Issued) -> None:
    chain = pem("CERTIFICATE", csd.bundle.certificate) * 2
    assert codes(prove(changed(csd.bundle, certificate=chain)).problems) == ["cer_unreadable"]


def request() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, SHA256()).public_bytes(Encoding.DER)


def library_certificate() -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.com")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 77, NOW, NOW + timedelta(days=9))
    return builder.sign(key, SHA256()), key


def test_other_file_types_are_named(prove: Check, csd: Issued) -> None:
    made, key = library_certificate()
    others = {
        ".req": request(),
        ".pfx": pkcs12.serialize_key_and_certificates(b"x", key, made, None, NoEncryption()),
        ".sdg/.ren": pkcs7.serialize_certificates([made], Encoding.DER),
        ".zip": b"PK\x03\x04" + b"\0" * 60,
    }
    for name, content in others.items():
        (fault,) = prove(changed(csd.bundle, certificate=content)).problems
        assert fault.code == "wrong_file_type"
        assert name in fault.message_es
        (fault,) = prove(changed(csd.bundle, private_key=content)).problems
        assert fault.code == "key_unreadable"
        assert name in (fault.hint or "")
    assert codes(prove(changed(csd.bundle, certificate=pem("CERTIFICATE REQUEST", request()))).problems) == [
        "wrong_file_type"
    ]


def test_a_certificate_of_a_web_server_is_no_taxpayers(prove: Check, csd: Issued) -> None:
    made, _ = library_certificate()
    found = codes(prove(changed(csd.bundle, certificate=made.public_bytes(Encoding.DER))).problems)
    assert found == [
        "key_mismatch",
        "not_sat_number",
        "not_issued_by_sat",
        "is_ca_or_bad_usage",
        "rfc_missing_or_invalid",
    ]


def test_one_kind_in_both_slots_gets_a_hint(prove: Check, csd: Issued) -> None:
    (fault,) = prove(changed(csd.bundle, private_key=csd.bundle.certificate)).problems
    assert (fault.code, "certificate" in (fault.hint or "")) == ("key_unreadable", True)
    (fault,) = prove(changed(csd.bundle, certificate=csd.bundle.private_key)).problems
    assert (fault.code, "private key" in (fault.hint or "")) == ("cer_unreadable", True)
    public = csd.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    (fault,) = prove(changed(csd.bundle, private_key=public)).problems
    assert (fault.code, "public key" in (fault.hint or "")) == ("key_unreadable", True)


@pytest.mark.parametrize("tail", [b"\0", b"x", b"\x30\x00", b"\n\0"])
def test_anything_after_the_der_is_refused(prove: Check, csd: Issued, tail: bytes) -> None:
    bundle = changed(csd.bundle, certificate=csd.bundle.certificate + tail, private_key=csd.bundle.private_key + tail)
    assert codes(prove(bundle).problems) == ["cer_unreadable", "key_unreadable"]


def test_a_truncated_certificate_is_unreadable_wherever_it_is_cut(prove: Check, csd: Issued) -> None:
    whole = csd.bundle.certificate
    for size in range(1, len(whole), 7):
        assert codes(prove(changed(csd.bundle, certificate=whole[:size])).problems) in (
            ["cer_unreadable"],
            ["empty_file"],
        )


def test_broken_base64_is_named(prove: Check, csd: Issued) -> None:
    good = b64encode(csd.bundle.certificate)
    urlsafe = b"MIIDxz-_" + good[8:]
    for broken in (good[:-1], good[:-5] + b"=" + good[-4:], urlsafe, good + b"="):
        found = prove(changed(csd.bundle, certificate=broken)).problems
        assert [(fault.code, fault.field) for fault in found] == [("bad_base64", "certificate")]


@pytest.mark.parametrize(
    "text",
    [b"this is not a certificate at all", b"<html></html>", b"-----BEGIN CERTIFICATE-----\nMII", b"\x00\x01\x02"],
)
def test_prose_is_unreadable(prove: Check, csd: Issued, text: bytes) -> None:
    assert codes(prove(changed(csd.bundle, certificate=text, private_key=text)).problems) == [
        "cer_unreadable",
        "key_unreadable",
    ]


@pytest.mark.parametrize("given", ["contraseña\r\n", "contrasen\u0303a"])
def test_the_canonical_password_is_the_one_that_opens(csd: Issued, given: str) -> None:
    bundle = changed(csd.bundle, private_key=encrypted(csd.key, "contraseña".encode("cp1252")), password=given)
    assert canonical(bundle).password == "contraseña"


def test_what_was_never_proved_has_no_canonical_form(csd: Issued) -> None:
    for bundle in (changed(csd.bundle, certificate=b"x"), changed(csd.bundle, private_key=b"x")):
        with pytest.raises(Rejected):
            canonical(bundle)


def test_base64_with_stray_bits_is_broken() -> None:
    good = b64encode(der.sequence(der.tlv(0x04, bytes(250))))
    assert good.endswith(b"AA==")
    stray = good[:-3] + b"B=="
    assert sniff(good, frozenset()).form is Form.UNKNOWN
    assert sniff(stray, frozenset()).form is Form.BROKEN_BASE64
