"""The simulator's own routes: `/_faults`, `/_received`, `/_health`."""

import json

from aiohttp import web
from pydantic import ValidationError

from certpipe.simulators.sw.faults import RULES, Faults
from certpipe.simulators.sw.received import Received


class Control:
    """What a test or a person turns and reads."""

    def __init__(self, faults: Faults, received: Received) -> None:
        self._faults = faults
        self._received = received

    async def put_faults(self, request: web.Request) -> web.StreamResponse:
        """A list of rules, one rule, or `{"rules": […]}`, in the place of all that were there."""
        try:
            body = json.loads(await request.read())
            rules = body.get("rules", [body]) if isinstance(body, dict) else body
            self._faults.arm(RULES.validate_python(rules))
        except ValidationError as error:
            wrong = [{"at": list(one["loc"]), "message": one["msg"]} for one in error.errors(include_input=False)]
            return web.json_response({"error": "not a list of rules", "wrong": wrong}, status=400)
        except (ValueError, RecursionError):
            return web.json_response({"error": "not JSON"}, status=400)
        return web.json_response({"rules": self._faults.view()})

    async def get_faults(self, _request: web.Request) -> web.StreamResponse:
        """The rules in force, each with how often it struck."""
        return web.json_response({"rules": self._faults.view()})

    async def delete_faults(self, _request: web.Request) -> web.StreamResponse:
        """No fault any more."""
        self._faults.arm(())
        return web.Response(status=204)

    async def get_received(self, request: web.Request) -> web.StreamResponse:
        """What arrived; `?number=` for one certificate."""
        return web.json_response(self._received.view(request.query.get("number")))

    async def delete_received(self, _request: web.Request) -> web.StreamResponse:
        """Forget what arrived; the vaults keep what they hold."""
        self._received.clear()
        return web.Response(status=204)

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Alive."""
        return web.json_response({"status": "ok", "received": self._received.total})
