"""What anybody may see: the sealing keys, the API's description, whether the process lives and is ready."""

from aiohttp import web

from certpipe.ingress.answers import answer, document
from certpipe.ingress.call import Call
from certpipe.ingress.keys import OPENAPI, READINESS, SEALING_KEYS
from schemas.health import Health


async def sealing_keys(call: Call) -> web.StreamResponse:
    """The public intake keys, and how to seal to them."""
    return document(call.of(SEALING_KEYS))


async def openapi(call: Call) -> web.StreamResponse:
    """This API."""
    return document(call.of(OPENAPI))


async def live(_call: Call) -> web.StreamResponse:
    """The process answers."""
    return answer(Health(status="ok"))


async def ready(call: Call) -> web.StreamResponse:
    """200 while everything that is required is there, else 503."""
    probes = tuple(await call.of(READINESS)())
    is_ready = all(probe.ok for probe in probes if probe.required)
    checks = probes if "verbose" in call.request.query else None
    return answer(Health(status="ok" if is_ready else "not ready", checks=checks), status=200 if is_ready else 503)
