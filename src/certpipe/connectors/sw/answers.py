"""What an answer of SW means, judged by status and structure alone: its prose is passed on and never read."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from certpipe.connectors.sw import problems
from certpipe.core.discretion import CUT
from certpipe.core.errors import AccountRefused, CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.core.problems import Problem

MOST_WORDS = 1_000
"""Characters of the provider's own words that are kept."""

Envelope = Mapping[str, Any]

_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_ACCOUNT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NO_SUCH_SERVICE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LEADING_CODE = re.compile(r"([A-Z]{1,5}\d{3,6}) - ")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read whole. `body` is None when it was longer than anybody should send."""

    status: int
    body: bytes | None = field(default=b"", repr=False)
    retry_after: str | None = None

    def envelope(self) -> Envelope | None:
        """The JSON object in it, or None: HTML, nothing, something else."""
        if not self.body:
            return None
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def success(answer: Answer, now: datetime) -> Envelope:
    """The envelope of a success. Raises what the answer means otherwise, for a request that may change something."""
    envelope = answer.envelope()
    if _succeeded(answer, envelope):
        return envelope or {}
    raise _meaning(answer, envelope, now)


def conflicts(answer: Answer) -> bool:
    """Whether it says, by its status, that what was sent contradicts what is there: it may be there already."""
    return answer.status == HTTPStatus.CONFLICT


def looked_up(answer: Answer, now: datetime) -> Envelope | None:
    """The envelope of a successful read, or None where the answer says, by its structure, that nothing is there.

    SW's shape for "not found" is not documented: an error envelope with 200, 400 or 404 is taken for it, because the
    question itself is well formed. Raises `Unavailable` when the answer does not tell.
    """
    envelope = answer.envelope()
    if _succeeded(answer, envelope):
        return envelope
    if _says_error(envelope) and (_is_2xx(answer) or answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}):
        return None
    meaning = _meaning(answer, envelope, now)
    if isinstance(meaning, Unavailable):
        raise meaning
    raise Unavailable(*meaning.problems)


def refused_login(answer: Answer) -> bool:
    """Whether an answer to `authenticate` says that the credentials are bad.

    The HTTP status of that error is not documented, so any 4xx with an error envelope counts, and so does a 200.
    """
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return True
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status in _TRANSIENT:
        return False
    return answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and _says_error(answer.envelope())


def spoken(problem: Problem, answer: Answer) -> Problem:
    """The problem with the provider's code and words, verbatim but for control characters and length (`CUT`)."""
    envelope = answer.envelope() or {}
    said = [
        text for name in ("message", "messageDetail") if isinstance(text := envelope.get(name), str) and text.strip()
    ]
    words = _CONTROL.sub(" ", " - ".join(said)).strip()
    if len(words) > MOST_WORDS:
        words = words[: MOST_WORDS - len(CUT)] + CUT
    code = envelope.get("code")
    if not isinstance(code, str | int) or isinstance(code, bool) or not str(code).strip():
        leading = _LEADING_CODE.match(words)
        code = leading.group(1) if leading else answer.status
    return replace(problem, provider_code=_CONTROL.sub(" ", str(code))[:50], provider_message=words or None)


def seconds_to_wait(retry_after: str | None, now: datetime) -> float | None:
    """`Retry-After` as seconds from now: it may be a number of seconds or a date; nonsense is None."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)


def _meaning(answer: Answer, envelope: Envelope | None, now: datetime) -> CertpipeError:
    """What an answer that is no success means."""
    status = answer.status
    if _says_error(envelope) and (status in _REFUSALS or _is_2xx(answer)):
        return Rejected(spoken(problems.REJECTED, answer))
    if _is_2xx(answer):
        return Uncertain(spoken(problems.UNREADABLE, answer))
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return Uncertain(spoken(problems.LOST, answer))
    problem, asked = spoken(_obstacle(status), answer), seconds_to_wait(answer.retry_after, now)
    if status in _ACCOUNT:
        return AccountRefused(problem, retry_after=asked, at_all=status == HTTPStatus.UNAUTHORIZED)
    return Unavailable(problem, retry_after=asked)


def _obstacle(status: int) -> Problem:
    """Why it did not happen, and so who must act."""
    if status == HTTPStatus.UNAUTHORIZED:
        return problems.CREDENTIALS
    if status == HTTPStatus.FORBIDDEN:
        return problems.FORBIDDEN
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return problems.BUSY
    if status in _NO_SUCH_SERVICE or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return problems.ADDRESS
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
        return problems.AWAY
    return problems.UNREADABLE


def _is_2xx(answer: Answer) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def _succeeded(answer: Answer, envelope: Envelope | None) -> bool:
    return _is_2xx(answer) and envelope is not None and envelope.get("status") == "success"


def _says_error(envelope: Envelope | None) -> bool:
    """An error envelope: `status` is `error`, or it has none and only a message."""
    if envelope is None:
        return False
    if "status" in envelope:
        return bool(envelope["status"] == "error")
    return isinstance(envelope.get("message"), str) and bool(envelope["message"])
