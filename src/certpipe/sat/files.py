"""Which file is which: the two slots of a bundle, put right where they were swapped, and what is wrong with them."""

from dataclasses import dataclass

from certpipe.core.bundle import Bundle
from certpipe.core.problems import Problem
from certpipe.sat.forms import KEY_FORMS, Form, Found, sniff
from certpipe.sat.problems import CERTIFICATE, PASSWORD, PRIVATE_KEY, problem

_OTHER_TYPES = {
    Form.REQUEST: ".req (solicitud, CSR)",
    Form.PFX: ".pfx/.p12 (PKCS#12)",
    Form.SIGNED_DATA: ".sdg/.ren (PKCS#7)",
    Form.ARCHIVE: ".sdg/.zip",
}
_KEY_HINTS = {
    Form.CERTIFICATE: "Es un certificado; envíe el .key / It is a certificate; send the .key",
    Form.PUBLIC_KEY: "Es una llave pública / It is a public key",
} | {
    form: f"Es un archivo {name}; envíe el .key / It is a {name}; send the .key" for form, name in _OTHER_TYPES.items()
}


@dataclass(frozen=True, slots=True)
class Files:
    """The two files, each in its place. What is wrong with a slot stands in `problems`."""

    certificate: Found
    key: Found
    problems: tuple[Problem, ...]


def sort(bundle: Bundle) -> Files:
    """Sniff both files. Where they are swapped that is a problem, and they are looked at in the right order."""
    problems: list[Problem] = []
    certificate = sniff(bundle.certificate, frozenset({Form.CERTIFICATE}))
    key = sniff(bundle.private_key, KEY_FORMS)
    if certificate.form in KEY_FORMS and key.form is Form.CERTIFICATE:
        problems.append(problem("swapped_files"))
        certificate, key = key, certificate
    problems += _envelope(certificate.form, CERTIFICATE) or _certificate(certificate.form)
    problems += _envelope(key.form, PRIVATE_KEY) or _key(key.form)
    if not bundle.password and key.form not in {Form.PLAIN_PKCS8, Form.PLAIN_KEY}:
        problems.append(problem("missing_field", field=PASSWORD, what_es="la contraseña", what_en="the password"))
    return Files(certificate, key, tuple(problems))


def _envelope(form: Form, field: str) -> list[Problem]:
    codes = {Form.EMPTY: "empty_file", Form.TOO_LARGE: "file_too_large", Form.BROKEN_BASE64: "bad_base64"}
    return [problem(codes[form], field=field)] if form in codes else []


def _certificate(form: Form) -> list[Problem]:
    if form is Form.CERTIFICATE:
        return []
    if form in _OTHER_TYPES:
        return [problem("wrong_file_type", what=_OTHER_TYPES[form])]
    hint = None
    if form in KEY_FORMS:
        hint = "Es una llave privada; envíe el .cer / It is a private key; send the .cer"
    return [problem("cer_unreadable", hint=hint)]


def _key(form: Form) -> list[Problem]:
    if form is Form.ENCRYPTED_KEY:
        return []
    if form in {Form.PLAIN_PKCS8, Form.PLAIN_KEY}:
        return [problem("key_not_encrypted")]
    if form is Form.LEGACY_ENCRYPTED_KEY:
        return [problem("key_alg_unsupported", oid="PEM DEK-Info")]
    return [problem("key_unreadable", hint=_KEY_HINTS.get(form))]
