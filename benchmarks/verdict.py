"""How many adders get a verdict that decides, and how soon: tanh RNNs as the training panel makes them.

`python benchmarks/verdict.py` trains 64 seeds each with 5 and 10 hidden units, examines every network and prints a
table; `--write` puts it into benchmarks/README.md.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.readme import machine, write_section
from models import verdict
from models.network import Network
from training.stacked import build_stacked, fit_stacked
from training.task import Settings
from training.tasks import TASKS

HIDDEN_SIZES = (5, 10)
SOON = 2.0  # seconds
HEAD = """| networks | proved | fails | not decided | decided | in 2 s | median, s | longest decided, s | longest, s |
| --- | --: | --: | --: | --: | --: | --: | --: | --: |
"""


def trained(settings: Settings, seeds: int) -> list[Network]:
    """The networks of the first seeds."""
    stacked = build_stacked(settings, range(seeds))
    for _ in fit_stacked(stacked, settings, range(seeds)):
        pass
    return stacked.unstack()


def row(name: str, networks: list[Network]) -> str:
    """A line of the table: the verdicts and how long they took."""
    kinds, times = [], []
    for network in networks:
        began = time.perf_counter()
        kinds.append(verdict(network).kind)
        times.append(time.perf_counter() - began)
    decided = [seconds for kind, seconds in zip(kinds, times, strict=True) if kind != "undecided"]
    counts = " | ".join(str(kinds.count(kind)) for kind in ("proved", "fails", "undecided"))
    soon = sum(seconds < SOON for seconds in decided)
    shares = " | ".join(f"{count / len(networks):.0%}" for count in (len(decided), soon))
    longest = f"{max(decided, default=0):.2f} | {max(times):.2f}"
    return f"| {name} | {counts} | {shares} | {median(times):.2f} | {longest} |"


def main() -> None:
    """Train, examine, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=64, help="how many networks of each kind (default: 64)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    chosen = parser.parse_args()
    rows = []
    for hidden_size in HIDDEN_SIZES:
        settings = replace(TASKS["addition"].defaults, cell="rnn", hidden_size=hidden_size)
        rows.append(row(f"tanh RNN, {hidden_size} hidden units", trained(settings, chosen.seeds)))
        print(rows[-1], flush=True)
    text = f"{machine()}; the report's settings, seeds 0 to {chosen.seeds - 1}.\n\n{HEAD}" + "\n".join(rows)
    if chosen.write:
        write_section("verdict", "Verdicts on adders", "python benchmarks/verdict.py --write", text)


if __name__ == "__main__":
    main()
