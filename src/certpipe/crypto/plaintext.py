"""What is inside a sealed box: the JSON of `ClearBundle`. Knows no key."""

import base64
import json

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.crypto.problems import BUNDLE_UNSEALABLE
from schemas.upload import ClearBundle

MOST_BASE64 = 90_000
MOST_PASSWORD = 1_000


def encode(bundle: Bundle) -> bytes:
    """The bundle as JSON in ASCII. Raises `Rejected` (`bundle_unsealable`) for what `decode` would refuse."""
    files = {
        "certificate": base64.b64encode(bundle.certificate).decode(),
        "private_key": base64.b64encode(bundle.private_key).decode(),
    }
    faults = [BUNDLE_UNSEALABLE.about(name) for name, text in files.items() if len(text) > MOST_BASE64]
    if len(bundle.password) > MOST_PASSWORD or not _is_text(bundle.password):
        faults.append(BUNDLE_UNSEALABLE.about("password"))
    if faults:
        raise Rejected(*faults)
    return json.dumps({**files, "password": bundle.password}, separators=(",", ":")).encode("ascii")


def decode(plaintext: bytes) -> Bundle | None:
    """The bundle, or None when that is not what is inside.

    Never raises: an error of the parsers would carry the plaintext with it (`ValidationError.errors()` quotes its
    input, `UnicodeError.object` is its input).
    """
    try:
        clear = ClearBundle.model_validate_json(plaintext)
        return Bundle(
            certificate=base64.b64decode(clear.certificate, validate=True),
            private_key=base64.b64decode(clear.private_key, validate=True),
            password=clear.password,
        )
    except ValueError:  # the root of ValidationError, binascii.Error and UnicodeError
        return None


def _is_text(password: str) -> bool:
    """False for lone surrogates, which have no encoding and so can be no password."""
    return not any("\ud800" <= character <= "\udfff" for character in password)
