"""`/v1/services`: the services of PACs, for operators: which of them are used at present, and why not."""

import re
from dataclasses import replace

from aiohttp import web

from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import SERVICES
from certpipe.ingress.problems import NOT_FOUND
from certpipe.ingress.refusal import RefusedError
from schemas.services import SERVICE_PATTERN, ServiceList

_NAME = re.compile(SERVICE_PATTERN)
_NO_NAME = replace(NOT_FOUND, hint="Services are known by the names that the list gives them")


async def index(call: Call) -> web.StreamResponse:
    """All of them."""
    call.needs_operator()
    return answer(ServiceList(items=tuple(await call.of(SERVICES).services())))


async def reset(call: Call) -> web.StreamResponse:
    """Use it again from now on."""
    call.needs_operator()
    name = call.request.match_info["service"]
    if not _NAME.fullmatch(name):
        raise RefusedError(_NO_NAME)
    view = await call.of(SERVICES).reset(name)
    if view is None:
        raise RefusedError(_NO_NAME)
    return answer(view)
