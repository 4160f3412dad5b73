"""Base64 in JSON: strict in its alphabet and padding, tolerant of line breaks."""

import base64
import binascii
import re
from dataclasses import replace

from certpipe.core.problems import Problem
from certpipe.ingress.envelope import BAD_BASE64, EMPTY_FILE

DATA_URL = replace(BAD_BASE64, hint="This is a data URL: send only what follows `base64,`")
URL_SAFE = replace(BAD_BASE64, hint="This is base64url: send base64 with `+`, `/` and `=`")
# What may stand in a JSON text: groups of four, blanks between any two, and zeros after the last byte's bits.
_B = r"[ \t\r\n]*"
_ANY = rf"[A-Za-z0-9+/]{_B}"
BASE64_PATTERN = (
    rf"^{_B}(?:(?:{_ANY}){{4}})*"
    rf"(?:(?:{_ANY}){{4}}|(?:{_ANY}){{2}}[AEIMQUYcgkosw048]{_B}={_B}|{_ANY}[AQgw]{_B}={_B}={_B})$"
)
_BLANKS = re.compile(r"[ \t\r\n]+")
STRICT = replace(BAD_BASE64, hint="Standard base64 with its padding; spaces and line breaks may stand in it")


def decode_base64(text: str) -> bytes | Problem:
    """The bytes, or what is wrong with the text."""
    compact = _BLANKS.sub("", text)
    if not compact:
        return EMPTY_FILE
    if compact[:5].lower() == "data:":
        return DATA_URL
    try:
        decoded = base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        return URL_SAFE if {"-", "_"} & set(compact) else STRICT
    # Bits after the last byte must be zero, so that one content has one spelling.
    return decoded if base64.b64encode(decoded).decode() == compact else STRICT
