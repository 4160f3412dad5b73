"""How faults and times are told in a vendor's words: what its dialects have in common. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from certpipe.core.errors import Rejected
from certpipe.core.ports.dialect import DescribedHeader
from certpipe.core.problems import INTERNAL, Problem
from schemas.status import Actor

VERDICTS = (503, 500, 404, 401, 403, 405, 409, 400, 422)
"""The statuses that a verdict can have. Of several faults the one whose status stands first here decides."""

INVALID_KEY = Problem(
    "invalid_idempotency_key",
    "La cabecera Idempotency-Key no es válida",
    "The Idempotency-Key header is not valid",
    field="Idempotency-Key",
    hint="One header of 1 to 255 printable ASCII characters; a UUID is a good key",
)

_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
KEY_SCHEMA: Mapping[str, Any] = MappingProxyType(
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": f"^{_KEY.pattern}$"}
)
"""What the key may be, as JSON Schema."""
KEY_HEADER = DescribedHeader("Idempotency-Key", "A repeated key gets the first result again", schema=KEY_SCHEMA)
"""The header of the key, for the description of the API."""


def verdict(problems: Sequence[Problem]) -> tuple[int, Problem]:
    """One of `VERDICTS` for all faults, and the fault that decided it.

    400 stands before 422: a bundle that cannot be read cannot be judged either.
    """
    judged = [(_status(problem), problem) for problem in problems] or [(INTERNAL.status, INTERNAL)]
    return min(judged, key=lambda each: VERDICTS.index(each[0]))


def _status(problem: Problem) -> int:
    """The status of one fault as one of `VERDICTS`. What is not for the submitter to mend is never a 4xx."""
    if problem.status in VERDICTS and (problem.status >= 500 or problem.actor is Actor.SUBMITTER):  # noqa: PLR2004 - HTTP
        return problem.status
    if problem.actor is Actor.SUBMITTER:
        return 400
    return 503 if problem.actor is Actor.PROVIDER else 500


def spanish(problems: Sequence[Problem]) -> str:
    """All faults in one line, each after the name of its field."""
    return "; ".join(_told(problem, problem.message_es) for problem in problems)


def english(problems: Sequence[Problem]) -> str:
    """The same in English."""
    return "; ".join(_told(problem, problem.message_en) for problem in problems)


def _told(problem: Problem, message: str) -> str:
    """With the PAC's own words, where it spoke."""
    provider = " ".join(filter(None, (problem.provider_code, problem.provider_message)))
    return ": ".join(filter(None, (problem.field, message, provider)))


def instant(at: datetime | None) -> str | None:
    """A time as JavaScript writes it: UTC, three digits of milliseconds, Z."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The standard `Idempotency-Key`, for vendors that have no key of their own. Raises `Rejected`."""
    key = headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Rejected(INVALID_KEY)
    return key


def exactly(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """JSON Schema of an object with these members and no others."""
    return {"type": "object", "required": list(members), "additionalProperties": False, "properties": dict(members)}


def body(document: Mapping[str, object]) -> bytes:
    """JSON as it goes out: UTF-8, readable as it is."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
