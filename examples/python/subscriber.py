# ruff: noqa: INP001, T201 - a script to copy, not a module; it prints what it is told
r"""Be told by AMQP of what becomes of an organization's uploads: print each event once.

    AMQP_URL=amqps://sub-erp:secret@broker/certpipe python subscriber.py \
        --organization UUID --queue sub.erp.events --types 'certificate.*' upload.rejected upload.failed

Needs `pip install pika`, and a broker user as docs/operations.md makes it. Ends with an error when the connection is
lost: let your supervisor start it again. Meanwhile the queue keeps what comes.
"""

import argparse
import json
import os
import sys
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

EXCHANGE = "certpipe.events"


def handle(event: dict[str, Any]) -> None:
    """Your work, done once: events come at least once, and now and then in another order.

    Insert `event["id"]` into a table with a unique key, in the transaction of your work; if it was there already, do
    nothing. Of two events of one upload the one with the greater `sequence` is the later.
    """
    print(event["timestamp"], event["type"], event["id"], flush=True)


def subscribe(channel: BlockingChannel, organization: str, queue: str, types: list[str]) -> None:
    """Have a queue, bind it, and say so: from now on nothing is missed."""
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    for type_ in types:
        channel.queue_bind(queue, EXCHANGE, f"{organization}.{type_}")
    print("listening", file=sys.stderr, flush=True)


def listen(channel: BlockingChannel, queue: str) -> None:
    """Handle what comes, one by one. What is not acknowledged comes again."""
    channel.basic_qos(prefetch_count=20)
    for method, _, body in channel.consume(queue):
        handle(json.loads(body))
        channel.basic_ack(method.delivery_tag)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Print the events of an organization.")
    parser.add_argument("--organization", required=True)
    parser.add_argument("--queue", required=True, help="under the prefix that your user may have, like sub.erp.events")
    parser.add_argument("--types", nargs="+", default=["#"], help="event types, or patterns of them; default: all")
    return parser.parse_args()


def main() -> None:
    """Subscribe and listen until interrupted."""
    given = arguments()
    if not os.environ.get("AMQP_URL"):
        sys.exit("AMQP_URL is not set")
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        channel = connection.channel()
        subscribe(channel, given.organization, given.queue, given.types)
        listen(channel, given.queue)
    finally:
        if connection.is_open:
            connection.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - one line: a traceback helps nobody, and may quote the URL
        sys.exit(repr(error))
