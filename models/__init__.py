"""Recurrent networks, what happens inside them, and their files."""

import os

import torch

from models.network import CELLS, READOUTS, Network
from models.store import WeightsError, load, names, save
from models.trace import Trace, belief, belief_backwards, trace
from models.verdict import Verdict, verdict

# One thread, unless the environment says otherwise: a sequence is read ten times faster than by several threads that
# wait for each other, and training gives the same weights however many cores there are.
if "OMP_NUM_THREADS" not in os.environ:
    torch.set_num_threads(1)

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
