"""Receivers of webhooks: real servers that judge what comes as they were told to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

Judge = Callable[[dict[str, str], bytes], int]


@dataclass
class Received:
    """Where the receiver is, and what came."""

    url: str
    deliveries: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiver(judge: Judge) -> Iterator[Received]:
    """A receiver on a free port that answers with the status that `judge` gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            received.deliveries.append((headers, body))
            self.send_response(judge(headers, body))
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{server.server_port}/hooks")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def careful(secret: str | Path) -> Judge:
    """As the public library does it. A secret may be in a file that is not there yet."""

    def judge(headers: dict[str, str], body: bytes) -> int:
        try:
            Webhook(secret if isinstance(secret, str) else secret.read_text().strip()).verify(body, headers)
        except WebhookVerificationError:
            return 401
        return 204

    return judge
