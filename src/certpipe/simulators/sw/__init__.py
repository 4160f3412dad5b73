"""SW Sapien and Efisco as one real server: the documented shapes, invented texts (labelled so), switchable faults."""

from certpipe.simulators.sw.server import Simulator, start_simulator

__all__ = ["Simulator", "start_simulator"]
