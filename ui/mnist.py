"""MNIST on its way: one download in the background for all sessions, started by whoever first wants to train on it."""

import threading
from dataclasses import dataclass, field

import streamlit as st

from training.tasks import digits
from training.tasks.download import SIZE, fetch


@dataclass
class Download:
    """A download and how far it is; it is the bar that `fetch` reports to."""

    total: int = 0
    done: int = 0
    error: str = ""
    thread: threading.Thread | None = field(default=None, repr=False)
    _file: int = 0  # bytes of the file at work

    def start(self) -> None:
        """Begin, or begin again with what is missing."""
        self.done, self._file, self.error = 0, 0, ""
        self.thread = threading.Thread(target=self._run, daemon=True, name="MNIST")
        self.thread.start()

    def is_running(self) -> bool:
        """Whether it is on its way."""
        return self.thread is not None and self.thread.is_alive()

    def _run(self) -> None:
        try:
            fetch(digits.raw_folder(), self)
        except (OSError, ValueError) as error:
            self.error = digits.missing(error)

    def update(self, size: int) -> None:
        """So many bytes more have come."""
        self.done += size
        self._file += size

    def reset(self) -> None:
        """A file has come; its size is reported once more, so what was counted for it is taken back."""
        self.done -= self._file
        self._file = 0

    def close(self) -> None:
        """The next file begins."""
        self._file = 0


@st.cache_resource(show_spinner=False)
def download() -> Download:
    """The one download of this server, begun when it is first asked for."""
    started = Download()
    started.start()
    return started


def mnist_at_hand() -> bool:
    """Whether one can train on MNIST now; if not, the page says how its download goes, and what there is instead."""
    if digits.available():
        return True
    running = download().is_running()
    st.fragment(run_every="1s" if running else None)(_show_download)(running)
    return False


def _show_download(running: bool) -> None:
    state = download()
    if running and not state.is_running():
        st.rerun()
    if running:
        share = min(1.0, state.done / SIZE)
        st.progress(share, f"MNIST is being downloaded: {state.done / 1e6:.1f} of {SIZE / 1e6:.1f} MB")
    else:
        st.warning(state.error or "MNIST is not on this machine.")
        if st.button("Try again", icon=":material/refresh:", key="mnist_again"):
            state.start()
            st.rerun()
    st.markdown(
        "Until MNIST is here you can train on the 1,797 handwritten digits that come with scikit-learn. They are "
        "smaller and far fewer, and not MNIST: a network that learned from them reads your drawings less well."
    )
