"""The libraries may not log what is sent."""

import logging

import aiormq.connection  # noqa: F401 - its logger must exist
import pytest
from pamqp.body import ContentBody

from certpipe.broker import quiet


def test_debug_stays_off_whatever_level_is_set_later(caplog: pytest.LogCaptureFixture) -> None:
    quiet.pin()
    quiet.pin()
    logger = logging.getLogger("aiormq.connection")
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="aiormq.connection"):
        logger.debug("Received frame %r", b"secret")
        logger.warning("Server connection %r was stuck", "here")
    assert caplog.messages == ["Server connection 'here' was stuck"]
    assert len([one for one in logger.filters if isinstance(one, quiet.NoFrames)]) == 1


def test_a_frame_in_a_warning_is_named_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    quiet.pin()
    logging.getLogger("aiormq.connection").error("Unexpected frame %r, %r", ContentBody(b"secret"), b"secret")
    assert caplog.messages == ["Unexpected frame '<ContentBody>', '<bytes>'"]
