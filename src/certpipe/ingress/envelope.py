"""The faults of the envelope, from the catalogue: what is wrong before anybody looks inside a file."""

from collections.abc import Mapping
from types import MappingProxyType

from certpipe.core.problems import Problem
from certpipe.sat.problems import problem

BAD_BASE64 = problem("bad_base64")
FILE_TOO_LARGE = problem("file_too_large")
EMPTY_FILE = problem("empty_file")

_NAMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "certificate": ("el archivo .cer", "the .cer file"),
        "private_key": ("el archivo .key", "the .key file"),
        "password": ("la contraseña de la llave", "the key's password"),
        "party_id": ("a quién pertenece (party_id)", "whom it belongs to (party_id)"),
        "kind": ("el tipo (kind): fiel o csd", "the kind: fiel or csd"),
    }
)


def missing(field: str) -> Problem:
    """A field of an upload that did not come, or came empty."""
    spanish, english = _NAMES[field]
    return problem("missing_field", field=field, what_es=spanish, what_en=english)
