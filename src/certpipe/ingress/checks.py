"""`/v1/checks`: the verdict on a bundle by the validate workers, without keeping it."""

from uuid import UUID

from aiohttp import web

from certpipe.core.errors import Unavailable
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import BODIES, SERVICE, STATUSES, WAITING
from certpipe.ingress.problems import NO_ANSWER
from certpipe.ingress.submission import CHECK_FIELDS, check_request
from certpipe.ingress.uploads import DOOR

MOST_SECONDS = 25.0
VERDICTS = frozenset({"valid", "rejected"})


async def check(call: Call) -> web.StreamResponse:
    """200 for both verdicts; 503 when no worker answers in time, or none could come to a verdict."""
    check_id = await _start(call)
    await call.of(WAITING).wait(check_id, after=None, seconds=MOST_SECONDS, gone=call.gone)
    report = await call.of(STATUSES).take_check(check_id)
    if report is None or report.verdict not in VERDICTS:
        raise Unavailable(NO_ANSWER, retry_after=5)
    return answer(report)


async def _start(call: Call) -> UUID:
    """Apart, so that nothing holds the bundle any more while the workers check it."""
    form = await call.of(BODIES).read(call.request, CHECK_FIELDS)
    accepted = await call.of(SERVICE).check(check_request(form), subject=call.principal.subject, door=DOOR)
    return accepted.ref.id
