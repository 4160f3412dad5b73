"""What went wrong with RabbitMQ, and what to do, in words that may be logged."""

from collections.abc import Sequence

from aiormq.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

_WORDS: Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = (
    (
        (AuthenticationError, ProbableAuthenticationError),
        (
            "RabbitMQ refuses this user. Correct the name and the password in the broker's URL, or add the user: "
            "rabbitmqctl add_user NAME, then rabbitmqctl set_permissions"
        ),
    ),
    (
        ConnectionNotAllowed,
        (
            "RabbitMQ refuses the virtual host ({error}). Correct the path of the broker's URL, or give the user "
            "access: rabbitmqctl add_vhost, rabbitmqctl set_permissions -p"
        ),
    ),
    (ChannelAccessRefused, "{error}. Give the user that permission: rabbitmqctl set_permissions"),
    (ChannelNotFoundEntity, "{error}. Run `certpipe topology apply`"),
    (
        TimeoutError,
        "RabbitMQ does not answer in time. See its log, its memory and disk alarms, and the network",
    ),
    (
        (AMQPConnectionError, OSError),
        "RabbitMQ cannot be reached or broke off ({error}). See whether it runs at that address",
    ),
    (AMQPError, "RabbitMQ closed the channel ({error})"),
)


def explain(error: BaseException) -> str:
    """The fault and its remedy. Of foreign errors only the type is told: their text may quote what was sent."""
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words.format(error=str(error) or type(error).__name__)
    return f"unexpected {type(error).__name__}"
