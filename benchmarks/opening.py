"""How long a page takes to open on a warm server, to its answer or all its figures, in two ways.

From the menu, as in use: the browser shows the start page of the app already. And for someone who has never been here:
a new browser's context loads Streamlit's own scripts first, so the start page's time stands beside it.

`python benchmarks/opening.py` opens every page in turn, several times over, and prints a table; `--write` puts it into
benchmarks/README.md. The first round, in which the server makes what it keeps, does not count.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import chromium
from benchmarks.readme import machine, write_section
from tests import live
from tests.test_browser_report import FIGURES
from ui.frame import LAB, PAGES

WHOLE = {
    "Report": (".narrow .marks", FIGURES),
    "Digits": (".digit", 1),
    "Recall": (".digit", 1),
    "Addition": (".sum", 1),
}
HEAD = """| page | times | from the menu: least, s | median, s | most, s | new browser: median, s | / start page |
| --- | --: | --: | --: | --: | --: | --: |
"""
PAUSE = 1000  # milliseconds between two pages, in which the browser tidies up


def wait_for(page: Page, label: str) -> None:
    """Until the whole page stands there, and the server has nothing more to say."""
    page.locator("h1", has_text=LAB if label == "Start" else label).wait_for()
    selector, count = WHOLE.get(label, ("h1", 1))
    page.locator(selector).nth(count - 1).wait_for(state="attached")
    page.locator(live.RESTS).wait_for(state="attached")


def opened(browser: Browser, url: str, label: str) -> float:
    """The seconds from the address to the whole page, for someone who has never been here."""
    path = "" if label == "Start" else label.lower()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(f"{url}/{path}")
        wait_for(page, label)
        return time.perf_counter() - began


def followed(page: Page, label: str) -> float:
    """The seconds from a click in the menu to the whole page, coming from the start page or, to that, from another."""
    page.wait_for_timeout(PAUSE)
    link = page.locator(".st-key-menu").get_by_role("link", name=label)
    began = time.perf_counter()
    link.click()
    wait_for(page, label)
    return time.perf_counter() - began


def measure(rounds: int) -> str:
    """The table: a line for each page."""
    labels = [label for _, label, _ in PAGES]
    new: dict[str, list[float]] = {label: [] for label in labels}
    menu: dict[str, list[float]] = {label: [] for label in labels}
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        live.server(Path(folder) / "log.txt") as server,
        browser.new_context(viewport={"width": 1280, "height": 900}) as context,
    ):
        page = context.new_page()
        page.goto(f"{server.url}/runs")
        for turn in range(rounds + 1):
            for label in labels:
                seconds = opened(browser, server.url, label), followed(page, label)
                if label != "Start":
                    followed(page, "Start")
                if turn:
                    new[label].append(seconds[0])
                    menu[label].append(seconds[1])
            page.goto(f"{server.url}/runs")
    start = statistics.median(new["Start"])
    lines = [
        f"| {label} | {rounds} | {min(each):.2f} | {statistics.median(each):.2f} | {max(each):.2f} | "
        f"{statistics.median(new[label]):.2f} | {statistics.median(new[label]) / start:.2f} |"
        for label, each in menu.items()
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
