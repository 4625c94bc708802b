"""MNIST's download: checked, taken up again after a break, and never half there. No test leaves this machine."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from training.tasks import download
from ui.mnist import Download

CONTENT = {name: name.encode() * 5000 for name in download.SUMS}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in CONTENT.items()}


class Handler(BaseHTTPRequestHandler):
    """Serves the packed files, but breaks off in the middle of those in `broken`."""

    broken: ClassVar[set[str]] = set()
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        name = self.path.strip("/").removesuffix(".gz")
        type(self).asked.append(name)
        self.send_response(200)
        self.send_header("Content-Length", str(len(PACKED[name])))
        self.end_headers()
        self.wfile.write(PACKED[name][: len(PACKED[name]) // 2] if name in self.broken else PACKED[name])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Handler]]:
    server = ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.broken, Handler.asked = set(), []
    monkeypatch.setattr(download, "MIRROR", f"http://localhost:{server.server_port}/")
    monkeypatch.setattr(download, "SUMS", {n: hashlib.md5(packed).hexdigest() for n, packed in PACKED.items()})
    monkeypatch.setattr(download, "PATIENCE", 5)
    yield Handler
    server.shutdown()
    server.server_close()


def test_all_four_files_come_whole(mirror: type[Handler], tmp_path: Path) -> None:
    download.fetch(tmp_path / "raw")
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == CONTENT


def test_after_a_break_only_what_is_missing_is_fetched(mirror: type[Handler], tmp_path: Path) -> None:
    second = list(CONTENT)[1]
    mirror.broken = {second}
    with pytest.raises((OSError, ValueError)):
        download.fetch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [next(iter(CONTENT))]
    mirror.broken, mirror.asked = set(), []
    download.fetch(tmp_path)
    assert mirror.asked == list(CONTENT)[1:]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == CONTENT


def test_a_file_with_another_sum_is_not_kept(
    mirror: type[Handler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SUMS", download.SUMS | {next(iter(CONTENT)): "0" * 32})
    with pytest.raises(ValueError, match="hash"):
        download.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_app_shows_progress_and_begins_again_after_a_failure(
    mirror: type[Handler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    mirror.broken = {list(CONTENT)[2]}
    state = Download()
    state.start()
    state.thread.join(30)
    assert not state.is_running()
    assert "MNIST is not on this machine and could not be downloaded" in state.error
    assert "\n" not in state.error
    mirror.broken = set()
    state.start()
    state.thread.join(30)
    assert state.error == ""
    assert state.done == sum(len(PACKED[name]) for name in list(CONTENT)[2:])


def test_without_a_connection_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MIRROR", "http://localhost:1/")
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    state = Download()
    state.start()
    state.thread.join(30)
    assert "(ConnectionError)" in state.error


def test_a_full_disk_leaves_nothing_half_done(
    mirror: type[Handler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        download.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []
