"""What this machine can do: its cores, how long a run takes on it, from two measurements, and what is too large."""

import os
import time
from functools import cache

import torch

from models.network import Network
from training.fit import network_of, precision
from training.task import Settings
from training.tasks import TASKS

START = 6.0  # seconds until the first step: the process, PyTorch, the data
SEED = 0.12  # of the time of one, what each further seed adds that is trained at once with it
VALIDATION = 1.2  # a run takes this much longer than its training steps alone
T, PASSES = 10, 10  # time steps of the measurements, and how often each is made
LONGEST_RUN = 6 * 60 * 60  # seconds: others wait for their turn
LARGEST_DATA = 2 * 1024**3  # bytes: all of them are held in memory


def cores() -> int:
    """How many processes may really run at once: a container may be given fewer cores than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_size(settings: Settings, seeds: int = 1) -> None:
    """Raise ValueError, in one sentence, for a run that is too large for a machine that others use too."""
    check_data(settings, seeds)
    if seconds(settings, seeds) > LONGEST_RUN:
        hours = seconds(settings, seeds) / 3600
        raise ValueError(f"This run would take about {hours:,.0f} hours: choose fewer epochs or a smaller network.")


def check_data(settings: Settings, seeds: int = 1) -> None:
    """Raise ValueError, in one sentence, for data that are too large for the memory of any machine."""
    sequences, T = TASKS[settings.task].size(settings)
    numbers = 2 * sequences * T * TASKS[settings.task].input_size  # validation and test data too
    gigabytes = seeds * numbers * 4 / 1024**3
    if gigabytes * 1024**3 > LARGEST_DATA:
        raise ValueError(f"This data would take {gigabytes:,.0f} GB of memory: choose fewer or smaller batches.")


def seconds(settings: Settings, seeds: int = 1) -> float:
    """About how many seconds a run with these settings takes on one core of this machine, to within a factor of two.

    `seeds` are trained at once.
    """
    sequences, T = TASKS[settings.task].size(settings)
    steps = -(-sequences // settings.batch_size) * settings.epochs
    cells = T * settings.num_layers * (2 if settings.bidirectional else 1)
    # Every parameter is used once per sequence and time step.
    multiplications = num_parameters(settings) * T * settings.batch_size
    per_cell, per_multiplication = _speed()
    one = VALIDATION * steps * (cells * per_cell + multiplications * per_multiplication)
    return START + one * (1 + SEED * (seeds - 1))


def num_parameters(settings: Settings) -> int:
    """How many numbers a network with these settings trains."""
    with torch.device("meta"):  # nothing is allocated
        return network_of(settings).num_parameters()


@cache
def _speed() -> tuple[float, float]:
    """(seconds per cell and time step whatever its size, seconds per multiplication), forward and backward."""
    small, large = Network(28, 10, cell="gru", hidden_size=4), Network(28, 10, cell="gru", hidden_size=128)
    overhead, whole = _measure(small, batch_size=8), _measure(large, batch_size=100)
    return overhead / T, max(0.0, whole - overhead) / (large.num_parameters() * T * 100)


def _measure(network: Network, batch_size: int) -> float:
    """Seconds of one forward and backward pass over T time steps in the arithmetic of training, at its best.

    The first ones take several times as long. Counted is what this thread computes: it may have to wait for others.
    """
    x, best = torch.zeros(batch_size, T, network.input_size), float("inf")
    for _ in range(PASSES):
        began = time.thread_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision(network, "cpu") == "bfloat16"):
            network(x).sum().backward()
        best = min(best, time.thread_time() - began)
    return best
