"""The two headers that rule a multipart body: its boundary, and what each part is called."""

import re
import warnings
from collections.abc import Sequence

from aiohttp import content_disposition_filename, parse_content_disposition

# What clients write: nothing that two readers could read as two things.
_PLAIN = re.compile(r'form-data; name="([^"\\%]*)"(?:; filename="([^"\\%]*)")?')
# RFC 2046 allows up to 70 characters, not ending in a space; some clients use a few more kinds than it names.
_BOUNDARY = re.compile(r'[^"\\;\x00-\x1f\x7f-\U0010ffff]{0,69}[^"\\; \x00-\x1f\x7f-\U0010ffff]')


def boundary_of(content_types: Sequence[str]) -> str | None:
    """The boundary in the one `Content-Type` of a request; None when there is none, or more than one to choose from."""
    if len(content_types) != 1:
        return None
    found = []
    for parameter in content_types[0].split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary":
            found.append(value.strip())
    if len(found) != 1:
        return None
    value = found[0]
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    boundary = value[1:-1] if quoted else value
    return boundary if _BOUNDARY.fullmatch(boundary) else None


def names_of(disposition: str) -> tuple[str, str | None] | None:
    """The field and the file name that a `Content-Disposition` gives (RFC 6266, RFC 8187); None when it is broken."""
    plain = _PLAIN.fullmatch(disposition)
    if plain:
        return plain[1], plain[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            _, parameters = parse_content_disposition(disposition)
            return parameters.get("name", ""), content_disposition_filename(parameters)
        except (ValueError, RuntimeWarning):
            return None
