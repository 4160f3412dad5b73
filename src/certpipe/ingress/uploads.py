"""`/v1/uploads`: take one in, tell of one, tell of many."""

from collections.abc import Mapping, Sequence

from aiohttp import web

from certpipe.core.ports.doors import Accepted
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.core.telling import INVALID_KEY
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import BODIES, SERVICE, STATUSES, WAITING
from certpipe.ingress.prefer import MOST_SECONDS, Preference
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.submission import UPLOAD_FIELDS, submission
from schemas.status import State, UploadStatus

DOOR = "http"
RETRY_AFTER = {"Retry-After": "1"}
MOST_ITEMS = 100
ITEMS = 50
MOST_KEY = 255


async def submit(call: Call) -> web.StreamResponse:
    """202 once it is committed; 200 when the client waited for the end and it came."""
    preference = Preference.of(call.request.headers.getall("Prefer", ()))
    accepted = await _take_in(call)
    upload_id = accepted.ref.id
    if preference.seconds:
        await call.of(WAITING).wait(upload_id, after=None, seconds=preference.seconds, gone=call.gone)
    status = await call.of(STATUSES).upload(upload_id, await call.organizations())
    if status is None:
        raise RefusedError(TARGET_NOT_FOUND)
    over = status.ended and preference.seconds > 0
    headers = {"Location": f"/v1/uploads/{upload_id}", **_etag(status), **preference.applied}
    headers |= {"Idempotent-Replayed": "true"} if accepted.replayed else {}
    return answer(linked(status), status=200 if over else 202, headers=headers if over else headers | RETRY_AFTER)


async def show(call: Call) -> web.StreamResponse:
    """One upload; 304 when the client has this sequence already; with `wait`, as soon as that changes."""
    upload_id, seconds = call.path_id(), call.query_number("wait", least=0, most=MOST_SECONDS)
    seen = _seen(call.request.headers.getall("If-None-Match", ()))
    status = await _status(call)
    if seconds and not status.ended and (not seen or _matches(seen, status)):
        after = status.sequence if seen else None
        await call.of(WAITING).wait(upload_id, after=after, seconds=seconds, gone=call.gone)
        status = await _status(call)
    if _matches(seen, status):
        return web.Response(status=304, headers=_etag(status))
    return answer(linked(status), headers=_etag(status) if status.ended else {**_etag(status), **RETRY_AFTER})


async def index(call: Call) -> web.StreamResponse:
    """Uploads of the sender's organizations, newest first."""
    page = await call.of(STATUSES).uploads(
        await call.organizations(),
        party_id=await call.own_party("party_id"),
        state=call.query_choice("state", State),
        cursor=call.query_id("cursor"),
        limit=call.query_number("limit", least=1, most=MOST_ITEMS) or ITEMS,
    )
    return answer(page.model_copy(update={"items": tuple(map(linked, page.items))}))


def linked(status: UploadStatus) -> UploadStatus:
    """With the addresses of what belongs to it."""
    links = {"self": f"/v1/uploads/{status.id}"}
    if status.certificate_id is not None:
        links["certificate"] = f"/v1/certificates/{status.certificate_id}"
    return status.model_copy(update={"links": links})


async def _take_in(call: Call) -> Accepted:
    """Apart, so that nothing holds the bundle any more while the client waits."""
    key = _idempotency_key(call.request.headers.getall("Idempotency-Key", ()))
    form = await call.of(BODIES).read(call.request, UPLOAD_FIELDS)
    return await call.of(SERVICE).submit(submission(form), subject=call.principal.subject, door=DOOR, key=key)


async def _status(call: Call) -> UploadStatus:
    status = await call.of(STATUSES).upload(call.path_id(), await call.organizations())
    if status is None:
        raise RefusedError(TARGET_NOT_FOUND)
    return status


def _idempotency_key(headers: Sequence[str]) -> str | None:
    if not headers:
        return None
    key = headers[0]
    if len(headers) > 1 or not 0 < len(key) <= MOST_KEY or not (key.isascii() and key.isprintable()):
        raise RefusedError(INVALID_KEY)
    return key


def _etag(status: UploadStatus) -> Mapping[str, str]:
    return {"ETag": f'"{status.sequence}"'}


def _seen(headers: Sequence[str]) -> frozenset[str]:
    """The entity tags that the client has; weak ones compare alike (RFC 9110, 13.1.2)."""
    return frozenset(tag.strip().removeprefix("W/") for tag in ",".join(headers).split(",") if tag.strip())


def _matches(seen: frozenset[str], status: UploadStatus) -> bool:
    return "*" in seen or f'"{status.sequence}"' in seen
