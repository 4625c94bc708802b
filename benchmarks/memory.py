"""Whether the server's memory stays flat over 100 runs that one page starts and looks at, one after the other.

`python benchmarks/memory.py` prints a table, `--write` puts it into benchmarks/README.md. Linux only.

A WebSocket session (see load.py) presses Train on the page Addition again and again, looks at each run's curves as the
browser does, and gets each network on its page when the run is done.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from streamlit.proto.WidgetStates_pb2 import WidgetState

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.load import Session, connected, resident
from benchmarks.readme import machine, write_section
from tests import live

MEASURED = (0, 10, 25, 50, 75, 100)  # runs after which memory is measured
AT_ONCE = 4  # two in training and two in the queue, on two cores
TINY = "addition_tab=Train&train_addition_num_batches=10&train_addition_epochs=1&train_addition_hidden_size=2"
TOO_LONG = 120.0  # seconds without a run's end


def finished(server: live.Server) -> int:
    """How many runs have left a network."""
    return sum(1 for _ in server.runs.glob("*/weights.safetensors"))


async def train(session: Session, server: live.Server, runs: int) -> None:
    """Start runs, and look at them, until so many have ended. Raises RuntimeError where none ends."""
    started = done = finished(server)
    last = time.monotonic()
    while done < runs:
        if started < min(runs, done + AT_ONCE):
            button, fragment = session.widget("train_addition_start")
            await session.run(fragment, WidgetState(id=button, trigger_value=True))
            started += 1
        await session.repeat()
        await asyncio.sleep(0.5)
        if (now := finished(server)) > done:
            done, last = now, time.monotonic()
        if time.monotonic() - last > TOO_LONG:
            raise RuntimeError(f"no run has ended for {TOO_LONG:.0f} s, after {done}")


async def measure(server: live.Server) -> dict[int, float]:
    """Megabytes of resident memory of the server after so many runs."""
    sizes = {}
    async with connected(server.url) as socket:
        session = Session(socket, "addition", TINY)
        await session.run()
        for runs in MEASURED:
            await train(session, server, runs)
            sizes[runs] = resident(server.pid)
            print(f"after {runs} runs: {sizes[runs]:,.0f} MB", file=sys.stderr)
    return sizes


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, live.server(Path(folder) / "log.txt") as server:
        sizes = asyncio.run(measure(server))
    table = "\n".join(
        [
            "| runs that have ended | " + " | ".join(map(str, sizes)) + " |",
            "| --- |" + " --: |" * len(sizes),
            "| memory of the server, MB | " + " | ".join(f"{size:,.0f}" for size in sizes.values()) + " |",
        ]
    )
    print(table)
    if chosen.write:
        text = f"Resident memory of the server while one page starts and watches runs: {machine()}.\n\n{table}"
        write_section("memory", "Memory over 100 runs", "python benchmarks/memory.py --write", text)


if __name__ == "__main__":
    main()
