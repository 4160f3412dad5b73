"""A real HTTP server in a thread that answers like the API, one scripted answer after the other."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel


@dataclass(frozen=True)
class Reply:
    """One answer. `body`: a contract, a document, or text that is no JSON. `kind`: of such text."""

    status: int = 200
    body: BaseModel | dict[str, Any] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "text/html"

    def response(self) -> web.Response:
        if isinstance(self.body, BaseModel):
            return web.Response(
                status=self.status,
                text=self.body.model_dump_json(),
                headers=self.headers,
                content_type="application/json",
            )
        if isinstance(self.body, dict):
            kind = "application/problem+json" if self.status >= 400 else "application/json"
            return web.Response(status=self.status, text=json.dumps(self.body), headers=self.headers, content_type=kind)
        return web.Response(status=self.status, text=self.body or "", headers=self.headers, content_type=self.kind)


@dataclass(frozen=True)
class Received:
    """One request as it came. `form`: the multipart fields."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, bytes]
    document: Any


@dataclass
class FakeApi:
    """What it will answer, by method and path (the last answer stays), and what it was asked."""

    url: str
    script: dict[str, list[Reply]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def answers(self, request: str, *replies: Reply) -> None:
        """`request`: method and path with query, as in `GET /v1/uploads`."""
        self.script[request] = list(replies)

    async def handle(self, request: web.Request) -> web.Response:
        is_form = request.content_type == "multipart/form-data"
        form = {name: _bytes(value) for name, value in (await request.post()).items()} if is_form else {}
        document = await request.json() if request.content_type == "application/json" else None
        self.received.append(
            Received(request.method, request.path_qs, dict(request.headers), form, document),
        )
        replies = self.script.get(f"{request.method} {request.path_qs}") or self.script.get(
            f"{request.method} {request.path}"
        )
        if not replies:
            return Reply(404, {"code": "not_found", "title": "Nothing here", "detail": "No existe"}).response()
        return (replies.pop(0) if len(replies) > 1 else replies[0]).response()


def _bytes(value: str | bytes | bytearray | web.FileField) -> bytes:
    if isinstance(value, web.FileField):
        return value.file.read()
    return value.encode() if isinstance(value, str) else bytes(value)


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    """A server on a free port, for the time of a `with`."""
    api, started, loop = FakeApi(""), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", api.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        api.url = f"http://{host}:{port}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
