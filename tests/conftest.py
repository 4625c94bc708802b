"""What tests share: fixed seeds, a running server, and pages of a Chromium that tolerate no error."""

import os
import random
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import live

# One thread for each process, before torch is loaded: on small networks more gain nothing, and tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Every run of the tests tries the same examples; a slow machine is no failure.
hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None)
hypothesis.settings.load_profile("seeded")

# Milliseconds for anything that is to appear: a server that imports torch, on a machine that does other things as well.
expect.set_options(timeout=20_000)

LOCAL_SCHEMES = ("data", "blob", "about")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers in every test, whichever tests run before it."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the test's runs: nobody's own runs are seen or touched."""
    monkeypatch.setenv("RNN_LAB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What the test starts hears Ctrl-C, also where tests run in the background of a script and inherit deafness."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    """One server for all tests that do not mind what was opened before."""
    with live.server(tmp_path_factory.mktemp("server") / "log.txt") as running:
        yield running


@pytest.fixture(scope="session")
def server_url(server: live.Server) -> str:
    """The address of the server that all tests share, without a slash at the end."""
    return server.url


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    """A server that has just been started and has shown no page yet."""
    with live.server(tmp_path_factory.mktemp("server") / "log.txt") as running:
        yield running


@pytest.fixture
def fresh_server(new_server: live.Server) -> str:
    """The address of a server that has just been started, without a slash at the end."""
    return new_server.url


@pytest.fixture(scope="module")  # not longer: its driver keeps an event loop running in this thread
def browser() -> Iterator[Browser]:
    """Chromium. Without one the test is skipped, or fails where RNN_LAB_BROWSER=required."""
    executable = live.chromium()
    if executable is None:
        reason = "no Chromium on the PATH; install one or name it in the environment variable CHROMIUM"
        if os.environ.get("RNN_LAB_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with live.browser(executable) as chromium:
        yield chromium


LAPTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


# Contexts last as long as the browser: a page whose scripts are in their cache opens in four fifths of the time.
@pytest.fixture(scope="module")
def laptop(browser: Browser) -> Iterator[BrowserContext]:
    """What a laptop's pages share: a cache. The app keeps nothing in the browser, and no test chooses a theme there."""
    with browser.new_context(**LAPTOP) as context:
        yield context


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """The same of a phone."""
    with browser.new_context(**PHONE) as context:
        yield context


@pytest.fixture
def page(laptop: BrowserContext) -> Iterator[Page]:
    """A page as on a laptop: 1280 x 900."""
    with _strict_page(laptop) as page:
        yield page


@pytest.fixture
def phone_page(phone: BrowserContext) -> Iterator[Page]:
    """A page as on a phone: 390 x 844, with touch."""
    with _strict_page(phone) as page:
        yield page


@contextmanager
def _strict_page(context: BrowserContext) -> Iterator[Page]:
    """A page that must raise no script error, show no exception and ask nothing of any other machine."""
    problems: list[str] = []

    def check_request(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname != "localhost":
            problems.append(f"request to another machine: {url}")

    with context.new_page() as page:
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        page.on("request", lambda request: check_request(request.url))
        yield page
        for text in page.get_by_test_id("stException").all_inner_texts():
            problems.append(f"exception on the page: {text}")
    assert not problems, "\n".join(problems)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the server said when a test that used it fails."""
    report = yield
    if report.failed:
        for fixture in getattr(item, "funcargs", {}).values():
            if isinstance(fixture, live.Server):
                report.sections.append(("server log", fixture.log.read_text()[-5000:]))
    return report
