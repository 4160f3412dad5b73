"""What callers are told when the broker does not do its part."""

from dataclasses import replace

from certpipe.core.problems import Problem
from schemas.status import Actor

BROKER_UNAVAILABLE = Problem(
    "broker_unavailable",
    "El servicio de mensajería no está disponible; el proceso continuará cuando se restablezca",
    "The message broker is not available; processing goes on when it is back",
    hint="See whether RabbitMQ runs and can be reached, and run `certpipe topology apply`.",
    actor=Actor.OPERATOR,
    status=503,
)

BROKER_REFUSED = replace(
    BROKER_UNAVAILABLE,
    code="broker_refused",
    message_es="El servicio de mensajería rechaza al usuario o su espacio",
    message_en="The message broker refuses this user, or its virtual host",
)
"""It answered, and no waiting will change the answer. Told with the remedy as its hint."""


class TopologyError(Exception):
    """The broker's exchanges or queues are not those of `topology`. The text names each, and what to do."""
