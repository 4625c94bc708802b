"""The app as people meet it: a real server and a real Chromium, for the browser tests and the benchmarks."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
RESTS = '[data-testid="stApp"][data-test-script-state="notRunning"]'  # the app, when its script has run
# The sandbox needs rights that root in a container lacks; the rest keeps Chromium from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]


@dataclass(frozen=True)
class Server:
    """A running server: its address without a slash at the end, the file with its output, its process."""

    url: str
    log: Path
    pid: int

    @property
    def runs(self) -> Path:
        """The folder of its training runs."""
        return self.log.parent / "runs"


def chromium() -> str | None:
    """The path of a Chromium: what the environment variable CHROMIUM names, else the first one on the PATH.

    The one without windows opens a page in two thirds of the time.
    """
    names = [os.environ.get("CHROMIUM", "chromium-headless-shell"), "chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def browser(executable: str) -> Iterator[Browser]:
    """A headless Chromium, closed at the end."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def server(log: Path, app: Path = ROOT / "app.py") -> Iterator[Server]:
    """The app on a free port of this machine, from the moment it answers; RuntimeError where it does not.

    Its runs lie beside the log.
    """
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.headless", "true"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--server.address", "localhost", "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"RNN_LAB_RUNS": str(log.parent / "runs")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://localhost:{port}"
        _wait_for(f"{url}/_stcore/health", process, log)
        yield Server(url, log, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    raise RuntimeError(f"the server did not answer within {seconds:.0f} s; it said:\n{log.read_text()}")
