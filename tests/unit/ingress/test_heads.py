"""What belongs to a head, and how much of it is taken."""

import asyncio

from aiohttp import web

from certpipe.ingress.heads import MOST_PIECES, BoundedHandler


class Wire(asyncio.Transport):
    """A transport that notes that it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def _opened(answered: asyncio.Event) -> tuple[BoundedHandler, Wire]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        answered.set()
        return web.Response()

    wire = Wire()
    handler = BoundedHandler(web.Server(answer), loop=asyncio.get_running_loop(), access_log=None)
    handler.connection_made(wire)
    return handler, wire


async def test_a_head_in_too_many_pieces_is_cut_off() -> None:
    handler, wire = await _opened(asyncio.Event())
    handler.data_received(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    for _ in range(MOST_PIECES - 1):
        handler.data_received(b"x")
    assert not wire.closed
    handler.data_received(b"x")
    assert wire.closed


async def test_a_body_may_come_in_as_many_pieces_as_it_likes() -> None:
    answered = asyncio.Event()
    handler, wire = await _opened(answered)
    handler.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (2 * MOST_PIECES))
    for _ in range(2 * MOST_PIECES):
        handler.data_received(b"x")
    await answered.wait()
    assert not wire.closed
    handler.force_close()


async def test_what_follows_a_whole_request_is_a_head_again() -> None:
    handler, wire = await _opened(asyncio.Event())
    handler.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    handler.data_received(b"GET /")
    for _ in range(MOST_PIECES - 1):
        handler.data_received(b"x")
    assert not wire.closed
    handler.data_received(b"x")
    assert wire.closed
