"""How long a person waits: the app in Chromium, on servers that were just started.

`python benchmarks/latency.py` prints a table, `--json` the same for a program, `--write` puts it into
benchmarks/README.md. An input's time is taken inside the browser: from the event (mouse button up, key, click) to the
frame that shows another answer. Nothing is left out: the first input on a page, which loads its network, counts.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, WebSocket

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.readme import machine, write_section
from tests import live
from ui.drawing import SIDE, STRIP

SEED = 0
STARTS = 5
ANSWER = ".st-key-answer"
# One stroke each, in fractions of the square one draws on. None is a sample of the empty canvas (0 or 7).
STROKES = [
    [(0.5, 0.15), (0.5, 0.85)],
    [(0.3, 0.3), (0.5, 0.18), (0.68, 0.33), (0.3, 0.8), (0.72, 0.8)],
    [(0.3, 0.2), (0.65, 0.25), (0.6, 0.42), (0.45, 0.48), (0.65, 0.58), (0.62, 0.78), (0.3, 0.82)],
]

# Promises, in window.waited, the milliseconds from the last such event to the frame that shows another answer.
AWAIT_ANSWER = """([event, selector]) => {
  const text = () => document.querySelector(selector)?.textContent;
  let before, start;
  const note = (happening) => { before = text(); start = happening.timeStamp; };
  addEventListener(event, note, {capture: true});
  window.waited = new Promise((resolve, reject) => {
    const observer = new MutationObserver(() => {
      if (start === undefined || !text() || text() === before) return;
      observer.disconnect();
      removeEventListener(event, note, {capture: true});
      requestAnimationFrame(() => resolve(performance.now() - start));
    });
    observer.observe(document.body, {subtree: true, childList: true, characterData: true});
    setTimeout(() => reject(new Error("the answer did not change within 10 s")), 10000);
  });
}"""

# The milliseconds from moving the scrubber to the frame that shows the time step.
SCRUB = """(range, step) => new Promise((resolve, reject) => {
  const start = performance.now();
  const observer = new MutationObserver(() => {
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - start));
  });
  observer.observe(range.getRootNode(), {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(() => reject(new Error("the timeline did not move within 10 s")), 10000);
  range.value = step;
  range.dispatchEvent(new Event("input", {bubbles: true}));
})"""


@dataclass(frozen=True)
class Row:
    """The waiting times of one thing a person does, in milliseconds, none of which is to be longer than the target."""

    what: str
    target: float
    times: list[float]

    def cells(self) -> list[str]:
        """The row of the table: what, how often, least, median, most, and the target, which may be missed."""
        least, median, most = min(self.times), statistics.median(self.times), max(self.times)
        target = f"{self.target:,.0f}" + (" (missed)" if most > self.target else "")
        return [self.what, str(len(self.times)), *(f"{value:,.0f}" for value in (least, median, most)), target]


def messages(page: Page) -> list[str | bytes]:
    """What the page sends to the server: a list that grows as it happens."""
    sent: list[str | bytes] = []

    def keep(message: str | bytes) -> None:
        sent.append(message)

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", keep)

    page.on("websocket", listen)
    return sent


def settle(page: Page) -> None:
    """Wait until the page has been drawn whole and nothing runs."""
    page.locator(live.RESTS).wait_for(state="attached")
    page.locator('[data-testid="stSkeleton"]').first.wait_for(state="detached")
    page.wait_for_timeout(150)


def waited(page: Page, event: str, act: Callable[[], None]) -> float:
    """The milliseconds from the last `event` of `act` to the answer."""
    page.evaluate(AWAIT_ANSWER, [event, ANSWER])
    act()
    milliseconds = page.evaluate("window.waited")
    settle(page)
    return milliseconds


def draw(page: Page, canvas: Locator, stroke: list[tuple[float, float]]) -> None:
    """Draw one stroke with the mouse, below the canvas's strip of tools."""
    box = canvas.bounding_box()
    points = [(box["x"] + SIDE * x, box["y"] + STRIP + SIDE * y) for x, y in stroke]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def digits(page: Page, repeats: int) -> Iterator[Row]:
    """Draw digits on a cleared canvas."""
    canvas = page.locator(".st-key-digits_draw canvas").first
    times = []
    for repeat in range(repeats):
        stroke = STROKES[repeat % len(STROKES)]
        times.append(waited(page, "pointerup", lambda stroke=stroke: draw(page, canvas, stroke)))
        page.get_by_role("button", name="Clear").click()
        settle(page)
        page.wait_for_timeout(500)  # the canvas starts anew
    yield Row("Digits: mouse button up to the answer", 350, times)


