"""The guard in conftest.py, without which nobody would notice a unit test that uses the network."""

import asyncio
import socket

import pytest

from tests.unit.conftest import SocketUsedError


def test_a_unit_test_cannot_open_a_socket() -> None:
    with pytest.raises(SocketUsedError):
        socket.create_connection(("127.0.0.1", 9))


async def test_a_unit_test_cannot_open_a_connection_in_a_loop() -> None:
    with pytest.raises(SocketUsedError):
        await asyncio.open_connection("127.0.0.1", 9)
