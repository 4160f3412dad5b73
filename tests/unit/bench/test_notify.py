"""What the benchmark of webhooks makes of what it measured, and its receiver."""

import asyncio
import json

from bench.notify import Latency, Throughput, tables
from bench.receiver import Connection, Seen

REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nWebhook-Id: evt_%d\r\nContent-Length: 2\r\n\r\n{}"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)


def test_the_cpu_of_all_notify_processes_is_told_as_one() -> None:
    cpu = {"notify 1": 0.1, "notify 2": 0.2, "PostgreSQL": 0.05, "receiver": 0.04}
    idle, backlog = tables(Latency(9, 6.25, 17.0), [Throughput(10, 2, 20_000, 3_163.4, cpu)])
    assert idle[1] == ("9 events", "6.2", "17.0")
    assert backlog[1] == ("20000", "10", "2", "3163", "0.300", "0.050", "0.040")


def test_the_receiver_counts_and_answers_whole_requests_however_they_are_cut() -> None:
    seen, transport = Seen(), Transport()
    connection = Connection(seen)
    connection.connection_made(transport)
    whole = REQUEST % 1 + REQUEST % 2 + REQUEST % 1
    for start in range(0, len(whole), 7):
        connection.data_received(whole[start : start + 7])
    assert transport.written.count(b"204 No Content") == seen.count == 3
    told = json.loads(seen.told(ids=True))
    assert (told["count"], told["distinct"], set(told["at"])) == (3, 2, {"evt_1", "evt_2"})
    assert seen.count == 0
