"""Unit tests open no sockets."""

import socket
from typing import NoReturn

import pytest


class SocketUsedError(AssertionError):
    """Not an `OSError`, so that no code under test handles it."""


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop's own pair of sockets is spared: it is made without any of these."""

    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise SocketUsedError("a unit test opens a socket: it belongs into tests/integration")

    for method in ("bind", "connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, method, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
