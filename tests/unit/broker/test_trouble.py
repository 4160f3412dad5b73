"""Faults in words."""

import pytest
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ConnectionClosed,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

from certpipe.broker.trouble import explain


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ProbableAuthenticationError("ACCESS_REFUSED"), "rabbitmqctl add_user"),
        (ConnectionNotAllowed("somewhere"), "rabbitmqctl add_vhost"),
        (ChannelAccessRefused("ACCESS_REFUSED - queue"), "rabbitmqctl set_permissions"),
        (ChannelNotFoundEntity("NOT_FOUND - no queue"), "certpipe topology apply"),
        (TimeoutError(), "memory and disk alarms"),
        (ConnectionClosed(320, "CONNECTION_FORCED"), "See whether it runs"),
        (ConnectionRefusedError(111, "refused"), "See whether it runs"),
    ],
)
def test_every_known_fault_has_its_remedy(error: BaseException, remedy: str) -> None:
    assert remedy in explain(error)


def test_of_an_unknown_fault_only_the_type_is_told() -> None:
    assert explain(ValueError("Unexpected frame b'secret'")) == "unexpected ValueError"
