"""The catalogue: every fault of a bundle, in the order in which it is told.

A code is a promise: it never changes its meaning. A warning carries the code of the rule that it softens
(`rfc_missing_or_invalid` for a check digit, `wrong_password` for a password that opened only in another form).
"""

from collections.abc import Mapping
from types import MappingProxyType

from certpipe.core.problems import INTERNAL, TARGET_NOT_FOUND, Problem
from schemas.status import Actor

CERTIFICATE = "certificate"
PRIVATE_KEY = "private_key"
PASSWORD = "password"  # noqa: S105 - the name of a field, not a password

_ENTRIES = (
    # The envelope.
    TARGET_NOT_FOUND,
    Problem("missing_field", "Falta {what_es}", "Missing: {what_en}"),
    Problem("bad_base64", "El archivo no es base64 válido", "The file is not valid base64"),
    Problem(
        "file_too_large",
        "El archivo excede el tamaño permitido (un .cer/.key del SAT pesa < 3 KB)",
        "The file is too large (SAT's .cer and .key are under 3 KB)",
    ),
    Problem("empty_file", "El archivo está vacío", "The file is empty"),
    # The certificate can be read.
    Problem(
        "swapped_files",
        "Parece que los archivos .cer y .key están invertidos",
        "The .cer and the .key look swapped",
        field=CERTIFICATE,
        hint="Envíe cada archivo en su lugar / Send each file in its place",
    ),
    Problem(
        "wrong_file_type",
        "El archivo no es un certificado: es {what}",
        "The file is not a certificate: it is {what}",
        field=CERTIFICATE,
        hint="Envíe el archivo .cer que entregó el SAT / Send the .cer file that SAT issued",
    ),
    Problem(
        "cer_unreadable",
        "No se pudo leer el certificado (.cer); está dañado o incompleto",
        "The certificate (.cer) cannot be read; it is damaged or incomplete",
        field=CERTIFICATE,
        hint="Descárguelo de nuevo del SAT y envíelo tal cual / Download it from SAT again and send it as it is",
    ),
    Problem(
        "key_too_weak",
        "La llave es menor a 2048 bits o no es RSA",
        "The key is under 2048 bits or not RSA",
        field=CERTIFICATE,
        status=422,
    ),
    # The private key.
    Problem(
        "key_unreadable",
        "No se pudo leer la llave privada (.key)",
        "The private key (.key) cannot be read",
        field=PRIVATE_KEY,
        hint="Envíe tal cual el archivo .key que generó con el certificado"
        " / Send the .key file that was made with the certificate, as it is",
    ),
    Problem(
        "key_not_encrypted",
        "La llave privada no está protegida con contraseña",
        "The private key is not protected by a password",
        field=PRIVATE_KEY,
        hint="Envíe el archivo .key original, no uno convertido con otro programa"
        " / Send the original .key file, not one that another program converted",
    ),
    Problem(
        "key_alg_unsupported",
        "La llave usa un cifrado no soportado (OID {oid}); genere un nuevo certificado",
        "The key's encryption is not supported (OID {oid}); request a new certificate",
        field=PRIVATE_KEY,
    ),
    Problem(
        "key_kdf_too_costly",
        "Parámetros de la llave fuera de rango",
        "The cost parameters of the key are out of range",
        field=PRIVATE_KEY,
    ),
    Problem(
        "wrong_password",
        "La contraseña de la llave privada es incorrecta",
        "The password of the private key is wrong",
        field=PASSWORD,
        hint="Revise mayúsculas (Bloq Mayús); no es la contraseña (CIEC) del portal del SAT"
        " / Check caps lock; it is not the password (CIEC) of SAT's portal",
    ),
    Problem(
        "key_mismatch",
        "La llave privada no corresponde al certificado",
        "The private key does not match the certificate",
        field=PRIVATE_KEY,
        hint="Es la llave de otro certificado; ¿mezcló los archivos de la e.firma con los del CSD?"
        " / It is the key of another certificate; were the files of e.firma and CSD mixed?",
    ),
    Problem(
        "key_roundtrip",
        "La llave no pudo firmar y verificar",
        "The key failed to sign and verify",
        field=PRIVATE_KEY,
    ),
    # What it means to SAT.
    Problem(
        "not_sat_number",
        "El número de certificado no tiene el formato del SAT (20 dígitos)",
        "The serial is not a SAT certificate number (20 digits)",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "not_issued_by_sat",
        "El certificado no fue emitido por el SAT",
        "The certificate was not issued by SAT",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "wrong_environment",
        "Es un certificado {es}; no sirve en {where_es}",
        "It is a {en} certificate; it cannot be used in {where_en}",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "is_ca_or_bad_usage",
        "El certificado no es de contribuyente",
        "The certificate is not a taxpayer's",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "rfc_missing_or_invalid",
        "El certificado no contiene un RFC válido",
        "The certificate holds no valid RFC",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "wrong_kind_fiel",
        "Es una e.firma (FIEL); se requiere un CSD",
        "This is an e.firma (FIEL); a CSD is required",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "wrong_kind_csd",
        "Es un CSD; se requiere la e.firma (FIEL)",
        "This is a CSD; the e.firma (FIEL) is required",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "kind_unknown",
        "No se pudo determinar si es FIEL o CSD",
        "It cannot be told whether this is a FIEL or a CSD",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "rfc_mismatch",
        "El RFC del certificado ({found}) no coincide con el de la organización ({wanted})",
        "The certificate's RFC ({found}) is not the organization's ({wanted})",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "not_yet_valid",
        "El certificado aún no es vigente",
        "The certificate is not yet valid",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "expired",
        "El certificado caducó el {date}",
        "The certificate expired on {date}",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "expiring_soon",
        "El certificado vence en {days} días",
        "The certificate expires in {days} days",
        field=CERTIFICATE,
        status=200,
    ),
    Problem(
        "older_than_current",
        "Ya existe un certificado más reciente",
        "A newer certificate is stored already",
        field=CERTIFICATE,
        status=409,
    ),
    # What only SAT or the PAC can tell.
    Problem(
        "revoked",
        "El certificado fue revocado el {date}",
        "The certificate was revoked on {date}",
        field=CERTIFICATE,
        status=422,
    ),
    Problem(
        "revocation_unknown",
        "No se pudo consultar el estado en el SAT",
        "SAT could not be asked for the status",
        actor=Actor.PROVIDER,
        status=202,
    ),
    Problem(
        "not_in_lco",
        "El CSD aún no aparece en la LCO del SAT",
        "The CSD is not yet in SAT's list (LCO)",
        field=CERTIFICATE,
        actor=Actor.PROVIDER,
        status=202,
    ),
    Problem(
        "pac_rejected",
        "El PAC rechazó el certificado: {why}",
        "The PAC refused the certificate: {why}",
        field=CERTIFICATE,
        status=422,
    ),
    INTERNAL,
)

CATALOGUE: Mapping[str, Problem] = MappingProxyType({entry.code: entry for entry in _ENTRIES})
"""Every code, in the order of the check list. Texts may hold `{placeholders}`."""

_PLACES: Mapping[str, int] = MappingProxyType({code: place for place, code in enumerate(CATALOGUE)})


def problem(code: str, *, field: str | None = None, hint: str | None = None, **values: str | int) -> Problem:
    """The fault of the catalogue with its placeholders filled. `KeyError` for an unknown code or a missing value."""
    entry = CATALOGUE[code]
    return Problem(
        code=code,
        message_es=entry.message_es.format_map(values),
        message_en=entry.message_en.format_map(values),
        field=field or entry.field,
        hint=hint or entry.hint,
        actor=entry.actor,
        status=entry.status,
    )


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """The faults in the order of the check list."""
    return tuple(sorted(problems, key=lambda each: _PLACES[each.code]))
