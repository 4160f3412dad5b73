"""What a producer's message says, and what is in it: pure, and silent about what it holds."""

import base64
import binascii

from pydantic import ValidationError

from certpipe.core.bundle import Bundle
from certpipe.core.problems import Problem
from certpipe.core.uploads import Box
from certpipe.ingress.base64text import STRICT, decode_base64
from certpipe.ingress.envelope import missing
from certpipe.ingress.form import MOST_FILE_BYTES
from certpipe.ingress.jsonbody import faults
from certpipe.ingress.multipart import NOT_SATS
from certpipe.ingress.problems import BODY_TOO_LARGE, DUPLICATE_MEMBER, INVALID_FIELD, MALFORMED_MESSAGE
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.strictjson import DuplicateMemberError, parse_object
from schemas.upload import ClearBundle, SealedBundle, SealFormat, UploadMessage

MOST_MESSAGE_BYTES = 512 * 1024


def parse_message(body: bytes) -> UploadMessage:
    """The message. Raises `RefusedError` with everything that is wrong with its shape."""
    if len(body) > MOST_MESSAGE_BYTES:
        raise RefusedError(BODY_TOO_LARGE)
    try:
        parse_object(body)
        return UploadMessage.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(MALFORMED_MESSAGE, *faults(error)) from None
    except DuplicateMemberError:
        raise RefusedError(MALFORMED_MESSAGE, DUPLICATE_MEMBER) from None
    except ValueError:
        raise RefusedError(MALFORMED_MESSAGE) from None


def content_of(message: UploadMessage) -> Box | Bundle:
    """The box as it is, or the bundle in clear. Raises `RefusedError` with every fault."""
    if message.sealed is not None:
        return _box(message.sealed)
    if message.clear is not None:
        return _bundle(message.clear)
    raise RefusedError(MALFORMED_MESSAGE)


def _box(sealed: SealedBundle) -> Box:
    try:
        ciphertext = (
            base64.b64decode(sealed.ciphertext, validate=True)
            if sealed.format is SealFormat.HPKE
            else sealed.ciphertext.encode("ascii")
        )
    except (binascii.Error, ValueError):
        fault = STRICT if sealed.format is SealFormat.HPKE else INVALID_FIELD
        raise RefusedError(fault.about("sealed.ciphertext")) from None
    return Box(sealed.format, sealed.kid, ciphertext)


def _bundle(clear: ClearBundle) -> Bundle:
    certificate, private_key = decode_base64(clear.certificate), decode_base64(clear.private_key)
    problems = [] if clear.password else [missing("password")]
    for name, content in (("certificate", certificate), ("private_key", private_key)):
        if isinstance(content, Problem):
            problems.append(content.about(name))
        elif len(content) > MOST_FILE_BYTES:
            problems.append(NOT_SATS.about(name))
    if problems or isinstance(certificate, Problem) or isinstance(private_key, Problem):
        raise RefusedError(*problems)
    return Bundle(certificate=certificate, private_key=private_key, password=clear.password)
