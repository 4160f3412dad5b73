"""What a file really is: DER, PEM, base64, with a byte-order mark or blanks around it, or something else altogether."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.sat import passwords, private_key
from certpipe.sat.der import BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, DerError, Reader
from certpipe.sat.problems import problem

LARGEST_FILE = 64 * 1024
"""Bytes. SAT's files are under 3 KB."""


class Form(Enum):
    """What a file was found to be."""

    EMPTY = auto()
    TOO_LARGE = auto()
    CERTIFICATE = auto()
    ENCRYPTED_KEY = auto()
    PLAIN_PKCS8 = auto()
    PLAIN_KEY = auto()
    LEGACY_ENCRYPTED_KEY = auto()
    PUBLIC_KEY = auto()
    REQUEST = auto()
    PFX = auto()
    SIGNED_DATA = auto()
    ARCHIVE = auto()
    BROKEN_BASE64 = auto()
    UNKNOWN = auto()


KEY_FORMS = frozenset({Form.ENCRYPTED_KEY, Form.PLAIN_PKCS8, Form.PLAIN_KEY, Form.LEGACY_ENCRYPTED_KEY})

_BLANKS = b" \t\r\n\x0b\x0c"
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*(?:-(?!----)[^-]*)*)-----END \1-----")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_-]{16,}")
_BASE64_STARTS = (b"MI", b"LS0tLS1CRUdJTi")
"""How base64 of DER and of PEM begins; other broken base64 may as well be prose."""
_PKCS7 = bytes.fromhex("2a864886f70d0107")
_PEM_FORMS = {
    b"CERTIFICATE": Form.CERTIFICATE,
    b"X509 CERTIFICATE": Form.CERTIFICATE,
    b"TRUSTED CERTIFICATE": Form.CERTIFICATE,
    b"ENCRYPTED PRIVATE KEY": Form.ENCRYPTED_KEY,
    b"PRIVATE KEY": Form.PLAIN_PKCS8,
    b"RSA PRIVATE KEY": Form.PLAIN_KEY,
    b"EC PRIVATE KEY": Form.PLAIN_KEY,
    b"DSA PRIVATE KEY": Form.PLAIN_KEY,
    b"PUBLIC KEY": Form.PUBLIC_KEY,
    b"RSA PUBLIC KEY": Form.PUBLIC_KEY,
    b"CERTIFICATE REQUEST": Form.REQUEST,
    b"NEW CERTIFICATE REQUEST": Form.REQUEST,
    b"PKCS7": Form.SIGNED_DATA,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file's form and its DER. `der` is only meant for the forms that have one."""

    form: Form
    der: bytes = field(default=b"", repr=False)


def sniff(data: bytes, wanted: frozenset[Form]) -> Found:
    """Tell what a file is; where a PEM text holds several things, the only one that is `wanted`. Never raises."""
    if len(data) > LARGEST_FILE:
        return Found(Form.TOO_LARGE)
    stripped = _without_mark(data)
    if not stripped:
        return Found(Form.EMPTY)
    if stripped[0] == SEQUENCE:
        found = _classify(_without_blank_tail(stripped))
        if found.form is not Form.UNKNOWN:
            return found
    if stripped.startswith(b"PK\x03\x04"):
        return Found(Form.ARCHIVE)
    return _text(stripped, wanted)


def _without_mark(data: bytes) -> bytes:
    """Without leading blanks and byte-order mark; UTF-16 text, which some editors save, becomes ASCII."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        data = data.decode("utf-16", "replace").encode("ascii", "replace")
    return data.lstrip(_BLANKS).removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS)


def _without_blank_tail(data: bytes) -> bytes:
    """Without blanks after the DER element; any other tail stays, for the strict reader to refuse."""
    try:
        element = Reader(data).read()
    except DerError:
        return data
    return element.encoded if not data[element.end :].strip(_BLANKS) else data


def _classify(der: bytes) -> Found:
    try:
        return Found(_form(Reader(der).enter(SEQUENCE)), der)
    except DerError:
        return Found(Form.UNKNOWN, der)


def _form(reader: Reader) -> Form:
    """The form by the outermost types alone. Raises `DerError` when even those are broken."""
    first = reader.read()
    if first.tag == SEQUENCE:
        return _nested_form(first.inside(), reader.peek())
    if first.tag == OID and first.content.startswith(_PKCS7):
        return Form.SIGNED_DATA
    if first.tag != INTEGER:
        return Form.UNKNOWN
    if reader.peek() == SEQUENCE:
        holds_pkcs7 = reader.enter(SEQUENCE).read().content.startswith(_PKCS7)
        return Form.PFX if holds_pkcs7 else Form.PLAIN_PKCS8
    return Form.PLAIN_KEY if reader.peek() in {INTEGER, OCTET_STRING} else Form.UNKNOWN


def _nested_form(inside: Reader, second: int | None) -> Form:
    """The form of a SEQUENCE that starts with a SEQUENCE and goes on with the tag `second`."""
    if inside.peek() == OID:
        return {OCTET_STRING: Form.ENCRYPTED_KEY, BIT_STRING: Form.PUBLIC_KEY}.get(second or 0, Form.UNKNOWN)
    if inside.peek() == INTEGER:
        inside.read()
        inside.take(SEQUENCE)
        inside.take(SEQUENCE)
        return Form.REQUEST if inside.peek() in {None, 0xA0} else Form.CERTIFICATE
    return Form.CERTIFICATE


def _text(data: bytes, wanted: frozenset[Form]) -> Found:
    if b"-----BEGIN " in data:
        found = list(_pem_blocks(data))
        fitting = [each for each in found if each.form in wanted]
        if len(fitting) == 1:
            return fitting[0]
        return found[0] if len(found) == 1 else Found(Form.UNKNOWN)
    joined = b"".join(data.split())
    if not _BASE64.fullmatch(joined):
        return Found(Form.UNKNOWN)
    decoded = _decoded(joined)
    if decoded is None:
        return Found(Form.BROKEN_BASE64 if joined.startswith(_BASE64_STARTS) else Form.UNKNOWN)
    if b"-----BEGIN " in decoded:
        return _text(decoded, wanted)
    return _classify(decoded) if decoded[0] == SEQUENCE else Found(Form.UNKNOWN)


def _pem_blocks(data: bytes) -> Iterator[Found]:
    for match in _PEM.finditer(data):
        form = _PEM_FORMS.get(match[1], Form.UNKNOWN)
        if b"Proc-Type:" in match[2]:
            yield Found(Form.LEGACY_ENCRYPTED_KEY if form in KEY_FORMS else Form.UNKNOWN)
            continue
        der = _decoded(b"".join(match[2].split()))
        yield Found(form, der) if der else Found(Form.UNKNOWN)


def _decoded(joined: bytes) -> bytes | None:
    """Canonical base64 only: no odd characters, full padding, no stray bits."""
    try:
        decoded = b64decode(joined, validate=True)
    except ValueError:
        return None
    return decoded if b64encode(decoded) == joined else None


def canonical(bundle: Bundle) -> Bundle:
    """A bundle that was proved before, in its canonical form: DER files, and the password text that opens the key.

    The key is opened, which may cost 250 ms of CPU, only when the password has more than one reading; else it is cheap.
    Raises `Rejected` when it was not proved.
    """
    certificate = sniff(bundle.certificate, frozenset({Form.CERTIFICATE}))
    key = sniff(bundle.private_key, KEY_FORMS)
    if certificate.form is not Form.CERTIFICATE:
        raise Rejected(problem("cer_unreadable"))
    if key.form is not Form.ENCRYPTED_KEY:
        raise Rejected(problem("key_unreadable"))
    texts = passwords.readings(bundle.password)
    if len(texts) == 1:
        password = texts[0]
    else:
        password = private_key.unlock(private_key.read(key.der), bundle.password).candidate.text
    return Bundle(certificate=certificate.der, private_key=key.der, password=password)
