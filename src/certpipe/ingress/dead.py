"""`/v1/dead`: what died, for operators: look at it, let it go on again, give it up."""

import re
from dataclasses import replace

from aiohttp import web

from certpipe.core.ports.dead import Wanted
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import BODIES, DEAD_LETTERS
from certpipe.ingress.problems import INVALID_PARAMETER, NOT_FOUND
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.uploads import ITEMS, MOST_ITEMS
from schemas.dead import CODE_PATTERN, DeadLetterView, DeadReplayBody, DeadReplayView, LetterState
from schemas.status import Stage
from schemas.webhooks import MOST_PLACE

MOST_REPLAYED = 500
_CODE = re.compile(CODE_PATTERN)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_NO_NUMBER = replace(NOT_FOUND, hint="Dead letters are known by their numbers, as the list gives them")


async def index(call: Call) -> web.StreamResponse:
    """One page, newest first."""
    call.needs_operator()
    page = await call.of(DEAD_LETTERS).page(
        Wanted(stage=call.query_choice("stage", Stage), code=_code(call), since=call.query_time("since")),
        state=call.query_choice("state", LetterState),
        cursor=call.query_number("cursor", least=1, most=MOST_PLACE),
        limit=call.query_number("limit", least=1, most=MOST_ITEMS) or ITEMS,
    )
    return answer(page)


async def show(call: Call) -> web.StreamResponse:
    """One."""
    call.needs_operator()
    return answer(_there(await call.of(DEAD_LETTERS).letter(_number(call))))


async def replay(call: Call) -> web.StreamResponse:
    """Let its upload go on from the stage that failed."""
    call.needs_operator()
    return answer(_there(await call.of(DEAD_LETTERS).replay(_number(call), by=call.principal.subject)), status=202)


async def replay_many(call: Call) -> web.StreamResponse:
    """Let a slice of those that fit go on."""
    call.needs_operator()
    body = await call.of(BODIES).read_model(call.request, DeadReplayBody)
    wanted = Wanted(stage=body.stage, code=body.code, since=body.since)
    done = await call.of(DEAD_LETTERS).replay_some(
        wanted, after=body.after, limit=MOST_REPLAYED, by=call.principal.subject
    )
    return answer(DeadReplayView(replayed=done.replayed, refused=done.refused, next=done.last), status=202)


async def drop(call: Call) -> web.StreamResponse:
    """Give it up."""
    call.needs_operator()
    return answer(_there(await call.of(DEAD_LETTERS).drop(_number(call), by=call.principal.subject)))


def _there(letter: DeadLetterView | None) -> DeadLetterView:
    if letter is None:
        raise RefusedError(_NO_NUMBER)
    return letter


def _number(call: Call) -> int:
    text = call.request.match_info["letter"]
    if not _NUMBER.fullmatch(text):
        raise RefusedError(_NO_NUMBER)
    return int(text)


def _code(call: Call) -> str | None:
    text = call.request.query.get("code")
    if text is not None and not _CODE.fullmatch(text):
        raise RefusedError(replace(INVALID_PARAMETER, field="code", hint="The `code` of a problem"))
    return text
