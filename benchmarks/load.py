"""A class on one server: 30 people at once, of whom 3 train and 27 classify, query and add.

`python benchmarks/load.py` prints a table, `--write` puts it into benchmarks/README.md. Linux only.

Thirty browsers would take more of the machine than the server does, so each person is a WebSocket session that speaks
Streamlit's own protocol, as the browser does: it opens a page, keeps what it has entered, gives one new input every 3
to 5 seconds, and asks for running fragments anew when the server told it to. An input's time is taken from sending it
to the message that all of its answer has been sent; what a browser needs to draw it comes on top (see latency.py).
Every answer is looked at: an exception on the page, a wrong sum of 5 bits, a wrong digit or no answer is an error.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.readme import machine, write_section
from tests import live

SEED = 0
PEOPLE, TRAINING = 30, 3
THINKING = (3.0, 5.0)  # seconds between two inputs of a person
TOO_LONG = 30.0  # seconds for an answer
DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


@dataclass
class Results:
    """What all people have met: seconds per kind of input, and sentences on what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class Session:
    """One person's connection to the server."""

    def __init__(self, socket: websockets.ClientConnection, page: str, query: str) -> None:
        self.socket, self.page, self.query = socket, page, query
        self.widgets: dict[str, tuple[str, str]] = {}  # end of the id -> (id, its fragment)
        self.entered: dict[str, WidgetState] = {}
        self.repeated: dict[str, float] = {}  # fragment -> seconds between its runs

    async def run(self, fragment: str = "", pressed: WidgetState | None = None) -> str:
        """Have the script run, and return all that it has written in HTML and Markdown. Raises RuntimeError."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = self.page
        message.rerun_script.fragment_id = fragment
        states = [*self.entered.values(), *([pressed] if pressed else [])]
        message.rerun_script.widget_states.widgets.extend(states)
        await self.socket.send(message.SerializeToString())
        texts: list[str] = []
        while True:
            answer = ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), TOO_LONG))
            kind = answer.WhichOneof("type")
            if kind == "delta":
                self._read(answer, texts)
            elif kind == "auto_rerun":
                self.repeated[answer.auto_rerun.fragment_id] = answer.auto_rerun.interval
            elif kind == "script_finished" and answer.script_finished in DONE:
                return "\n".join(texts)
            elif kind == "script_finished":
                self.repeated.clear()  # the whole script runs anew, and says what is to be repeated from now on

    async def repeat(self) -> None:
        """Have each fragment run that is to be repeated, as the browser does by itself."""
        for fragment in list(self.repeated):
            if fragment in self.repeated:
                await self.run(fragment)

    def _read(self, message: ForwardMsg, texts: list[str]) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind is None:
            return
        body = getattr(element, kind)
        if kind == "exception":
            raise RuntimeError(f"exception on {self.page}: {body.message}")
        if name := getattr(body, "id", ""):
            self.widgets[name] = (name, message.delta.fragment_id)
        if text := getattr(body, "body", ""):
            texts.append(text)

    def widget(self, key: str) -> tuple[str, str]:
        """Id and fragment of the widget with this key."""
        return next(found for name, found in self.widgets.items() if name.endswith(f"-{key}"))

    async def enter(self, key: str, **value: float | str) -> str:
        """Give a widget another value."""
        name, fragment = self.widget(key)
        self.entered[name] = WidgetState(id=name, **value)
        return await self.run(fragment)


async def digits(session: Session) -> str:
    """Classify another test image."""
    text = await session.enter("sample", double_value=random.randrange(1797))
    return "" if 'class="digit"' in text else "no digit was named"


async def recall(session: Session) -> str:
    """Ask for the digit at index 1 of another sequence."""
    sequence = "".join(random.choices("0123456789", k=random.randint(3, 10)))
    text = await session.enter("sequence", string_value=sequence)
    return "" if f"The answer is {sequence[1]}" in text else f"the second digit of {sequence} was not named"


async def addition(session: Session) -> str:
    """Add another number of 5 bits."""
    text = await session.enter("a", string_value=f"{random.randrange(32):05b}")
    return "" if ": right" in text else "a sum of 5 bits was not right"


KINDS: dict[str, tuple[Callable, str]] = {
    "digits": (digits, "input=Test+image"),
    "recall": (recall, ""),
    "addition": (addition, ""),
}
# Runs that last longer than two minutes, as many as do not fit two cores.
RUNS = {
    "digits": "digits_tab=Train&train_digits_hidden_size=128&train_digits_epochs=50",
    "recall": "recall_tab=Train&train_recall_epochs=500",
    "addition": "addition_tab=Train&train_addition_epochs=900",
}


async def person(kind: str, url: str, end: float, results: Results) -> None:
    """Someone who gives one input after the other until the end."""
    act, query = KINDS[kind]
    async with connected(url) as socket:
        session = Session(socket, kind, query)
        await asyncio.sleep(random.uniform(0, THINKING[1]))
        await session.run()
        while time.monotonic() < end:
            await asyncio.sleep(random.uniform(*THINKING))
            start = time.monotonic()
            if problem := await act(session):
                results.errors.append(f"{kind}: {problem}")
            results.seconds.setdefault(kind, []).append(time.monotonic() - start)


async def trainer(kind: str, url: str, end: float, results: Results) -> None:
    """Someone who starts a run and looks at its curves until the end."""
    async with connected(url) as socket:
        session = Session(socket, kind, RUNS[kind])
        await session.run()
        button, fragment = session.widget(f"train_{kind}_start")
        await session.run(fragment, WidgetState(id=button, trigger_value=True))
        if not session.repeated:
            results.errors.append(f"{kind}: no run was started")
        while time.monotonic() < end:
            start = time.monotonic()
            await session.repeat()
            results.seconds.setdefault("curves of a run", []).append(time.monotonic() - start)
            await asyncio.sleep(min(session.repeated.values(), default=1.0))


def connected(url: str) -> websockets.connect:
    """A connection as the browser makes it."""
    address = f"{url.replace('http', 'ws')}/_stcore/stream"
    return websockets.connect(address, subprotocols=["streamlit"], origin=url, max_size=None)


async def survived(person: asyncio.Task, results: Results) -> None:
    """Wait for someone; whatever ends the visit early is an error."""
    try:
        await person
    except (RuntimeError, OSError, StopIteration, TimeoutError, websockets.WebSocketException) as error:
        results.errors.append(f"{type(error).__name__}: {error}")


def memory(pid: int) -> tuple[float, float]:
    """Megabytes of resident memory: the process, and its children together."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            children += (task / "children").read_text().split()
    return resident(pid), sum(resident(int(child)) for child in set(children))


