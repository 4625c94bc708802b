"""64 seeds of a small network trained at once, side by side with one seed alone and with 64 in a row.

`python benchmarks/stacked.py` times all three in turns in one process, the report's settings with 5 hidden units
each, data, validation and all, on all cores, and prints ratios; `--write` puts it into benchmarks/README.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.readme import machine, write_section
from training.fit import build, fit
from training.stacked import build_stacked, fit_stacked
from training.task import Settings
from training.tasks import TASKS

NETWORKS = {
    "addition, LSTM": ("addition", "lstm"),
    "addition, GRU": ("addition", "gru"),
    "addition, RNN": ("addition", "rnn"),
    "recall, bidirectional LSTM": ("recall", "lstm"),
}
TIMED = 8  # of the seeds in a row; the others take as long
HEAD = """| network | one, s | {seeds} at once, s | {seeds} in a row, s | at once / one | in a row / at once |
| --- | --: | --: | --: | --: | --: |
"""


def alone(settings: Settings, seed: int) -> None:
    """An ordinary run of one seed."""
    settings = replace(settings, seed=seed)
    list(fit(build(settings), TASKS[settings.task].load_data(settings), settings))


def at_once(settings: Settings, seeds: int) -> None:
    """All seeds stacked."""
    list(fit_stacked(build_stacked(settings, range(seeds)), settings, range(seeds)))


def in_a_row(settings: Settings, seeds: int) -> None:
    """The first of all seeds, one after the other."""
    for seed in range(min(seeds, TIMED)):
        alone(settings, seed)


def seconds(work: Callable[..., None], *given: object) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work(*given)
    return time.perf_counter() - began


def row(name: str, rounds: int, seeds: int) -> str:
    """A line of the table: the shortest times of several rounds, which other work on the machine disturbs least."""
    task, cell = NETWORKS[name]
    settings = replace(TASKS[task].defaults, cell=cell, hidden_size=5)
    alone(settings, 0)  # the first call loads what PyTorch loads late
    row = seconds(in_a_row, settings, seeds) * seeds / min(seeds, TIMED)
    one, stacked = float("inf"), float("inf")
    for _ in range(rounds):
        one = min(one, seconds(alone, settings, 0))
        stacked = min(stacked, seconds(at_once, settings, seeds))
    return f"| {name} | {one:.2f} | {stacked:.2f} | {row:.1f} | {stacked / one:.1f} | {row / stacked:.1f} |"


def main() -> None:
    """Time, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often one and many take turns (default: 3)")
    parser.add_argument("--seeds", type=int, default=64, help="how many seeds (default: 64)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    chosen = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    rows = []
    for name in NETWORKS:
        rows.append(row(name, chosen.rounds, chosen.seeds))
        print(rows[-1], flush=True)
    text = (
        f"{machine()}; the shortest of {chosen.rounds} rounds ({chosen.seeds} in a row: one round of {TIMED}, "
        f"the rest reckoned); the report's settings with hidden size 5, fp32.\n\n{HEAD.format(seeds=chosen.seeds)}"
    ) + "\n".join(rows)
    if chosen.write:
        command = "python benchmarks/stacked.py --write"
        write_section("stacked", f"{chosen.seeds} seeds at once", command, text)


if __name__ == "__main__":
    main()
