"""Answers as bytes: contracts as JSON, problems as RFC 9457 documents."""

import math
from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import BaseModel

from certpipe.core.problems import Problem
from schemas.status import ProblemDocument

PROBLEM_JSON = "application/problem+json"


def answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A contract as JSON."""
    return document(model.model_dump_json().encode(), status=status, headers=headers)


def document(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON that is written already."""
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")


def problem_document(problems: Sequence[Problem], *, status: int, instance: str | None = None) -> ProblemDocument:
    """All faults as one document. Its code is the first one's; title and detail are English and Spanish."""
    first = problems[0]
    return ProblemDocument(
        type=f"urn:certpipe:problem:{first.code}",
        title=first.message_en,
        status=status,
        detail="; ".join(dict.fromkeys(problem.message_es for problem in problems)),
        instance=instance,
        code=first.code,
        errors=tuple(problem.view() for problem in problems),
    )


def problem_answer(
    problems: Sequence[Problem],
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
) -> web.Response:
    """The document as an answer. Without a `status`, the gravest of the problems' own."""
    status = status or max(problem.status for problem in problems)
    body = problem_document(problems, status=status, instance=instance)
    return web.Response(
        body=body.model_dump_json(exclude_none=True).encode(),
        status=status,
        headers=headers,
        content_type=PROBLEM_JSON,
    )


def retry_after(seconds: float | None) -> dict[str, str]:
    """When to come again; two seconds where nobody said."""
    return {"Retry-After": str(max(1, math.ceil(2 if seconds is None else seconds)))}