def resident(pid: int) -> float:
    """Megabytes of resident memory of one process; 0 for one that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0.0


async def visit(server: live.Server, seconds: float, results: Results) -> tuple[float, float]:
    """All people at once; returns the peaks of memory, in MB, of the server and of its children."""
    end = time.monotonic() + seconds
    kinds = [list(KINDS)[number % len(KINDS)] for number in range(PEOPLE - TRAINING)]
    people = [person(kind, server.url, end, results) for kind in kinds]
    people += [trainer(kind, server.url, end, results) for kind in list(RUNS)[:TRAINING]]
    tasks = [asyncio.create_task(survived(asyncio.ensure_future(each), results)) for each in people]
    peaks = (0.0, 0.0)
    while not all(task.done() for task in tasks):
        now = memory(server.pid)
        peaks = max(peaks[0], now[0]), max(peaks[1], now[1])
        await asyncio.sleep(1)
    return peaks


def table(results: Results, peaks: tuple[float, float]) -> str:
    """The figures in Markdown."""
    lines = ["| input | count | median, ms | 95th percentile, ms |", "| --- | --: | --: | --: |"]
    people = {kind: of for kind, of in results.seconds.items() if kind in KINDS}
    for kind, of in {**results.seconds, "**all inputs**": [each for some in people.values() for each in some]}.items():
        late = statistics.quantiles(of, n=20)[-1]
        lines.append(f"| {kind} | {len(of)} | {1000 * statistics.median(of):.0f} | {1000 * late:.0f} |")
    server, children = peaks
    errors = f"Errors: {len(results.errors)}. "
    return "\n".join(lines) + f"\n\n{errors}Peak memory: server {server:,.0f} MB, runs in training {children:,.0f} MB."


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="how long (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print all times as JSON")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    chosen = parser.parse_args()
    random.seed(SEED)
    results = Results()
    with tempfile.TemporaryDirectory() as folder, live.server(Path(folder) / "log.txt") as server:
        peaks = asyncio.run(visit(server, chosen.seconds, results))
    print(json.dumps(results.seconds) if chosen.json else table(results, peaks))
    for error in sorted(set(results.errors)):
        print(f"{results.errors.count(error)} times: {error}", file=sys.stderr)
    if chosen.write:
        text = (
            f"{PEOPLE} sessions on one server for {chosen.seconds:.0f} s, {TRAINING} of them training, the others with "
            f"an input every {THINKING[0]:.0f} to {THINKING[1]:.0f} s; sessions and server on the same machine: "
            f"{machine()}. From an input to the end of its answer, without the browser's drawing.\n\n"
        )
        write_section(
            "load", "A class on one server", "python benchmarks/load.py --write", text + table(results, peaks)
        )
    sys.exit(bool(results.errors))


if __name__ == "__main__":
    main()