def recall(page: Page, repeats: int) -> Iterator[Row]:
    """Type sequences; ask for another index. Each digit asked for differs from the one before."""
    numbers = random.Random(SEED)
    sequence = page.get_by_role("textbox", name="Sequence", exact=True)
    times = []
    for repeat in range(repeats):
        digits = [str((repeat + place) % 10) for place in range(8)]
        text = " ".join([*digits, *(str(numbers.randrange(10)) for _ in range(2))])
        times.append(waited(page, "input", lambda text=text: sequence.fill(text)))
    yield Row("Recall: last key of a sequence to the answer", 100, times)
    options = page.locator(".st-key-index").get_by_role("radio")
    places = [place % 8 for place in range(2, 2 + repeats)]
    times = [waited(page, "click", lambda place=place: options.nth(place).click()) for place in places]
    yield Row("Recall: another index to the answer", 100, times)


def addition(page: Page, repeats: int) -> Iterator[Row]:
    """Type another operand."""
    operands = [page.get_by_role("textbox", name=name, exact=True) for name in "ab"]
    times = []
    for repeat in range(repeats):
        operand, bits = operands[repeat % 2], format((11 * repeat + 5) % 32, "05b")
        times.append(waited(page, "input", lambda operand=operand, bits=bits: operand.fill(bits)))
    yield Row("Addition: last key of an operand to the answer", 100, times)


def scrub(page: Page, repeats: int) -> list[float]:
    """Move a timeline's scrubber to and fro."""
    scrubber = page.locator(".timeline input.range").first
    last = int(scrubber.get_attribute("max"))
    places = itertools.cycle([0, last // 2, last])  # it starts at the last
    return [scrubber.evaluate(SCRUB, place) for place in itertools.islice(places, repeats)]


PAGES = {"digits": digits, "recall": recall, "addition": addition}


def pages(browser: Browser, url: str, repeats: int) -> Iterator[Row]:
    """Every input of every page; then scrubbing, during which nothing may be sent to the server."""
    for name, inputs in PAGES.items():
        with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
            page = context.new_page()
            sent = messages(page)
            page.goto(f"{url}/{name}")
            page.locator(ANSWER).wait_for()
            settle(page)
            yield from inputs(page, repeats)
            page.wait_for_timeout(1000)  # what earlier inputs still had to send
            sent.clear()
            yield Row(f"{name.title()}: scrubbing to the time step", 100, scrub(page, repeats))
            page.wait_for_timeout(500)
            if sent:
                raise RuntimeError(f"scrubbing on {name} sent {len(sent)} messages to the server")


def start(browser: Browser, log: Path) -> float:
    """Milliseconds from the command that starts the server to its first page, drawn whole."""
    with browser.new_context() as context:
        page = context.new_page()
        before = time.perf_counter()
        with live.server(log) as server:
            page.goto(server.url)
            page.locator("h1").wait_for()
            page.locator(live.RESTS).wait_for(state="attached")
            return 1000 * (time.perf_counter() - before)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, or an end with one sentence."""
    executable = live.chromium()
    if executable is None:
        sys.exit("No Chromium on the PATH: install one or name it in the environment variable CHROMIUM.")
    with live.browser(executable) as browser:
        yield browser


def measure(repeats: int) -> list[Row]:
    """All rows of the table."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        log = Path(folder) / "log.txt"
        starts = [start(browser, log) for _ in range(STARTS)]
        with live.server(log) as server:
            return [Row("Server start to the first page", 4000, starts), *pages(browser, server.url, repeats)]


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    head = ["| what, in ms | times | least | median | most | target |", "| --- | --: | --: | --: | --: | --: |"]
    return "\n".join([*head, *(f"| {' | '.join(row.cells())} |" for row in rows)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help="how often each input is given (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args()
    rows = measure(options.repeats)
    print(json.dumps([asdict(row) for row in rows]) if options.json else table(rows))
    if options.write:
        told = "Scrubbing sent nothing to the server. A target is missed where one wait of all was longer."
        text = f"{machine()}. {told}\n\n{table(rows)}"
        write_section("latency", "How long one waits", "python benchmarks/latency.py --write", text)


if __name__ == "__main__":
    main()
