"""Free ports on the loopback interface."""

import random
import socket

# Below the range that outgoing connections take their ports from: a port found free there stays free until its
# server has started, unless another server is given it in the same moment.
_LOWEST, _HIGHEST = 15_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """So many different free ports, drawn at random so that two who look at the same moment hardly meet."""
    drawn = random.SystemRandom().sample(range(_LOWEST, _HIGHEST), 1_000)
    ports = [port for port in drawn if is_free(port)][:count]
    if len(ports) < count:
        raise RuntimeError(f"fewer than {count} free ports between {_LOWEST} and {_HIGHEST} on 127.0.0.1")
    return ports
