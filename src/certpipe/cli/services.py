"""What `certpipe doctor` asks the servers: certpipe itself, the database, the broker."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from certpipe.broker.problems import TopologyError
from certpipe.cli.client import Answer, Client, open_client
from certpipe.cli.connection import Connection, redact
from certpipe.cli.environment import amqp_url, database_url
from certpipe.cli.failure import CommandError
from certpipe.cli.findings import Finding, ok, skipped, warning, wrong
from certpipe.cli.migrate import look
from certpipe.cli.problems import clean
from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.settings import Settings
from certpipe.store.migrate import DatabaseRefusedError

MOST_SKEW = timedelta(seconds=30)
"""What the server forgives when it judges a token."""


async def ask(settings: Settings, connection: Connection | None, clock: Clock) -> Sequence[Finding]:
    """Everything that needs the network."""
    return (*await _http(connection, clock), await _database(settings), await _broker(settings))


async def _http(connection: Connection | None, clock: Clock) -> Sequence[Finding]:
    if connection is None:
        return (skipped("server", "none is known; make up starts one here"),)
    async with open_client(connection) as client:
        try:
            live = await client.get("/livez", patience=5)
        except CommandError as error:
            return (wrong("server", error.message, error.hint or "look at its log."),)
        findings = [ok("server", f"{connection.url} lives"), await _ready(client)]
        if connection.token:
            findings.append(await _token(client))
    return (*findings, skew(live.headers, clock.now()))


async def _ready(client: Client) -> Finding:
    try:
        answer = await client.get("/readyz", {"verbose": "1"}, patience=5)
    except CommandError as error:
        missing = _missing(error.document)
        return wrong("readiness", f"not ready: {missing}" if missing else "not ready", "look at its log.")
    return _optional(answer)


def _missing(document: Mapping[str, object]) -> str:
    checks = document.get("checks")
    probes = [probe for probe in checks if isinstance(probe, dict)] if isinstance(checks, list) else []
    return ", ".join(clean(probe.get("name")) for probe in probes if probe.get("ok") is False)


def _optional(answer: Answer) -> Finding:
    missing = _missing(answer.body)
    if missing:
        return warning("readiness", f"ready, without {missing}", "it goes on; look at what is missing.")
    return ok("readiness", "ready")


async def _token(client: Client) -> Finding:
    try:
        await client.get("/v1/organizations", patience=5)
    except CommandError as error:
        return wrong("access", error.message.splitlines()[0], error.hint or "issue a new token.")
    return ok("access", "the server takes the token")


def skew(headers: Mapping[str, str], now: datetime) -> Finding:
    """How far this clock is from the server's."""
    try:
        there = parsedate_to_datetime(headers["Date"])
        apart = abs(there - now)
    except (KeyError, TypeError, ValueError):
        return skipped("clock", "the server does not tell its time")
    if apart > MOST_SKEW:
        return wrong("clock", f"{apart.total_seconds():.0f} s from the server's", "set both by NTP: timedatectl")
    return ok("clock", "agrees with the server's")


async def _database(settings: Settings) -> Finding:
    name = "database"
    if settings.database_url is None:
        return skipped(name, "CERTPIPE_DATABASE_URL is not set")
    try:
        url = database_url()
        await look(url)
    except CommandError as error:
        return wrong(name, error.message, error.hint or "")
    except DatabaseRefusedError as error:
        return wrong(name, str(error), "certpipe migrate brings an empty or older database up to date.")
    except Unavailable:
        return wrong(name, f"{redact(url)} cannot be reached", "is PostgreSQL running there? Look at its log.")
    return ok(name, f"{redact(url)} is ours, with this version's schema")


async def _broker(settings: Settings) -> Finding:
    name = "broker"
    if settings.amqp_url is None:
        return skipped(name, "CERTPIPE_AMQP_URL is not set; everything in one process needs none")
    from certpipe.broker.declare import verify  # noqa: PLC0415 - the driver is loaded where there is a broker

    try:
        url = amqp_url()
        await verify(url)
    except CommandError as error:
        return wrong(name, error.message, error.hint or "")
    except TopologyError as error:
        return wrong(name, str(error), "certpipe topology apply declares what is missing.")
    except Unavailable as error:
        hints = [problem.hint for problem in error.problems if problem.hint]
        return wrong(name, f"{redact(url)} cannot be reached", " ".join(hints) or "is RabbitMQ running there?")
    return ok(name, f"{redact(url)} has the topology")
