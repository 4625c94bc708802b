"""How long a page takes to open on a warm server, to its answer or all its figures, beside the start page.

`python benchmarks/opening.py` opens every page in turn in a new browser's context, several times over, and prints a
table; `--write` puts it into benchmarks/README.md. The first round, in which the server makes what it keeps, does not
count.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import chromium
from benchmarks.readme import machine, write_section
from tests import live
from tests.test_browser_report import FIGURES
from ui.frame import PAGES

WHOLE = {
    "Report": (".narrow .marks", FIGURES),
    "Digits": (".digit", 1),
    "Recall": (".digit", 1),
    "Addition": (".sum", 1),
}
HEAD = "| page | times | least, s | median, s | most, s | median / that of the start page |\n"
HEAD += "| --- | --: | --: | --: | --: | --: |\n"


def opened(browser: Browser, url: str, label: str) -> float:
    """The seconds from the address to the whole page, for someone who has never been here."""
    path = "" if label == "Start" else label.lower()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(f"{url}/{path}")
        page.locator("h1").wait_for()
        selector, count = WHOLE.get(label, ("h1", 1))
        page.locator(selector).nth(count - 1).wait_for(state="attached")
        page.locator(live.RESTS).wait_for(state="attached")
        return time.perf_counter() - began


def measure(rounds: int) -> str:
    """The table: a line for each page."""
    labels = [label for _, label, _ in PAGES]
    times: dict[str, list[float]] = {label: [] for label in labels}
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        live.server(Path(folder) / "log.txt") as server,
    ):
        for turn in range(rounds + 1):
            for label in labels:
                seconds = opened(browser, server.url, label)
                if turn:
                    times[label].append(seconds)
    medians = {label: statistics.median(each) for label, each in times.items()}
    lines = [
        f"| {label} | {rounds} | {min(each):.2f} | {medians[label]:.2f} | {max(each):.2f} | "
        f"{medians[label] / medians['Start']:.2f} |"
        for label, each in times.items()
    ]
    return HEAD + "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="how often each page is opened (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args()
    table = measure(options.rounds)
    print(table)
    if options.write:
        text = f"{machine()}; Chromium without windows.\n\n{table}"
        write_section("opening", "How long a page takes to open", "python benchmarks/opening.py --write", text)


if __name__ == "__main__":
    main()
