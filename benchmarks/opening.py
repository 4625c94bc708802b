"""How long a page takes to open on a warm server, to its answer or all its figures, in two ways.

From the menu, as in use: the browser shows the start page of the app already, and opens the page for the first time.
And for someone who has never been here: a new browser's context loads Streamlit's own scripts first, so the start
page's time stands beside it. The time is taken inside the browser, where it costs least: Playwright's own waiting for
the Report page's last figure takes half a second from it.

`python benchmarks/opening.py` opens every page in turn, several times over, and prints a table; `--write` puts it into
benchmarks/README.md. The first round, in which the server makes what it keeps, does not count.
"""

import argparse
import statistics
import sys
import tempfile
from functools import cache
from pathlib import Path

from playwright.sync_api import Browser, Page
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.latency import chromium
from benchmarks.readme import machine, write_section
from tests import live
from ui.frame import LAB, PAGES

APP = Path(__file__).parents[1] / "app.py"
ANSWERS = {"Digits": ".digit", "Recall": ".digit", "Addition": ".sum"}
HEAD = """| page | times | from the menu: least, s | median, s | most, s | new browser: median, s | / start page |
| --- | --: | --: | --: | --: | --: | --: |
"""
PAUSE = 1000  # milliseconds between two pages, in which the browser tidies up
LOOK = 25  # milliseconds between two looks at whether the page is there
# The milliseconds since the click, or since the browser was given the address, once the page is there, else 0.
SINCE = """([heading, rests, selector, count]) => {
  if (!document.querySelector(rests) || !document.querySelector("h1")?.textContent.includes(heading)) return 0;
  const within = [...document.querySelectorAll("[data-testid^=stBidiComponent]")].flatMap((e) => e.shadowRoot ?? []);
  const found = [document, ...within].map((root) => root.querySelectorAll(selector).length);
  return found.reduce((sum, each) => sum + each) >= count && performance.now() - (globalThis.clickedAt ?? 0);
}"""
NOTE_CLICK = """addEventListener("click", () => {
  globalThis.clickedAt = performance.now();
}, { capture: true, once: true })"""


@cache
def whole(label: str) -> tuple[str, int]:
    """By what one sees that a page stands there whole: a selector, and how many elements it finds then."""
    return (".marks", figures()) if label == "Report" else (ANSWERS.get(label, "h1"), 1)


def figures() -> int:
    """How many figures the Report page has, each of them a component."""
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    return len(app.switch_page("pages/report.py").run().get("bidi_component"))


def seconds(page: Page, label: str) -> float:
    """How long it took until the whole page stood there, and the server had nothing more to say."""
    heading = LAB if label == "Start" else label
    done = page.wait_for_function(SINCE, arg=[heading, live.RESTS, *whole(label)], polling=LOOK)
    return done.json_value() / 1000


def opened(browser: Browser, url: str, label: str) -> float:
    """The seconds from the address to the whole page, for someone who has never been here."""
    path = "" if label == "Start" else label.lower()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{url}/{path}", wait_until="commit")
        return seconds(page, label)


def followed(page: Page, label: str) -> float:
    """The seconds from a click in the menu to the whole page, coming from the start page or, to that, from another."""
    page.wait_for_timeout(PAUSE)
    page.evaluate(NOTE_CLICK)
    page.locator(".st-key-menu").get_by_role("link", name=label).click()
    return seconds(page, label)


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
                both = opened(browser, server.url, label), followed(page, label)
                if label != "Start":
                    followed(page, "Start")
                if turn:
                    new[label].append(both[0])
                    menu[label].append(both[1])
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
