"""What the AMQP libraries may log. At DEBUG they write every frame, and frames hold what producers send."""

import logging

from aiormq.abc import DeliveredMessage
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

_LIBRARIES = ("aiormq", "aio_pika", "pamqp")


_TOLD_BY_US = "error when creating transport"
"""Of each failed try to connect; `trouble.explain` says the same in words, with the remedy."""


class NoFrames(logging.Filter):
    """Refuses what is less than INFO, whatever level somebody sets, and names a frame instead of showing it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_named(argument) for argument in record.args)
        return record.levelno >= logging.INFO and not str(record.msg).startswith(_TOLD_BY_US)


_NO_FRAMES = NoFrames()


def pin() -> None:
    """Put the filter on each logger of the libraries. A filter holds for its own logger only, not for the children."""
    for name in [*_LIBRARIES, *logging.root.manager.loggerDict]:
        if name.split(".", 1)[0] in _LIBRARIES:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))
            logger.addFilter(_NO_FRAMES)


def _named(argument: object) -> object:
    if isinstance(argument, DeliveredMessage | ContentBody | ContentHeader | bytes | bytearray | ValueError):
        return f"<{type(argument).__name__}>"
    return argument
