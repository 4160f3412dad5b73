"""Logs: structured, by an allow-list of fields, and never with the text or the locals of an exception."""

import logging
import sys
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from certpipe.core.errors import place

FIELDS: Final = (
    "codes",
    "defect",
    "end",
    "endpoint_id",
    "ends",
    "event_id",
    "seconds",
    "service",
    "stage",
    "tries",
    "upload_id",
    "uploads",
)
"""What may stand in a log line beside its sentence. A field that is not here is dropped, whatever it holds."""

QUIET: Final = ("aio_pika", "aiormq", "asyncio", "aiohttp.access")
"""Loggers that print frames, payloads or request lines at DEBUG: never below INFO."""


def _without_text(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and its last frames: its text may quote what was sent."""
    info = event.pop("exc_info", None)
    if info:
        error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else sys.exc_info()[1]
        event["defect"] = place(error) if error else "unknown"
    return event


class _FirstLine(logging.Filter):
    """Of what asyncio tells of a task that failed unseen, the sentence alone: below it stands the exception's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


_FIRST_LINE = _FirstLine()


def configure(*, role: str, level: str, pretty: bool | None = None) -> None:
    """Send every log line to standard error: JSON, or for people where standard error is a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=FIELDS),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_text,
                _with_role(role),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").addFilter(_FIRST_LINE)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))


def _with_role(role: str) -> structlog.typing.Processor:
    def add(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event["role"] = role
        return event

    return add
