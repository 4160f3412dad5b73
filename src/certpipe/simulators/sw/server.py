"""The server: routes, the bearer check, the faults; and starting and stopping it."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from certpipe.core.clock import Clock, SystemClock
from certpipe.simulators.sw import envelopes
from certpipe.simulators.sw.auth import Account, Auth
from certpipe.simulators.sw.control import Control
from certpipe.simulators.sw.efisco import EfiscoVault
from certpipe.simulators.sw.faults import Faults
from certpipe.simulators.sw.received import Received
from certpipe.simulators.sw.suffering import Handler, suffer
from certpipe.simulators.sw.vault import Vault

LARGEST_BODY = 16 * 1024 * 1024
_FIELS = "/gestion/v1/api/certificates"


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator; both base addresses of SW are its `url`."""

    url: str
    _runner: web.AppRunner = field(repr=False)
    _stopping: asyncio.Event = field(repr=False)

    async def stop(self) -> None:
        """Let go whoever hangs, close. Idempotent."""
        self._stopping.set()
        await self._runner.cleanup()


async def start_simulator(
    host: str = "127.0.0.1", port: int = 0, *, account: Account | None = None, clock: Clock | None = None
) -> Simulator:
    """Serve on that address; port 0 takes a free one. Raises `OSError` when the address cannot be had."""
    stopping = asyncio.Event()
    app = build_app(account or Account(), clock or SystemClock(), stopping)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except BaseException:
        await runner.cleanup()
        raise
    address = runner.addresses[0]
    shown = f"[{host}]" if ":" in host else host
    return Simulator(f"http://{shown}:{address[1]}", runner, stopping)


def build_app(account: Account, clock: Clock, stopping: asyncio.Event) -> web.Application:
    """Every route of SW, of Efisco, and the simulator's own."""
    faults, received = Faults(), Received()
    auth = Auth(account, clock)
    serve = _Serving(auth, faults, clock, stopping)
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes(_auth_routes(auth, serve))
    app.add_routes(_vault_routes(Vault(received, clock), serve))
    app.add_routes(_efisco_routes(EfiscoVault(received, clock), serve))
    app.add_routes(_control_routes(Control(faults, received)))
    return app


class _Serving:
    """Puts the faults, and where needed the bearer check, before a handler."""

    def __init__(self, auth: Auth, faults: Faults, clock: Clock, stopping: asyncio.Event) -> None:
        self._auth = auth
        self._faults = faults
        self._clock = clock
        self._stopping = stopping

    def openly(self, service: str, handler: Handler) -> Handler:
        """Anybody may call it."""

        async def served(request: web.Request) -> web.StreamResponse:
            rule = self._faults.next(request.method, request.path, service)
            if rule is None:
                return await handler(request)
            return await suffer(rule, request, handler, clock=self._clock, stopping=self._stopping)

        return served

    def guarded(self, service: str, handler: Handler) -> Handler:
        """Only with a good token."""

        async def checked(request: web.Request) -> web.StreamResponse:
            if self._auth.admits(request.headers):
                return await handler(request)
            await request.read()
            return envelopes.error(401, envelopes.NOT_AUTHORIZED)

        return self.openly(service, checked)


def _auth_routes(auth: Auth, serve: _Serving) -> list[web.RouteDef]:
    return [
        web.post("/v2/security/authenticate", serve.openly("auth", auth.authenticate)),
        web.post("/security/authenticate", serve.openly("auth", auth.authenticate_by_headers)),
    ]


def _vault_routes(vault: Vault, serve: _Serving) -> list[web.RouteDef]:
    def guarded(handler: Handler) -> Handler:
        return serve.guarded("vault", handler)

    return [
        web.post("/certificates/save", guarded(vault.save)),
        web.get("/certificates", guarded(vault.all), allow_head=False),
        web.get("/certificates/rfc/{rfc}", guarded(vault.by_rfc), allow_head=False),
        web.get("/certificates/rfc/{rfc}/{type}", guarded(vault.active), allow_head=False),
        web.get("/certificates/type/{type}", guarded(vault.by_type), allow_head=False),
        web.get("/certificates/{number}", guarded(vault.by_number), allow_head=False),
        web.delete("/certificates/{number}", guarded(vault.delete)),
    ]


def _efisco_routes(efisco: EfiscoVault, serve: _Serving) -> list[web.RouteDef]:
    return [
        web.post(f"{_FIELS}/create/fiel", serve.guarded("efisco", efisco.create)),
        web.post(f"{_FIELS}/get/fiel", serve.guarded("efisco", efisco.list)),
        web.delete(_FIELS + "/{rfc}", serve.guarded("efisco", efisco.delete)),
    ]


def _control_routes(control: Control) -> list[web.RouteDef]:
    return [
        web.put("/_faults", control.put_faults),
        web.get("/_faults", control.get_faults),
        web.delete("/_faults", control.delete_faults),
        web.get("/_received", control.get_received),
        web.delete("/_received", control.delete_received),
        web.get("/_health", control.health),
    ]
