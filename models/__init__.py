"""Recurrent networks, what happens inside them, and their files."""

import os

# One thread, unless the environment says otherwise, and before PyTorch is loaded: a sequence is read ten times faster
# than by several threads that wait for each other, and training gives the same weights however many cores there are.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from models.network import CELLS, READOUTS, Network
from models.store import WeightsError, load, names, save
from models.trace import Trace, belief, belief_backwards, trace
from models.verdict import Verdict, verdict

__all__ = [
    "CELLS",
    "READOUTS",
    "Network",
    "Trace",
    "Verdict",
    "WeightsError",
    "belief",
    "belief_backwards",
    "load",
    "names",
    "save",
    "trace",
    "verdict",
]
