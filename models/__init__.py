"""Recurrent networks, what happens inside them, and their files."""

from models.network import CELLS, READOUTS, Network
from models.store import WeightsError, load, names, save
from models.trace import Trace, belief, belief_backwards, trace

__all__ = [
    "CELLS",
    "READOUTS",
    "Network",
    "Trace",
    "WeightsError",
    "belief",
    "belief_backwards",
    "load",
    "names",
    "save",
    "trace",
]
