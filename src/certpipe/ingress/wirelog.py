"""What aiohttp logs of requests that it cannot read: without their bytes, which may be a token or a password."""

import logging

from certpipe.core.errors import place


class _WithoutTexts(logging.Filter):
    """Replaces an exception, whose text quotes the request, by its kind and place."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            record.msg, record.args = f"{record.getMessage()}: {place(record.exc_info[1])}", None
            record.exc_info = None
        return True


def wire_logger() -> logging.Logger:
    """A logger for `web.AppRunner`."""
    logger = logging.getLogger(__name__)
    if not logger.filters:
        logger.addFilter(_WithoutTexts())
    return logger
